"""All the ways to read an image, and the functions that find the right one. A new format is one more entry here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred import file_errors
from napari_webipred.errors import CancelledError, ImageError
from napari_webipred.imaging import derived, pillow, planes, raster, tiff, unreadable, windows
from napari_webipred.imaging.dicom import reader as dicom
from napari_webipred.imaging.handle import READ_ONLY, opened
from napari_webipred.imaging.header import Header
from napari_webipred.imaging.pyramid import Pyramid
from napari_webipred.imaging.quiet import quiet
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.stored import Box
from napari_webipred.names import escape, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

READERS: dict[str, Reader] = {
    **{each.READER.id: each.READER for each in (tiff, dicom, raster, planes, pillow, unreadable)},
    **{reader.id: reader for reader in (windows.ZARR, windows.SLIDE, windows.TILE)},
}
HEAD = 512  # bytes of a file by which its format is recognised
PAGE = 4096  # bytes that any disk reads at least; in most PNG files, the pixels begin within them
ANOTHER_FILE = "Choose another file, or download or copy this one again."


def read(source: Source, index: Index) -> NDArray[Any]:
    """Read a plane of a source; see `napari_webipred.imaging.reader.Reader.read`.

    Raises
    ------
    ImageError
        The plane cannot be read. The message names a file without its folder.
    Exception
        Whatever an array raises that computes its planes when they are read.
    """
    with _explained_of(source.location):
        return READERS[source.reader].read(source, index)


def read_part(pyramid: Pyramid, level: int, plane: Index, box: Box, budget: int = 0) -> NDArray[Any]:
    """Read a part of a large picture; see `napari_webipred.imaging.windows.window`, and `read` for what it raises."""
    with _explained_of(pyramid):
        return windows.window(pyramid, level, plane, box, budget)


def memory_needed(source: Source, index: Index) -> int:
    """Return how many bytes of memory reading a plane takes at most; 0 where its pixels are in memory already."""
    return READERS[source.reader].memory(source, index)


def header_of(source: Source, index: Index) -> Header | None:
    """Return what the file of a plane says of it, if it is a medical one; reads nothing."""
    return READERS[source.reader].header(source, index)


READERS.update({reader.id: reader for reader in derived.readers(read, memory_needed, header_of)})


def file_formats() -> list[FileFormat]:
    """List the formats of files, in the order in which they are asked whether a file is theirs."""
    formats = [reader.files for reader in READERS.values() if reader.files is not None]
    return sorted(formats, key=lambda each: -each.priority)


def is_one_image(path: Path) -> bool:
    """Tell whether a folder is one image, by its suffix."""
    return any(path.suffix.lower() in each.folder_suffixes for each in file_formats())


def file_source(path: str | Path) -> Source:
    """Describe an image file by its content; its suffix does not matter.

    Only the header is read; pixels are read plane by plane, when asked for, by any number of threads. See
    `napari_webipred.imaging.raster.describe` and `napari_webipred.imaging.tiff.describe` for what becomes of
    colours, depth, orientation, animations and stacks. Colour profiles (ICC) are not applied.

    Parameters
    ----------
    path : str or Path
        Its spelling becomes the name of the source, escaped by `napari_webipred.names.escape`.

    Returns
    -------
    Source
        Reading its planes raises ImageError if the file is missing, damaged, too large or no image, in words that
        name the file without its folder. Describing the file never raises.
    """
    name, path = escape(str(path)), Path(path)
    try:
        with _explained(path):
            return _format_of(path).describe(path, name)
    except ImageError as error:
        return unreadable.unreadable(name, error)


def is_single(path: str, formats: Iterable[FileFormat]) -> bool:
    """Tell whether the first bytes of what is known to be a file show that it holds one plane.

    Where they do not, describing it tells.

    Parameters
    ----------
    path : str
    formats : iterable of FileFormat
        See `file_formats`, which takes time for a million files.
    """
    try:
        descriptor = os.open(path, READ_ONLY)  # several times faster than a file object or a Path
        try:
            head = os.read(descriptor, PAGE)
        finally:
            os.close(descriptor)
    except OSError:  # describing it will say what is wrong with it
        return False
    if head:
        for each in formats:
            if each.recognises(path, head):
                return each.is_single(head)
    return False


def _format_of(path: Path) -> FileFormat:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        head = b""
        if not is_one_image(path):
            raise _folder(path)
    elif not stat.S_ISREG(status.st_mode):  # opening a pipe could wait for ever
        raise ImageError(f"{path.name} is not a file.")
    elif not status.st_size:
        raise ImageError(f"{path.name} is empty.")
    else:
        with opened(path) as file:
            head = file.read(HEAD)
    for each in file_formats():
        if each.recognises(path, head):
            return each
    raise _unknown(path)


def _folder(path: Path) -> ImageError:
    try:
        next(path.iterdir(), None)
    except OSError:
        hint = "Check its permissions, and that its disk is connected."
        return ImageError(f"{path.name} is a folder that cannot be read.", hint)
    return ImageError(f"{path.name} is a folder, not an image.", "Give an image in it.")


def _unknown(path: Path) -> ImageError:
    *names, last = (name for each in file_formats() for name in each.names)
    return ImageError(
        f"{path.name} is not an image that can be read, or its beginning is damaged.",
        f"These formats can be read: {', '.join(names)} and {last}.",
    )


def tiff_pyramid(path: Path, name: str) -> Pyramid:
    """Describe a TIFF file as a picture that is read in parts; see `napari_webipred.imaging.tiff_levels.describe`.

    Raises
    ------
    ImageError
        It cannot be read in parts.
    """
    from napari_webipred.imaging import tiff_levels

    with _explained(path):
        return tiff_levels.describe(path, name)


def _explained_of(location: Any) -> AbstractContextManager[None]:
    """Explain what goes wrong with a file; arrays may raise what they like."""
    path = location.location if isinstance(location, Pyramid) else location
    return _explained(path) if isinstance(path, Path) else nullcontext()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into an ImageError; libraries raise nearly everything on damaged files.

    What those say about the file in their logs is dropped.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet():
            yield
    except CancelledError:
        raise
    except ImageError as error:
        message = error.message if visible(path.name) in error.message else f"{path.name}: {error.message}"
        raise ImageError(message, error.hint or ANOTHER_FILE) from error
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path.name}.", file_errors.reading(error)[1]) from error
    except UnidentifiedImageError as error:
        raise _unknown(path) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name} has far more pixels than an image should.", "Scale it down first.") from error
    except MemoryError as error:
        raise ImageError(f"{path.name} does not fit into memory.", "Scale it down first.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            reason, remedy = file_errors.reading(error)
            raise ImageError(f"{path.name} cannot be read: {reason}.", remedy) from error
        raise ImageError(
            f"{path.name} is damaged, cut short or written in an unknown way.",
            "Open it in another program and save it as PNG or as uncompressed TIFF.",
        ) from error

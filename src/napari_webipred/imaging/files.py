"""Picture files and folders of them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_webipred import file_errors
from napari_webipred.errors import ImageError
from napari_webipred.imaging.quiet import silence
from napari_webipred.imaging.source import Source
from napari_webipred.names import escape, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".btf", ".bmp", ".dib", ".gif", ".webp"}
)
ANOTHER_FILE = "Choose another file, or get this one again from where it comes from."
TIFF_SIGNATURES = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


def find_pictures(paths: Iterable[str | Path]) -> tuple[list[str], list[str]]:
    """Replace folders by the pictures in them and below.

    Parameters
    ----------
    paths : iterable of path
        A file is kept whatever it is called, also if it does not exist: reading it will say so.

    Returns
    -------
    pictures : list of str
        In the given order; those of a folder in natural order (``2.png`` before ``10.png``), each named by the folder
        as given and its place in it. A folder that cannot be listed stands for itself, so that it is not passed over
        in silence.
    left_out : list of str
        Files in folders whose suffix is not that of a picture. Hidden files and folders are not even mentioned, links
        to folders are not followed.
    """
    pictures: list[str] = []
    left_out: list[str] = []
    for path in map(Path, paths):
        if not os.path.isdir(path):  # noqa: PTH112 - unlike `Path.is_dir`, it never raises
            pictures.append(str(path))
            continue
        for found in sorted(_below(path), key=lambda file: [_natural(part) for part in file.relative_to(path).parts]):
            is_picture = found.suffix.lower() in SUFFIXES or os.path.isdir(found)  # noqa: PTH112
            (pictures if is_picture else left_out).append(str(found))
    return pictures, left_out


def file_source(path: str | Path) -> Source:
    """Describe a picture file: PNG, JPEG, TIFF, BMP, GIF or WebP, by its content and not by its suffix.

    Only the header is read; pixels are read plane by plane, when asked for, by any number of threads. See
    `napari_webipred.imaging.raster.raster_source` and `napari_webipred.imaging.tiff.tiff_source` for what becomes of
    colours, depth, orientation, animations and stacks. Colour profiles (ICC) are not applied.

    Parameters
    ----------
    path : str or Path
        Its spelling becomes the name of the source, escaped by `napari_webipred.names.escape`.

    Returns
    -------
    Source
        Reading its planes raises ImageError if the file is missing, damaged, too large or no picture, in words that
        name the file without its folder. Describing the file never raises.
    """
    name, path = escape(str(path)), Path(path)
    try:
        with _explained(path):
            described = _described(path, name)
    except ImageError as error:
        return Source(name, _refusal(error))

    def read(index: tuple[int, ...]) -> NDArray[Any]:
        with _explained(path):
            return described.read(index)

    return replace(described, read=read)


def _described(path: Path, name: str) -> Source:
    from napari_webipred.imaging.raster import raster_source
    from napari_webipred.imaging.tiff import tiff_source

    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(
            f"{path.name} is a folder that cannot be read.", "Check its permissions, and that its disk is connected."
        )
    if not stat.S_ISREG(status.st_mode):  # opening a pipe could wait for ever
        raise ImageError(f"{path.name} is not a file.")
    if not status.st_size:
        raise ImageError(f"{path.name} is empty.")
    with path.open("rb") as file:
        signature = file.read(4)
    return tiff_source(path, name) if signature in TIFF_SIGNATURES else raster_source(path, name)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into an ImageError; libraries raise nearly everything on damaged files.

    What those say about the file in their logs is dropped.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with silence():
            yield
    except ImageError as error:
        told = error.message if visible(path.name) in error.message else f"{path.name}: {error.message}"
        raise ImageError(told, error.hint or ANOTHER_FILE) from error
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path.name}.", file_errors.reading(error)[1]) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path.name} is not a picture that can be read, or its beginning is damaged.",
            "PNG, JPEG, TIFF, BMP, GIF and WebP are known.",
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name} has far more pixels than a picture should.", "Scale it down first.") from error
    except MemoryError as error:
        raise ImageError(f"{path.name} does not fit into memory.", "Scale it down first.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            reason, remedy = file_errors.reading(error)
            raise ImageError(f"{path.name} cannot be read: {reason}.", remedy) from error
        raise ImageError(
            f"{path.name} is damaged, cut short or written in a way that is not known here.",
            "Open it in another program and save it as PNG or as uncompressed TIFF.",
        ) from error


def _refusal(error: ImageError) -> Any:
    message, hint = error.message, error.hint

    def read(index: tuple[int, ...]) -> NoReturn:
        raise ImageError(message, hint)

    return read


def _below(folder: Path) -> Iterator[Path]:
    unlisted: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unlisted.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in files if not name.startswith("."))
    yield from map(Path, unlisted)


def _natural(part: str) -> tuple[list[str | int], str]:
    pieces = re.split(r"(\d+)", part.casefold())
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], part

"""The files that a DICOMDIR lists: the table of contents of a disc or of an export."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.attribute import items, value
from napari_webipred.imaging.dicom.content import content_of, is_dicom_file
from napari_webipred.imaging.quiet import quiet
from napari_webipred.limits import DIRECTORY_BYTES
from napari_webipred.names import visible

NAME = "dicomdir"


def is_directory(path: Path) -> bool:
    """Tell whether a file is a DICOMDIR, by its name, which the standard fixes, and its content."""
    return path.name.casefold() == NAME and is_dicom_file(path)


def listed_files(path: Path) -> tuple[list[Path], list[str]]:
    """Return the files that a DICOMDIR lists.

    Returns
    -------
    files : list of Path
        Below its folder, each once, whether they exist or not.
    refused : list of str
        What it lists elsewhere, which is not read: anybody may have written it.

    Raises
    ------
    ImageError
        It is damaged or very large.
    """
    folder = path.parent
    if path.stat().st_size > DIRECTORY_BYTES:
        raise ImageError(f"{path.name} is larger than {DIRECTORY_BYTES // 2**20} MB.", "Choose the folder instead.")
    try:
        with quiet():
            records = items(content_of(path, ("DirectoryRecordSequence",)).attributes, "DirectoryRecordSequence")
            names = [_parts(found) for record in records if (found := value(record, "ReferencedFileID")) is not None]
    except ImageError:
        raise
    except Exception as error:  # pydicom raises nearly everything on damaged files
        raise ImageError(f"{path.name} is damaged.", "Choose the folder instead.") from error
    inside = folder.resolve()
    files: dict[Path, None] = {}
    refused = []
    for parts in names:
        file = folder.joinpath(*parts)
        below = False
        with suppress(OSError, ValueError):  # a loop of links, or a name that no file can have
            below = file.resolve().is_relative_to(inside) and ".." not in parts
        if below:
            files.setdefault(file)
        else:
            refused.append(visible("/".join(parts)))
    return list(files), refused


def _parts(found: object) -> list[str]:
    """Return the folders and the name of a file, as a DICOMDIR has them."""
    return [found] if isinstance(found, str) else [str(part) for part in found]  # type: ignore[attr-defined]

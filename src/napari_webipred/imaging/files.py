"""The image files in folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from napari_webipred.cancellation import current
from napari_webipred.errors import OptionError
from napari_webipred.imaging.dicom.content import is_dicom_file
from napari_webipred.imaging.dicom.directory import is_directory, listed_files
from napari_webipred.imaging.readers import file_formats, is_one_image
from napari_webipred.names import visible


def find_images(paths: Iterable[str | Path], at_most: int | None = None) -> tuple[list[str], list[str]]:
    """Replace folders by the image files in them and below.

    Parameters
    ----------
    paths : iterable of path
        A file is kept whatever it is called, also if it does not exist: reading it will say so. A DICOMDIR stands for
        the files that it lists.
    at_most : int, optional
        How many files, images or not, may be in a folder.

    Returns
    -------
    images : list of str
        In the given order; those of a folder in natural order (``2.png`` before ``10.png``), each named by the folder
        as given and its place in it. A folder that cannot be listed stands for itself, so that the user is told.
    left_out : list of str
        Files in folders whose suffix is not that of an image, unless they are DICOM, and what a DICOMDIR lists outside
        of its folder. Hidden files and folders are not even mentioned, links to folders are not followed.

    Raises
    ------
    OptionError
        There are more files in a folder than `at_most`.
    CancelledError
        The computation that this thread does was cancelled.
    """
    suffixes = image_suffixes()
    images: list[str] = []
    left_out: list[str] = []
    for path in map(Path, paths):
        if not _is_folder(path) or is_one_image(path):
            listed, refused = listed_files(path) if is_directory(path) else ([path], [])
            images += map(str, listed)
            left_out += refused
            continue
        files = list(islice(_below(path), None if at_most is None else at_most + 1))
        if at_most is not None and len(files) > at_most:
            raise OptionError(
                f"{visible(path.name)} has more than {at_most:,} files.", "Choose a folder with fewer files."
            )
        for found in sorted(files, key=lambda file: [_natural(part) for part in file.relative_to(path).parts]):
            is_image = found.suffix.lower() in suffixes or _is_folder(found) or is_dicom_file(found)
            (images if is_image else left_out).append(str(found))
    return images, left_out


def image_suffixes() -> frozenset[str]:
    """Return the suffixes by which image files are found in a folder."""
    return frozenset().union(*(each.suffixes for each in file_formats()))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - unlike `Path.is_dir`, it never raises


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, the folders that are one image, and those that cannot be listed."""
    unlisted: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unlisted.append(error.filename)):
        current().check()
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in shown if not is_one_image(Path(name))]
        yield from (Path(parent) / name for name in {*shown} - {*folders})
        yield from (Path(parent) / name for name in files if not name.startswith("."))
    yield from map(Path, unlisted)


def _natural(part: str) -> tuple[list[str | int], str]:
    pieces = re.split(r"(\d+)", part.casefold())
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], part

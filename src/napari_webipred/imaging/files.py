"""The image files in folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from napari_webipred.cancellation import current
from napari_webipred.errors import OptionError
from napari_webipred.imaging import raster, tiff
from napari_webipred.imaging.dicom.content import is_dicom_file
from napari_webipred.imaging.dicom.directory import is_directory, listed_files
from napari_webipred.imaging.readers import file_formats, is_one_image
from napari_webipred.names import visible

_TOGETHER = 1000  # files


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
        of its folder. Links to folders, which are not followed, and hidden files and folders are not even mentioned.

    Raises
    ------
    OptionError
        There are more files in a folder than `at_most`.
    CancelledError
        The computation that this thread does was cancelled.
    """
    images: list[str] = []
    left_out: list[str] = []
    for path in map(Path, paths):
        if not is_folder(path):
            listed, refused = listed_files(path) if is_directory(path) else ([path], [])
            images += map(str, listed)
            left_out += refused
            continue
        count = 0
        for found in walked(path):
            count += len(found.images) + len(found.left_out)
            if at_most is not None and count > at_most:
                raise OptionError(
                    f"{visible(path.name)} has more than {at_most:,} files.", "Choose a folder with fewer files."
                )
            images += found.images
            left_out += found.left_out
    return images, left_out


def image_suffixes() -> frozenset[str]:
    """Return the suffixes by which image files are found in a folder."""
    return frozenset().union(*(each.suffixes for each in file_formats()))


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder that holds images, and not one image itself."""
    return os.path.isdir(path) and not is_one_image(path)  # noqa: PTH112 - unlike `Path.is_dir`, it never raises


def is_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a file."""
    return os.path.isfile(path)  # noqa: PTH113 - unlike `Path.is_file`, it never raises


class Found(Struct):
    """Some files below a folder.

    Attributes
    ----------
    images : list of str
        Images by their names, and files of DICOM.
    left_out : list of str
        Files that are neither.
    links : list of str
        Links to folders.
    only_files : bool
        Whether none of the images is a folder, a pipe, or a link that leads nowhere.
    alone : bool
        Whether each image is one for itself; see `is_alone`.
    """

    images: list[str] = []
    left_out: list[str] = []
    links: list[str] = []
    only_files: bool = True
    alone: bool = False


def walked(folder: Path) -> Iterator[Found]:
    """Yield the files below a folder, some at a time.

    Only the names of one folder, and of those that it lies in, are in memory at a time.

    Raises
    ------
    CancelledError
        The computation that this thread does was cancelled.
    """
    suffixes, check = image_suffixes(), current().check
    begin = "" if folder == Path() else str(folder)
    listed = entries(begin or os.curdir)
    if listed is None:
        yield Found([str(folder)], only_files=False)
        return
    open_folders = [(listed, os.path.join(begin, ""))]  # noqa: PTH118 - several times faster, as all that follows
    while open_folders:
        inside, begin = open_folders[-1]
        for names, kind in inside:
            check()
            paths = [begin + name for name in names]
            if kind is Kind.FILE:
                yield _told_apart(paths, suffixes)
            elif kind is Kind.FOLDER and (deeper := entries(paths[0])) is not None:
                open_folders.append((deeper, os.path.join(paths[0], "")))  # noqa: PTH118
                break
            elif kind is Kind.OTHER and suffix(names[0]) not in suffixes:
                yield Found(left_out=paths)
            elif kind is Kind.LINKED_FOLDER:  # it could lead back here; whoever counts on it must be told
                yield Found(links=paths)
            else:  # reading a folder as an image will say why it cannot be listed
                yield Found(paths, only_files=False)
        else:
            open_folders.pop()


def _told_apart(files: list[str], suffixes: frozenset[str]) -> Found:
    """Tell images from other files, which mostly takes no look into them."""
    found_suffixes = _suffixes_of(files)
    if found_suffixes <= suffixes:
        return Found(files, alone=found_suffixes <= _alone())
    found, check = Found(), current().check
    for file in files:
        check()
        (found.images if suffix(file) in suffixes or is_dicom_file(file) else found.left_out).append(file)
    return found


def suffix(path: str) -> str:
    """Return the suffix of a path in lower case; what is in no set of suffixes if it has none."""
    return path[path.rfind(".") :].lower()


def _suffixes_of(paths: Iterable[str]) -> set[str]:
    """Return what `suffix` gives for these paths, several times faster; something else for those without a suffix."""
    return {f".{ending.lower()}" for ending in {path.rpartition(".")[2] for path in paths}}


def is_alone(path: str) -> bool:
    """Tell by its name whether a file is an image for itself; one of DICOM may be a slice of a stack."""
    return suffix(path) in _alone()


@cache
def _alone() -> frozenset[str]:
    return frozenset().union(*(reader.files.suffixes for reader in (raster.READER, tiff.READER) if reader.files))


class Kind(Enum):
    """What something in a folder is. A folder can be an image; pipes and the like are never opened."""

    FILE = "file"
    FOLDER = "folder"
    LINKED_FOLDER = "link to a folder"
    IMAGE = "folder that is an image"
    OTHER = "neither file nor folder"


def entries(folder: str) -> Iterator[tuple[list[str], Kind]] | None:
    """Return what is in a folder and not hidden, in natural order; None if it cannot be listed.

    Files that follow one another come some at a time, all else one by one.
    """
    names: list[str] = []
    others: dict[str, Kind] = {}  # than files
    try:
        with os.scandir(folder) as found:
            for entry in found:
                name = entry.name
                if not name.startswith("."):
                    names.append(name)
                    try:
                        is_file = entry.is_file()
                    except OSError:  # such as a link that leads to itself
                        is_file = False
                    if not is_file:
                        others[name] = _kind(entry)
    except OSError:
        return None
    return _by_kind(naturally_sorted(names), others)


def _by_kind(names: list[str], others: Mapping[str, Kind]) -> Iterator[tuple[list[str], Kind]]:
    """Yield names of files some at a time, and those of others one by one."""
    for start in range(0, len(names), _TOGETHER):
        for kind, some in groupby(names[start : start + _TOGETHER], lambda name: others.get(name, Kind.FILE)):
            if kind is Kind.FILE:
                yield list(some), kind
            else:
                yield from (([name], kind) for name in some)


def _kind(entry: os.DirEntry[str]) -> Kind:
    """Tell what something is that is no file."""
    try:
        if not entry.is_dir():
            return Kind.OTHER
    except OSError:  # such as a link that leads to itself
        return Kind.OTHER
    if is_one_image(Path(entry.name)):
        return Kind.IMAGE
    is_junction = getattr(entry, "is_junction", lambda: False)  # a link of Windows, which Python 3.11 cannot tell
    return Kind.LINKED_FOLDER if entry.is_symlink() or is_junction() else Kind.FOLDER


def naturally_sorted(names: Iterable[str]) -> list[str]:
    """Sort names of files so that ``2.png`` comes before ``10.png``: numbers count before what follows them.

    All names together are one text meanwhile, because that is several times faster.
    """
    ordered = sorted(names)  # as names stay that differ in nothing but upper and lower case
    text = _BETWEEN.join(ordered).casefold()
    patterns = set(text.translate(_ZEROS).split(_BETWEEN))
    if len(patterns) == 1 and text.isascii():  # digits stand at the same places, so that their numbers sort like text
        return sorted(ordered, key=str.casefold)
    parts = _DIGITS.split(text)
    parts[1::2] = map(_number, parts[1::2])
    keys = iter("".join(parts).split(_BETWEEN))
    return sorted(ordered, key=lambda _: next(keys))


_BETWEEN = "/"  # no name of a file has it
_DIGITS = re.compile(r"(\d+)")
_ZEROS = str.maketrans("123456789", "000000000")


def _number(digits: str) -> str:
    """Return what sorts numbers by their size."""
    digits = str(int(digits))
    return f"\0{chr(len(digits))}{digits}"

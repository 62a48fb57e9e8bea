"""From what a user gives to images: folders, files, arrays, and lists of very many files."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from napari_webipred.imaging.dicom.directory import is_directory, listed_files
from napari_webipred.imaging.dicom.reader import READER as DICOM
from napari_webipred.imaging.files import is_alone, is_folder, walked
from napari_webipred.imaging.path_list import PathList
from napari_webipred.imaging.planes import given_source
from napari_webipred.imaging.readers import file_source
from napari_webipred.imaging.series import Collected, collected
from napari_webipred.imaging.source import Source
from napari_webipred.imaging.unopened import Sources

# So many files are described before a run begins. Whoever classifies few images is told at once how many rows will
# come; and if there is a stack among many images, there mostly is one among the first.
FIRST = 32
_STEP = 1000  # files


class ListedFile(str):
    """The path of a file that a list names: nobody looks whether it is a folder, which takes long for a million."""

    __slots__ = ()


def finding(images: Iterable[Any]) -> Generator[int, None, Sources]:
    """Find the images, and describe those that are no files, and the first files; the others when their turn comes.

    DICOM files of one series become one stack if they lie in the same given folder. These are all described.

    Parameters
    ----------
    images : iterable of path, array or Source

    Yields
    ------
    int
        How many are found, every thousand.
    """
    sources = Sources()
    for item in images:
        if isinstance(item, Source):
            sources.add(item)
        elif isinstance(item, ListedFile):
            _add_file(str(item), sources)
        elif isinstance(item, (str, os.PathLike)):
            yield from _finding_at(Path(os.fsdecode(item)), sources)
        else:
            sources.add(given_source(item, f"array {len(sources)}"))
        if len(sources) % _STEP == 0:
            yield len(sources)
    return sources


def _add_file(path: str, sources: Sources) -> None:
    """Add a file, which is described later if there are many."""
    sources.add(path if len(sources) >= FIRST else file_source(path))


def _finding_at(path: Path, sources: Sources) -> Generator[int, None, None]:
    """Add a file, the files that a DICOMDIR lists, or those of a folder."""
    files, before, only_files, alone = PathList(), len(sources), False, False
    if is_folder(path):
        only_files = alone = True
        for found in walked(path):
            files.extend(found.images)
            sources.left_out.extend(found.left_out)
            sources.links.extend(found.links)
            only_files &= found.only_files
            alone &= found.alone or not found.images
            yield before + len(files)
    else:
        listed, refused = listed_files(path) if is_directory(path) else ([path], [])
        if listed == [path]:
            _add_file(str(path), sources)
            return
        files.extend(map(str, listed))
        sources.left_out.extend(refused)
    yield from _add_files(files, sources, only_files=only_files, alone=alone)


def _add_files(files: PathList, sources: Sources, *, only_files: bool, alone: bool) -> Generator[int, None, None]:
    """Add the files of a folder, of which those have to be looked at that may be slices of a stack."""
    early = min(max(FIRST - len(sources), 0), len(files))
    later = () if alone else islice(enumerate(files), early, None)
    looked_at = [*range(early), *(place for place, file in later if not is_alone(file))]
    found = yield from collected(files[place] for place in looked_at)
    if len(looked_at) < len(files) and _is_misleading(found):
        looked_at = list(range(len(files)))
        found = yield from collected(files)
    places = {files[place]: place for place in looked_at}
    by_place = {min(places[str(each)] for each in _files_of(path, source)): source for path, source in found.sources}
    rest, done = iter(files), 0
    for place in looked_at:
        sources.extend(islice(rest, place - done), only_files=only_files)
        next(rest)
        if place in by_place:  # nothing comes of a slice that is not the first
            sources.add(by_place[place])
        done = place + 1
    sources.extend(rest, only_files=only_files)
    sources.left_out.extend(found.left_out)


def _is_misleading(found: Collected) -> bool:
    """Tell whether files are of DICOM that are called like other images; then the names of none can be trusted."""
    names = [*found.left_out, *(str(path) for path, source in found.sources if source.reader == DICOM.id)]
    return any(map(is_alone, names))


def _files_of(path: Path, source: Source) -> list[Path]:
    """Return the files that a source is made of, of those in a folder."""
    if source.reader != DICOM.id or not source.axes:
        return [path]
    return [path, *(each.instance.path for each in source.details)]

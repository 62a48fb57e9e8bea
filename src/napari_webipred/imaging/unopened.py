"""Files that nobody has looked into yet: each is described when its turn comes, by whoever reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median_low
from typing import TypeAlias

from napari_webipred.errors import WebIPredError
from napari_webipred.imaging import raster, tiff, unreadable
from napari_webipred.imaging.dicom.reader import READER as DICOM
from napari_webipred.imaging.readers import file_source
from napari_webipred.imaging.selection import WHOLE, Selection, selected
from napari_webipred.imaging.series import collected
from napari_webipred.imaging.source import Source
from napari_webipred.names import escape
from napari_webipred.steps import result_of

UNOPENED = "unopened"  # in place of the id of a reader
# So many files are described before a run begins. Whoever classifies few images is told at once how many rows will
# come; and if there is a stack among many images, there mostly is one among the first.
FIRST = 32

Image: TypeAlias = Source | str  # described, or the path of a file


class Sources:
    """Images in their order, of which only some are described; of the others only the paths are in memory.

    Parameters
    ----------
    images : iterable of Source or str
    left_out : iterable of str
        Files in the given folders that are no images.
    selection : Selection
        What of each image is classified that is not described yet.

    Attributes
    ----------
    described : list of Source
        The images that are described.
    left_out : tuple of str
    """

    def __init__(self, images: Iterable[Image], left_out: Iterable[str] = (), selection: Selection = WHOLE) -> None:
        self._images = list(images)
        self._selection = selection
        self.described = [image for image in self._images if isinstance(image, Source)]
        self.left_out = tuple(left_out)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> Source:
        image = self._images[number]
        if isinstance(image, Source):
            return image
        return Source(escape(image), UNOPENED, Path(image), details=self._selection)

    def __iter__(self) -> Iterator[Source]:
        return (self[number] for number in range(len(self)))

    def is_described(self, number: int) -> bool:
        """Tell whether an image is described."""
        return isinstance(self._images[number], Source)

    @property
    def typical(self) -> int:
        """How many rows a file gives, going by the images that are described."""
        return median_low(map(len, self.described)) if self.described else 1

    @property
    def rows(self) -> int:
        """How many rows will come, if each file that is not described gives as many as is typical."""
        return sum(map(len, self.described)) + self.typical * (len(self) - len(self.described))

    def choosing(self, selection: Selection) -> Sources:
        """Return the same images, of which only a part is classified."""
        if selection is WHOLE:
            return self
        images = (_chosen(image, selection) if isinstance(image, Source) else image for image in self._images)
        return Sources(images, self.left_out, selection)

    def opened(self) -> Sources:
        """Return the same images, all described."""
        return Sources(map(opened, self), self.left_out)


def opened(source: Source) -> Source:
    """Describe a file, if that is still to be done; what cannot be read becomes a source that says so."""
    if source.reader != UNOPENED:
        return source
    return _chosen(file_source(source.location), source.details)


def _chosen(source: Source, selection: Selection) -> Source:
    """Choose what of an image is classified; what cannot be chosen is an image that cannot be read."""
    if selection is WHOLE or source.reader == unreadable.READER.id:
        return source
    try:
        return selected(source, selection)
    except WebIPredError as error:
        return unreadable.unreadable(source.name, error)


def of_file(path: str) -> Image:
    """Return a file as an image that is described later, or now if it is one of DICOM, by its name."""
    return str(Path(path)) if _is_alone(path) else file_source(path)


def of_files(files: Sequence[str]) -> tuple[list[Image], tuple[str, ...]]:
    """Make images of the files of a folder, and name those that hold none.

    DICOM files of one series become one stack, for which all files have to be looked at. Where neither the names nor
    the first files are of DICOM, only these are.
    """
    if len(files) > FIRST and all(map(_is_alone, files)):
        few = result_of(collected(files[:FIRST]))
        if not few.left_out and all(source.reader != DICOM.id for _, source in few.sources):
            return [*(source for _, source in few.sources), *files[FIRST:]], ()
    found = result_of(collected(files))
    return [source for _, source in found.sources], found.left_out


def _is_alone(path: str) -> bool:
    """Tell by its name whether a file is an image for itself; one of DICOM may be a slice of a stack."""
    return os.path.splitext(path)[1].lower() in _suffixes()  # noqa: PTH122 - several times faster


@cache
def _suffixes() -> frozenset[str]:
    return frozenset().union(*(reader.files.suffixes for reader in (raster.READER, tiff.READER) if reader.files))

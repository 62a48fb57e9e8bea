"""An image or a stack of images, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from math import prod
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec import Struct

from napari_webipred.imaging.region import Region

# Where a plane lies along the leading axes of a stack; empty for a plain image.
Index: TypeAlias = tuple[int, ...]


class Source(Struct, frozen=True, eq=False, weakref=True):
    """An image or a stack of images, described without reading its pixels.

    It is plain data, which another process can read as well: it can be pickled if `location` can.
    `napari_webipred.imaging.readers.read` reads its planes.

    Attributes
    ----------
    name : str
        What the user calls it: the path as given, or the name of a layer.
    reader : str
        How it is read: a key of `napari_webipred.imaging.readers.READERS`.
    location : Any
        Where it is: the Path of a file, or the array or other object that holds the pixels.
    axes : tuple of str
        Names of the leading axes, such as ``("t", "z")``. Empty for a plain image.
    shape : tuple of int
        Lengths of these axes.
    planes : tuple of range, optional
        Which places along each axis are taken; None takes all of them.
    regions : tuple of Region, optional
        Parts of the planes that are classified, each for itself; None takes whole planes.
    intensity_range : tuple of (float, float), optional
        The intensities that the source itself shows as black and white, such as the contrast limits of a layer or the
        window of a DICOM file. They are used with ``"limits"``, and where the user leaves the choice to the program
        (``"auto"``).
    scaled : bool
        Whether its pixels are intensities from 0 to 1 already, which no choice of the user changes: those of merged
        channels, of which each has a range of its own.
    reading : str
        How its planes come about, in words for a table or a record: ``"maximum along z"``. Mostly empty.
    details : Any
        What the reader has learned when it described the source, for reading it later.
    """

    name: str
    reader: str
    location: Any
    axes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    planes: tuple[range, ...] | None = None
    regions: tuple[Region, ...] | None = None
    intensity_range: tuple[float, float] | None = None
    scaled: bool = False
    reading: str = ""
    details: Any = None

    def __len__(self) -> int:
        """Count the rows that come of it: a row for each plane, or for each region of each plane."""
        if self.regions is None:
            return prod(map(len, self._taken()))
        counts = Counter(map(attrgetter("index"), self.regions))
        everywhere = counts.pop(None, 0)
        return everywhere * prod(map(len, self._taken())) + sum(counts[index] for index in counts if self._takes(index))

    def indices(self) -> Iterator[Index]:
        """Yield the index of each plane to classify, the last axis fastest."""
        yield from product(*self._taken())

    def parts(self) -> Iterator[tuple[Index, Region | None]]:
        """Yield what becomes a row: the index of a plane and the region in it, or None for the whole plane."""
        if self.regions is None:
            yield from ((index, None) for index in self.indices())
            return
        everywhere = [region for region in self.regions if region.index is None]
        at: dict[Index, list[Region]] = {}
        for region in self.regions:
            if region.index is not None:
                at.setdefault(region.index, []).append(region)
        for index in self.indices():
            yield from ((index, region) for region in (*everywhere, *at.get(index, ())))

    def position(self, index: Index) -> dict[str, int]:
        """Name the axes of an index: ``{"t": 0, "z": 12}``."""
        return dict(zip(self.axes, index, strict=True))

    def _taken(self) -> tuple[range, ...]:
        return tuple(map(range, self.shape)) if self.planes is None else self.planes

    def _takes(self, index: Index) -> bool:
        return all(place in taken for place, taken in zip(index, self._taken(), strict=True))

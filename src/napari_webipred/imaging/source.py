"""An image or a stack of images, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

# Where a plane lies along the leading axes of a stack; empty for a plain image.
Index: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Source:
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
    only : tuple of int, optional
        The index of the one plane to take; None takes all of them.
    intensity_range : tuple of (float, float), optional
        The intensities that the source itself shows as black and white, such as the window of a DICOM file. They are
        used where the user leaves the choice to the program (``"auto"``).
    details : Any
        What the reader has learned when it described the source, for reading it later.
    """

    name: str
    reader: str
    location: Any
    axes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    only: Index | None = None
    intensity_range: tuple[float, float] | None = None
    details: Any = None

    def __len__(self) -> int:
        """Count the planes to classify."""
        return prod(self.shape) if self.only is None else 1

    def indices(self) -> Iterator[Index]:
        """Yield the index of each plane to classify, the last axis fastest."""
        if self.only is not None:
            yield self.only
        else:
            yield from product(*map(range, self.shape))

    def position(self, index: Index) -> dict[str, int]:
        """Name the axes of an index: ``{"t": 0, "z": 12}``."""
        return dict(zip(self.axes, index, strict=True))

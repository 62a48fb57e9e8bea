"""The data of a map layer: planes that are made of small grids when they are looked at."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_webipred._napari.explanations.row_map import RowMap

MOST_PIXELS = 512  # along a side of a map of whole images, which are smooth; the screen interpolates between them
MOST_OF_REGIONS = 2048  # where regions have to be told from each other


class MapArray:
    """An array as napari wants it, float32 of shape (*leading, height, width), of which only grids are in memory.

    Planes without a map are zero.

    Parameters
    ----------
    leading : tuple of int
        Lengths of the axes before height and width.
    pixels : tuple of int
        (height, width) of the image; the array can have fewer.
    axes : tuple of int
        The leading axes along which the planes differ.
    maps : mapping of tuple of int to sequence of RowMap
        The maps of a plane, by its place along these axes.
    class_index : int
        The class whose maps are shown.
    """

    def __init__(
        self,
        leading: tuple[int, ...],
        pixels: tuple[int, int],
        axes: tuple[int, ...],
        maps: Mapping[tuple[int, ...], Sequence[RowMap]],
        class_index: int,
    ) -> None:
        self._pixels = pixels
        self._axes = axes
        self._maps = maps
        self._class_index = class_index
        parts = any(each.placing.shape != pixels for some in maps.values() for each in some)
        most = MOST_OF_REGIONS if parts else MOST_PIXELS
        self.shape = (*leading, *(min(size, most) for size in pixels))
        self.dtype = np.dtype(np.float32)
        self._last: tuple[tuple[int, ...], NDArray[np.float32]] | None = None  # napari asks more than once

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def factors(self) -> tuple[float, float]:
        """How many pixels of the image a pixel of the map is high and wide."""
        height, width = self.shape[-2:]
        return self._pixels[0] / height, self._pixels[1] / width

    def same(self, other: MapArray) -> bool:
        """Tell whether another array has the same values."""
        return (self.shape, self._axes, self._class_index, self._maps) == (
            *(other.shape, other._axes, other._class_index, other._maps),
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Compute the planes that a key needs: whole numbers, slices and an ellipsis."""
        keys = _whole(key, self.ndim)
        leading, inner = keys[:-2], keys[-2:]
        kept = [range(length)[each] for each, length in zip(leading, self.shape, strict=False)]
        shape = tuple(len(each) for each in kept if isinstance(each, range))
        places = product(*(each if isinstance(each, range) else (each,) for each in kept))
        if not shape:
            return self._plane(next(places))[inner]
        part = np.zeros(self.shape[-2:], np.bool_)[inner].shape
        planes = np.zeros((prod(shape), *part), np.float32)
        for number, place in enumerate(places):
            planes[number] = self._plane(place)[inner]
        return planes.reshape(*shape, *part)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Compute all of it, to save it."""
        return np.asarray(self[...], dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> MapArray:
        """Return an array that keeps the maps of now; napari makes it to duplicate a layer."""
        twin = copy.copy(self)
        twin._maps = {place: list(maps) for place, maps in self._maps.items()}
        return twin

    def _plane(self, place: tuple[int, ...]) -> NDArray[np.float32]:
        along = tuple(place[axis] for axis in self._axes)
        if self._last is None or self._last[0] != along:
            plane = np.zeros(self.shape[-2:], np.float32)
            for each in self._maps.get(along, ()):
                each.paint(plane, self._class_index, self._pixels)
            self._last = along, plane
        return self._last[1]


def _whole(key: Any, ndim: int) -> tuple[Any, ...]:
    """Return a key with an entry for each axis."""
    keys = key if isinstance(key, tuple) else (key,)
    before = next((place for place, each in enumerate(keys) if each is Ellipsis), len(keys))
    after = keys[before + 1 :]
    return (*keys[:before], *(slice(None),) * (ndim - before - len(after)), *after)

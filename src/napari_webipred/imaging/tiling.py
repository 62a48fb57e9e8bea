"""Where the tiles of a picture lie, and which cells of a map they cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from napari_webipred.imaging.source import Index
from napari_webipred.imaging.stored import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Steps(Struct, frozen=True):
    """Tiles along one axis.

    Attributes
    ----------
    begin, end : int
        The part of the axis that they cover.
    size : int
        Pixels along a tile; fewer than asked for where the part is shorter.
    step : int
        Pixels from one tile to the next. The last tile ends where the part ends, so it may begin earlier than that.
    """

    begin: int
    end: int
    size: int
    step: int

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return -(-(self.end - self.begin - self.size) // self.step) + 1

    @property
    def cells(self) -> int:
        """How many cells of the map there are: one for each step, of which the last may reach beyond the end."""
        return -(-(self.end - self.begin) // self.step)

    def start(self, number: int) -> int:
        """Return where a tile begins."""
        return min(self.begin + number * self.step, self.end - self.size)

    def starts(self) -> NDArray[np.int64]:
        """Return where all of them begin."""
        return np.minimum(self.begin + self.step * np.arange(self.count), self.end - self.size)

    def centres(self) -> NDArray[np.float64]:
        """Return the centres of all of them, where those of pixels are whole numbers."""
        centres: NDArray[np.float64] = self.starts() + np.float64((self.size - 1) / 2)
        return centres

    def cells_of(self, number: int) -> range:
        """Return which cells a tile covers, at least in part."""
        start = self.start(number) - self.begin
        return range(start // self.step, min(-(-(start + self.size) // self.step), self.cells))

    def covering(self, cells: range) -> range:
        """Return which tiles cover one of these cells, at least in part."""
        starts = self.starts() - self.begin
        first, last = cells.start * self.step, cells.stop * self.step
        inside = np.flatnonzero((starts < last) & (starts + self.size > first))
        return range(int(inside[0]), int(inside[-1]) + 1)

    def shares(self, cells: range, tiles: range) -> NDArray[np.float64]:
        """Return how many pixels of each of these cells lie in each of these tiles, shape (cells, tiles)."""
        starts = (self.starts() - self.begin)[tiles.start : tiles.stop]
        tops = np.arange(cells.start, cells.stop)[:, None] * self.step
        bottoms = np.minimum(tops + self.step, self.end - self.begin)
        pixels = np.minimum(bottoms, starts + self.size) - np.maximum(tops, starts)
        return np.asarray(np.maximum(pixels, 0), np.float64)


class Tiling(Struct, frozen=True):
    """The tiles of a part of a level, in pixels of that level.

    Attributes
    ----------
    down, across : Steps
    """

    down: Steps
    across: Steps

    @property
    def shape(self) -> tuple[int, int]:
        """How many tiles there are, down and across."""
        return self.down.count, self.across.count

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        return self.down.cells, self.across.cells

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a tile."""
        return self.down.size, self.across.size

    def box(self, index: Index) -> Box:
        """Return the pixels of a tile."""
        top, left = self.down.start(index[0]), self.across.start(index[1])
        return top, left, top + self.down.size, left + self.across.size

    def order(self, width: int) -> Iterator[tuple[int, int]]:
        """Yield all tiles in strips of so many columns, each from its top to its bottom, row by row.

        What is stored between two rows of a strip is then little enough to be kept, however wide the picture is.
        """
        rows, columns = self.shape
        for left in range(0, columns, width):
            for row in range(rows):
                yield from ((row, column) for column in range(left, min(left + width, columns)))


def steps_along(begin: int, end: int, size: int, step: int) -> Steps:
    """Lay tiles along a part of an axis."""
    return Steps(begin, end, min(size, end - begin), step)

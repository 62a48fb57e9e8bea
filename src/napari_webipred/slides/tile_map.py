"""A map of probabilities that grows tile by tile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_webipred.slides.mapping import Place, Started, TileDone
from napari_webipred.slides.plan import full_box

WAITING, DONE, SKIPPED, FAILED = range(4)


class TileMap:
    """Probabilities of the classes over a picture.

    The value of a cell is the mean over all tiles that cover it, each weighted by how much of the cell it covers. It
    does not depend on the order in which tiles come. NaN where no tile was classified.

    Attributes
    ----------
    values : ndarray of float32, shape (classes, rows, columns)
        Changed in place as tiles are added.
    classes : tuple of str
    scale, translate : tuple of float
        Size of a cell, and centre of the first one, down and across, in full-size pixels of the picture, whose centres
        are whole numbers: as napari has them.
    world_scale, world_translate : tuple of float, or None
        The same in micrometres, for a picture that says how large its pixels are.
    tiles : ndarray of float32, shape (tile rows, tile columns, classes)
        The probabilities of the tiles themselves; NaN where there are none.
    states : ndarray of uint8, shape (tile rows, tile columns)
        0 not done, 1 classified, 2 skipped because it shows nothing, 3 failed.
    started : Started
        How the tiles lie, and what else is known of the picture.
    errors : dict
        By row and column, why tiles have failed.
    notes : list of str
        What else should be known of the numbers.
    """

    def __init__(self, started: Started) -> None:
        self.started = started
        self.classes = started.classes
        self.scale, self.translate = started.scale, started.translate
        self.values = np.full((len(self.classes), *started.tiling.cells), np.nan, np.float32)
        self.tiles = np.full((*started.tiling.shape, len(self.classes)), np.nan, np.float32)
        self.states = np.zeros(started.tiling.shape, np.uint8)
        self.errors: dict[Place, str] = {}
        self.notes: list[str] = []

    @property
    def world_scale(self) -> tuple[float, float] | None:
        """Size of a cell in micrometres."""
        return self._in_micrometres(self.scale)

    @property
    def world_translate(self) -> tuple[float, float] | None:
        """Centre of the first cell in micrometres, from the centre of the first pixel of the picture."""
        return self._in_micrometres(self.translate)

    @property
    def level(self) -> int:
        """The level of the picture that was read."""
        return self.started.level

    @property
    def remark(self) -> str:
        """What should be known of the map; mostly that it is off-label."""
        return self.started.remark

    @property
    def done(self) -> frozenset[Place]:
        """The tiles that need not be classified again: all but those that have failed."""
        rows, columns = np.nonzero((self.states == DONE) | (self.states == SKIPPED))
        return frozenset(zip(rows.tolist(), columns.tolist(), strict=True))

    @property
    def is_finished(self) -> bool:
        """Whether all tiles of the region are done, or have failed."""
        return bool(np.count_nonzero(self.states) == self.started.total)

    def box(self, index: Place) -> tuple[float, float, float, float]:
        """Return where a tile lies, in full-size pixels from the upper left corner: (top, left, bottom, right)."""
        return full_box(self.started.tiling, self.started.factor, index)

    def cell_box(self, cell: Place) -> tuple[float, float, float, float]:
        """Return where a cell of the map lies, as `box`; one at the edge ends where the region does."""
        tiling, factor = self.started.tiling, self.started.factor
        (top, bottom), (left, right) = (
            tuple(
                scale * edge
                for edge in (steps.begin + place * steps.step, min(steps.begin + (place + 1) * steps.step, steps.end))
            )
            for steps, place, scale in zip((tiling.down, tiling.across), cell, factor, strict=True)
        )
        return top, left, bottom, right

    def classified(self) -> Iterator[tuple[Place, NDArray[np.float32]]]:
        """Yield the tiles that have probabilities, row by row."""
        for row, column in zip(*np.nonzero(self.states == DONE), strict=True):
            yield (int(row), int(column)), self.tiles[row, column]

    def add(self, tile: TileDone) -> tuple[slice, slice]:
        """Add a tile, and return which cells have changed.

        Parameters
        ----------
        tile : TileDone
        """
        self.errors.pop(tile.index, None)
        if tile.probabilities is None:
            self.states[tile.index] = SKIPPED if tile.skipped else FAILED
            if tile.error:
                self.errors[tile.index] = tile.error
            return slice(0, 0), slice(0, 0)
        self.states[tile.index] = DONE
        self.tiles[tile.index] = tile.probabilities
        return self._average(tile.index)

    def _average(self, index: Place) -> tuple[slice, slice]:
        """Compute the cells anew that a tile covers."""
        down, across = self.started.tiling.down, self.started.tiling.across
        rows, columns = down.cells_of(index[0]), across.cells_of(index[1])
        above, beside = down.covering(rows), across.covering(columns)
        part = self.tiles[above.start : above.stop, beside.start : beside.stop].astype(np.float64)
        known = ~np.isnan(part[..., 0])
        vertical, horizontal = down.shares(rows, above), across.shares(columns, beside)
        weight = vertical @ known @ horizontal.T
        sums = np.einsum("ra,abk,cb->krc", vertical, np.where(known[..., None], part, 0), horizontal, optimize=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / weight
        where = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        self.values[:, where[0], where[1]] = means
        return where

    def _in_micrometres(self, pixels: tuple[float, float]) -> tuple[float, float] | None:
        size = self.started.pixel_size
        return None if size is None else (pixels[0] * size[0], pixels[1] * size[1])

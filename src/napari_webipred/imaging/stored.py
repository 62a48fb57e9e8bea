"""Windows of a picture that is stored in blocks: each block is read once while it is needed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.cancellation import current

Box = tuple[int, int, int, int]  # first row and column, and those behind the last ones


class Stored(Struct, frozen=True):
    """One plane of one level, as it is stored.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    starts : tuple of sequence of int
        Where blocks begin, down and across; ranges where all are alike.
    read : callable
        Takes the box of a block, and how many blocks lie above and left of it, and returns its pixels. Any number of
        threads call it at the same time.
    kept : bool
        Whether it is worth keeping blocks: not where they are in memory already.
    """

    shape: tuple[int, int]
    starts: tuple[Sequence[int], Sequence[int]]
    read: Callable[[Box, tuple[int, int]], NDArray[Any]]
    kept: bool = True


class Windows:
    """Cuts windows out of a stored plane, and keeps the blocks that were used last.

    Parameters
    ----------
    stored : Stored
    budget : int
        Bytes of blocks that are kept.
    """

    def __init__(self, stored: Stored, budget: int) -> None:
        self._stored = stored
        self.budget = budget
        self._kept: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._size = 0
        self._lock = Lock()
        self._reading: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()

    def window(self, box: Box) -> NDArray[Any]:
        """Return the pixels of a box that lies in the plane; they may be a view, which must not be written to."""
        top, left, bottom, right = box
        rows = _covering(self._stored.starts[0], top, bottom)
        columns = _covering(self._stored.starts[1], left, right)
        pixels: NDArray[Any] | None = None
        for i in rows:
            for j in columns:
                above, beside, below, behind = self._box((i, j))
                block = self._block((i, j))
                part = block[max(top - above, 0) : bottom - above, max(left - beside, 0) : right - beside]
                if len(rows) == len(columns) == 1:
                    return part
                if pixels is None:
                    pixels = np.empty((bottom - top, right - left, *block.shape[2:]), block.dtype)
                pixels[
                    max(above, top) - top : min(below, bottom) - top,
                    max(beside, left) - left : min(behind, right) - left,
                ] = part
        assert pixels is not None
        return pixels

    def _box(self, place: tuple[int, int]) -> Box:
        ends = [
            starts[n + 1] if n + 1 < len(starts) else length
            for n, starts, length in zip(place, self._stored.starts, self._stored.shape, strict=True)
        ]
        return self._stored.starts[0][place[0]], self._stored.starts[1][place[1]], ends[0], ends[1]

    def _block(self, place: tuple[int, int]) -> NDArray[Any]:
        if not self._stored.kept:
            return self._stored.read(self._box(place), place)
        with self._lock:
            if (found := self._found(place)) is not None:
                return found
            reading = self._reading.setdefault(place, Lock())
        with reading:
            with self._lock:
                if (found := self._found(place)) is not None:  # another thread has read it meanwhile
                    return found
            current().check()
            block = self._stored.read(self._box(place), place)
            with self._lock:
                self._kept[place] = block
                self._size += block.nbytes
                while self._size > self.budget and self._kept:
                    self._size -= self._kept.popitem(last=False)[1].nbytes
            return block

    def _found(self, place: tuple[int, int]) -> NDArray[Any] | None:
        found = self._kept.get(place)
        if found is not None:
            self._kept.move_to_end(place)
        return found


def _covering(starts: Sequence[int], begin: int, end: int) -> range:
    return range(bisect_right(starts, begin) - 1, bisect_left(starts, end))

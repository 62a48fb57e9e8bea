"""The blocks that lazy arrays are stored or computed in: each is computed once for all of its planes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate, count, pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from msgspec import Struct

from napari_webipred.cancellation import current
from napari_webipred.imaging.memory import image_memory
from napari_webipred.imaging.source import Index

if TYPE_CHECKING:
    from numpy.typing import NDArray

# While a block is put together of its chunks, both are in memory, beside the block before it and the one after it.
BLOCKS_AT_ONCE = 4

_locks: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_locks_lock = Lock()
_numbers = count()  # of blocks, in the order in which they are begun


class Blocks(Struct, frozen=True, dict=True):
    """Where the blocks of an array begin along its leading axes.

    Attributes
    ----------
    starts : tuple of tuple of int
        For each leading axis the first place of each block, and the length of the axis.
    plane : int
        Bytes of a plane.
    """

    starts: tuple[tuple[int, ...], ...]
    plane: int

    @cached_property
    def size(self) -> int:
        """Bytes of the largest block."""
        lengths = (max(end - start for start, end in pairwise(each)) for each in self.starts)
        return math.prod(lengths) * self.plane

    def due(self, ahead: int) -> int:
        """How many blocks have planes that are still due while planes are read in their order, the last axis fastest.

        That is one, unless blocks are long along an axis before the last: then all those beside it. More are begun
        while a thread still has to read the last plane of another: one, or as many as other threads come to.

        Parameters
        ----------
        ahead : int
            How many images the threads may be ahead of the one that is the last to read its plane.
        """
        counts = [len(each) - 1 for each in self.starts]
        longer = [i for i, each in enumerate(self.starts) if counts[i] < each[-1]]
        if not longer:
            return 1
        in_a_row = min(end - start for start, end in pairwise(self.starts[-1]) if end > start)
        return math.prod(counts[longer[0] + 1 :]) + max(math.ceil(ahead / in_a_row), 1)

    def around(self, index: Index) -> tuple[slice, ...]:
        """Return the block in which a plane lies."""
        found = []
        for place, starts in zip(index, self.starts, strict=True):
            number = bisect_right(starts, place) - 1
            found.append(slice(starts[number], starts[number + 1]))
        return tuple(found)


def blocks_of(array: Any, leading: int, plane: int) -> Blocks | None:
    """Describe the blocks of an array of Dask, Zarr, xarray or HDF5; None if each holds one plane at most.

    Parameters
    ----------
    array : Any
    leading : int
        How many axes it has before the height.
    plane : int
        Bytes of a plane.
    """
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(array.shape):
        return None
    starts = []
    for length, chunk in zip(array.shape[:leading], chunks, strict=False):
        if isinstance(chunk, int):
            starts.append((*range(0, length, max(chunk, 1)), length))
        else:
            starts.append((0, *(end for end in accumulate(map(int, chunk)) if end)))
    if any(each[-1] != length for each, length in zip(starts, array.shape, strict=False)):
        return None
    found = Blocks(tuple(starts), plane)
    return found if starts and found.size > plane else None


def fits(blocks: Blocks | None) -> bool:
    """Tell whether there are blocks, and memory to keep them while their planes are read."""
    return blocks is not None and BLOCKS_AT_ONCE * blocks.size <= image_memory.budget


def block_plane(array: Any, blocks: Blocks, index: Index, compute: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    """Return a plane of an array; the block that it lies in is computed at most once while its planes are due.

    Parameters
    ----------
    array : Any
    blocks : Blocks
    index : tuple of int
        Along all axes before the height.
    compute : callable
        Makes an array of NumPy of a part of the array.
    """
    where = blocks.around(index)
    inside = tuple(place - part.start for place, part in zip(index, where, strict=True))
    key = (id(array), *(part.start for part in where))
    with _locks_lock:
        lock = _locks.setdefault(key, Lock())
    with lock:
        current().check()  # it may have waited for long
        kept = image_memory.found(key)
        if kept is None or kept[1] is not array:
            size = math.prod(part.stop - part.start for part in where) * blocks.plane
            number = next(_numbers)
            _make_way(array, blocks.due(image_memory.ahead))
            with image_memory.reserved(2 * size):
                kept = number, array, compute(array[where])
            current().check()
            image_memory.keep(key, kept, size)
    plane: NDArray[Any] = kept[2][inside]
    return plane


def _make_way(array: Any, due: int) -> None:
    """Forget the first blocks of an array that were begun, so that with the next one not more are kept than are due."""
    mine = sorted((kept[0], key) for key, kept in image_memory.items() if key[0] == id(array))
    if excess := mine[: max(len(mine) + 1 - due, 0)]:
        image_memory.forget(*(key for _, key in excess))

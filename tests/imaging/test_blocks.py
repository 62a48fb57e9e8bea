"""A block of a lazy array is computed once for all of its planes, and kept only as long as there is memory for it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from napari_webipred import engine
from napari_webipred.imaging.blocks import blocks_of
from napari_webipred.imaging.memory import allowing, image_memory
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.selection import take_planes
from napari_webipred.imaging.source import Source
from napari_webipred.options import Options
from test_engine import MeanModel

SIDE = 12


class Stored:
    """Looks like an array of Zarr, and counts how often each chunk is read."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[Any, ...]) -> None:
        self.values = np.random.default_rng(3).integers(0, 256, (*shape, SIDE, SIDE), np.uint8)
        self.shape, self.dtype, self.chunks = self.values.shape, self.values.dtype, (*chunks, SIDE, SIDE)
        self.reads: Counter[tuple[int, ...]] = Counter()
        self.most = 0
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> np.ndarray:
        places = key if isinstance(key, tuple) else (key,)
        first = [part.start // chunk if isinstance(part, slice) else part // chunk for part, chunk in self._zip(places)]
        with self._lock:
            self.reads[tuple(first)] += 1
            self.most = max(self.most, image_memory.in_use)
        return self.values[key]

    def _zip(self, places: tuple[Any, ...]) -> Any:
        return zip(places, self.chunks[: len(places)], strict=True)


def rows(source: Source, **options: Any) -> list[Any]:
    found = engine.classify(MeanModel(), source, Options(**options))
    return [event.row for event in found if isinstance(event, engine.RowDone)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("shape", "chunks", "read"), [((20,), (8,), 3), ((4, 6), (1, 3), 8), ((6, 6), (4, 3), 4), ((3, 4), (3, 4), 1)]
)
def test_each_chunk_is_read_once_for_all_of_its_planes(
    shape: tuple[int, ...], chunks: tuple[int, ...], read: int, workers: int
) -> None:
    stored = Stored(shape, chunks)
    lazy = rows(array_source(stored, "x"), workers=workers)
    assert (len(stored.reads), set(stored.reads.values())) == (read, {1})
    for row, other in zip(lazy, rows(array_source(stored.values, "x")), strict=True):
        np.testing.assert_array_equal(row.probabilities, other.probabilities)
        assert row.position == other.position
    assert image_memory.in_use == 0


@pytest.mark.parametrize("backwards", [False, True])
def test_a_block_is_not_read_again_for_a_thread_that_is_behind_the_others(backwards: bool) -> None:
    stored = Stored((4, 6), (1, 3))
    source = array_source(stored, "x")
    with allowing(image_memory.budget, ahead=6):
        for number in (0, 3, 4, 5, 6, 1, 2, 9, 10, 11, 12, 13, 7, 8):  # in blocks of three
            read(source, divmod(23 - number if backwards else number, 6))
    assert set(stored.reads.values()) == {1}
    assert len(image_memory.items()) == 3
    image_memory.forget()


def test_rows_depend_neither_on_the_budget_nor_on_the_number_of_workers() -> None:
    expected = [row.probabilities for row in rows(array_source(Stored((20,), (8,)).values, "x"))]
    for budget in (4, 9, 20, 35, 100):  # of planes
        for workers in (1, 4):
            stored = Stored((20,), (8,))
            found = rows(array_source(stored, "x"), workers=workers, memory=budget * SIDE * SIDE)
            assert stored.most <= budget * SIDE * SIDE
            np.testing.assert_array_equal([row.probabilities for row in found], expected)


def test_only_blocks_with_planes_that_are_taken_are_read() -> None:
    stored = Stored((40,), (8,))
    assert len(rows(take_planes(array_source(stored, "x"), {"axis_0": slice(9, 12)}))) == 3
    assert stored.reads == {(1,): 1}


def test_few_blocks_of_a_long_stack_are_kept() -> None:
    stored = Stored((80,), (8,))
    rows(array_source(stored, "x"), workers=2)
    assert stored.most <= 4 * 8 * SIDE * SIDE


def test_an_array_of_dask_is_computed_block_by_block_also_where_blocks_differ_or_are_masked() -> None:
    dask = pytest.importorskip("dask.array")
    computed: list[int] = []

    def block(part: np.ndarray) -> np.ndarray:
        computed.append(len(part))
        return part

    values = np.random.default_rng(3).integers(0, 256, (9, SIDE, SIDE), np.uint8)
    lazy = dask.from_array(values, chunks=((4, 0, 2, 3), SIDE, SIDE // 2)).map_blocks(block, meta=values[:0])
    found = rows(array_source(lazy, "x"))
    assert sorted(computed) == [2, 2, 3, 3, 4, 4]
    np.testing.assert_array_equal(
        [row.probabilities for row in found], [row.probabilities for row in rows(array_source(values, "x"))]
    )
    masked = dask.ma.masked_greater(dask.from_array(values, chunks=(3, SIDE, SIDE)), 200)
    assert all("masked pixels" in row.error for row in rows(array_source(masked, "x")))


def test_a_block_that_cannot_be_computed_is_an_error_of_each_of_its_planes() -> None:
    class Broken(Stored):
        def __getitem__(self, key: Any) -> np.ndarray:
            if key[0].start == 8:
                raise RuntimeError("no such chunk")
            return super().__getitem__(key)

    found = rows(array_source(Broken((24,), (8,)), "x"))
    assert [row.failed for row in found] == [False] * 8 + [True] * 8 + [False] * 8
    assert all("no such chunk" in row.error for row in found[8:16])


def test_closing_does_not_wait_for_a_block_that_is_being_computed() -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Stored):
        def __getitem__(self, key: Any) -> np.ndarray:
            if key[0].start == 8:
                begun.set()
                may_end.wait(60)
            return super().__getitem__(key)

    events = engine.classify(MeanModel(), array_source(Slow((24,), (8,)), "x"), Options(workers=2))
    for _ in range(7):  # the row before the last one of the first block
        next(events)
    assert begun.wait(60)
    events.close()
    assert not may_end.is_set()
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("napari-webipred")]
    may_end.set()
    for thread in ours:
        thread.join(60)
    assert image_memory.in_use == 0  # what is computed too late is not kept


def test_only_arrays_in_blocks_of_several_planes_have_blocks() -> None:
    assert blocks_of(np.zeros((9, 4, 4)), 1, 16) is None
    assert blocks_of(Stored((9,), (1,)), 1, 16) is None
    assert blocks_of(Stored((), ()), 0, 16) is None
    blocks = blocks_of(Stored((9, 4), (2, 3)), 2, 16)
    assert blocks is not None
    assert (blocks.size, blocks.due(ahead=0)) == (2 * 3 * 16, 3)
    assert blocks.around((8, 2)) == (slice(8, 9), slice(0, 3))

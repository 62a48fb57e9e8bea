from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace

from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError, ImageError
from napari_webipred.execution.plane import ranged
from napari_webipred.execution.statistics import OF_A_PLANE, Statistics, statistics
from napari_webipred.imaging.intensity import intensity_range
from napari_webipred.imaging.planes import array_source

TYPES = st.sampled_from(["bool", "uint8", "uint16", "int32", "uint64", "float32", "float64"])
STACKS = TYPES.flatmap(lambda dtype: arrays.arrays(np.dtype(dtype), st.tuples(*[st.integers(1, 4)] * 3)))


def whole(data: Any, **more: Any) -> Statistics:
    work = statistics(replace(array_source(data, "stack", rgb=False), **more))
    while True:
        try:
            next(work)
        except StopIteration as ended:
            return ended.value


@settings(deadline=None)
@given(stack=STACKS)
def test_the_ranges_are_those_of_the_planes_and_the_stack(stack: np.ndarray) -> None:
    found = whole(stack)
    assert found.planes == len(stack)
    source = ranged(array_source(stack, "stack", rgb=False))
    if source.intensity_range is not None:
        assert found.extent == source.intensity_range
    for name in OF_A_PLANE:
        used = []
        for plane in stack:
            try:
                used.append([intensity_range(plane, each) for each in OF_A_PLANE][OF_A_PLANE.index(name)])
            except ImageError:
                continue
        spread = found.spreads.get(name)
        assert (spread is None) == (not used)
        if spread is not None:
            assert spread.varies == (len(set(used)) > 1)
            assert (spread.black[0], spread.white[1]) == (min(u[0] for u in used), max(u[1] for u in used))


def test_one_plane_is_counted_alone() -> None:
    stack = np.stack([np.full((4, 4), 10 * z, np.uint16) + np.eye(4, dtype=np.uint16) for z in range(5)])
    work = statistics(array_source(stack, "stack"), [(3,)])
    assert next(work) == 1
    with pytest.raises(StopIteration) as ended:
        next(work)
    assert ended.value.value.spreads["auto"].black == (30, 30)


def test_a_plane_that_cannot_be_read_is_left_out() -> None:
    stack = np.zeros((3, 4, 4), np.float32)
    stack[0, 0, 0] = np.nan
    stack[1] = 5
    found = whole(stack)
    assert (found.planes, found.unreadable) == (3, 0)
    assert found.histogram is not None
    assert found.histogram.others == 1
    assert found.extent == (0, 5)


def test_merged_channels_have_the_range_0_to_1() -> None:
    found = whole(np.full((2, 4, 4), 0.5, np.float32), scaled=True)
    assert found.extent == (0, 1)
    assert not found.spreads["plane"].varies


def test_it_ends_when_it_is_cancelled() -> None:
    cancellation = Cancellation()
    with cancellation.active():
        work = statistics(array_source(np.zeros((3, 5, 6)), "stack"))
        next(work)
        cancellation.cancel()
        with pytest.raises(CancelledError):
            next(work)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_webipred.errors import ImageError
from napari_webipred.imaging.histogram import BINS, bars, histogram_of, together

SHAPES = st.one_of(arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), st.just((3, 4, 3)), st.just((2, 3, 4)))
TYPES = st.sampled_from(
    [
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint64",
        "int64",
        "float16",
        "float32",
        "float64",
        ">u2",
        "longdouble",
    ]
)
PLANES = TYPES.flatmap(lambda dtype: arrays.arrays(np.dtype(dtype), SHAPES))


def counted(pixels: np.ndarray) -> np.ndarray:
    """Return the values that have a place on a scale, without alpha."""
    values = pixels[..., :3] if pixels.ndim == 3 else pixels
    with np.errstate(over="ignore"):
        exact = values.astype(np.float64)
    return exact[np.isfinite(exact) & (abs(exact) <= 1e300)]


@given(pixels=PLANES)
def test_every_value_is_counted_once_and_the_ends_are_exact(pixels: np.ndarray) -> None:
    good, found = counted(pixels), histogram_of(pixels)
    if not good.size:
        assert found is None
        return
    assert found is not None
    assert (found.low, found.high) == (good.min(), good.max())
    assert found.counts.sum() == good.size
    assert found.others == (pixels[..., :3].size if pixels.ndim == 3 else pixels.size) - good.size
    assert found.whole == (pixels.dtype.kind in "bui")
    assert found.counts.shape == (BINS,)


@given(pixels=PLANES)
def test_values_are_counted_where_they_lie(pixels: np.ndarray) -> None:
    good, found = counted(pixels), histogram_of(pixels)
    if found is None or found.low == found.high:
        return
    with np.errstate(over="ignore"):
        share = good / (found.high / 2 - found.low / 2) / 2 - found.low / 2 / (found.high / 2 - found.low / 2)
    expected = np.bincount(np.clip(share * BINS, 0, BINS - 1).astype(int), minlength=BINS)
    moved = abs(np.cumsum(expected - found.counts))  # a value at the edge of two parts may be in either
    assert moved.max() <= good.size
    assert (np.flatnonzero(found.counts)[[0, -1]] == [0, BINS - 1]).all()


@given(first=PLANES, second=PLANES)
def test_histograms_of_several_planes_add_up(first: np.ndarray, second: np.ndarray) -> None:
    one, other = histogram_of(first), histogram_of(second)
    both = together(one, other)
    if one is None or other is None:
        assert both is (one or other)
        return
    assert both is not None
    assert (both.low, both.high) == (min(one.low, other.low), max(one.high, other.high))
    assert both.counts.sum() == one.counts.sum() + other.counts.sum()
    assert both.others == one.others + other.others


def test_adding_a_plane_to_a_stack_moves_no_value_by_more_than_a_part() -> None:
    rng = np.random.default_rng(0)
    planes = [rng.integers(100 * i, 5000 + 300 * i, (50, 60)).astype(np.uint16) for i in range(6)]
    found = None
    for plane in planes:
        found = together(found, histogram_of(plane))
    exact = histogram_of(np.concatenate(planes))
    assert found is not None
    assert exact is not None
    drift = abs(np.cumsum(found.counts) - np.cumsum(exact.counts))
    assert drift.max() <= 2 * exact.counts.max()


def test_the_shape_of_a_known_distribution() -> None:
    pixels = np.repeat(np.arange(8, dtype=np.uint16), [1, 2, 3, 4, 5, 6, 7, 8]).reshape(4, 9)
    found = histogram_of(pixels)
    assert found is not None
    assert found.counts[found.counts > 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("value", [0, 7, -3.5, 2**63])
def test_a_constant_plane_has_one_part(value: Any) -> None:
    found = histogram_of(np.full((5, 4), value))
    assert found is not None
    assert found.low == found.high == value
    assert found.counts[0] == 20


def test_large_planes_are_counted_in_bands() -> None:
    pixels = np.arange(3_000_000, dtype=np.uint32).reshape(1500, 2000)
    found = histogram_of(pixels)
    assert found is not None
    assert found.counts.sum() == pixels.size
    assert found.counts.max() - found.counts.min() <= 1


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError):
        histogram_of(np.zeros((2, 2), complex))


@given(pixels=PLANES, most=st.integers(1, 600), wider=st.floats(0, 1e6))
def test_bars_leave_nothing_out(pixels: np.ndarray, most: int, wider: float) -> None:
    found = histogram_of(pixels)
    if found is None:
        return
    view = (found.low - wider, found.high + max(wider, abs(found.high) * 1e-6, 1))
    columns = bars(found, view, most)
    assert len(columns) <= most
    assert columns.sum() == found.counts.sum()


@pytest.mark.parametrize("most", [60, 100, 170, 300, 450])
def test_bars_of_even_pixels_are_even(most: int) -> None:
    every = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    for pixels in (every, np.arange(60000, dtype=np.uint16).reshape(300, 200)):
        found = histogram_of(pixels)
        assert found is not None
        columns = bars(found, (found.low, found.high), most)[:-1]  # the last one may have fewer
        assert columns.max() - columns.min() <= 0.02 * columns.max()

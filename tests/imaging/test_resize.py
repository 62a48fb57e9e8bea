"""A small image is resized by reading each of its lines once, with the very bits that reading every neighbour gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.imaging import resize
from napari_webipred.imaging.resize import ONE, bands
from napari_webipred.imaging.span import Span

SIDES = st.integers(1, 40)
SIZES = st.tuples(SIDES, SIDES)


def neighbours(length: int, target: int, span: Span) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two neighbours of each line and the weight of the second, as ``cv::resize`` computes them."""
    scale = 1 / (target / span.length)
    position = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(position)
    pair = [(first.astype(int) + i).clip(0, span.length - 1) + span.start for i in (0, 1)]
    return pair[0].clip(0, length - 1), pair[1].clip(0, length - 1), position - first


def plain(pixels: np.ndarray, spans: tuple[Span, Span], target: tuple[int, int]) -> np.ndarray:
    """Resize with every neighbour in a place of its own, whole numbers as such."""
    top, bottom, down = neighbours(pixels.shape[0], target[0], spans[0])
    left, right, across = neighbours(pixels.shape[1], target[1], spans[1])
    at = ((np.arange(target[1]) + 0.5) * (1 / (target[1] / spans[1].length)) - 0.5).astype(np.float32)
    across[(at < 0) | (np.floor(at) >= spans[1].length - 1)] = 0
    across, down = across[:, None], down[:, None, None]
    corners = [pixels[y][:, x] for y in (top, bottom) for x in (left, right)]
    if pixels.dtype == np.float32:
        upper, lower = (a * (1 - across) + b * across for a, b in (corners[:2], corners[2:]))
        return upper * (1 - down) + lower * down
    a, b, c, d = (corner.astype(np.int32) for corner in corners)
    if all(span.length == 2 * side for span, side in zip(spans, target, strict=True)):
        return ((a + b + c + d + 2) >> 2).astype(np.uint8)
    ((x0, x1), (y0, y1)) = ((np.rint((1 - w) * ONE).astype(int), np.rint(w * ONE).astype(int)) for w in (across, down))
    upper, lower = (a * x0 + b * x1) >> 4, (c * x0 + d * x1) >> 4
    return (((upper * y0 >> 16) + (lower * y1 >> 16) + 2) >> 2).astype(np.uint8)


def resized(pixels: np.ndarray, spans: tuple[Span, Span], target: tuple[int, int], row: int) -> np.ndarray:
    found = np.empty((*target, pixels.shape[2]), pixels.dtype)
    for rows, grid in bands(pixels.shape[:2], spans, target, row):
        gathered = grid.gather(pixels, pixels.shape[2])
        found[rows] = grid.blend(gathered) if pixels.dtype == np.float32 else grid.blend_whole(gathered)
    return found


@settings(max_examples=50, deadline=None)
@given(
    shape=SIZES,
    target=SIZES,
    channels=st.sampled_from([1, 3]),
    kind=st.sampled_from([np.float32, np.uint8]),
    grown=st.integers(-3, 5),
    count=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_reading_each_line_once_changes_no_bit(
    shape: Any, target: Any, channels: int, kind: Any, grown: int, count: int, seed: int
) -> None:
    values = np.random.default_rng(seed).uniform(0, 255, (*shape, channels)).astype(kind)
    spans = tuple(Span(-grown // 2, max(length + grown, 1)) for length in shape)
    expected = plain(values, spans, target)
    assert resized(values, spans, target, resize.BAND // count).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_an_image_of_half_and_of_twice_the_size_keeps_its_bits(kind: Any) -> None:
    values = np.random.default_rng(1).uniform(0, 255, (56, 56, 3)).astype(kind)
    spans = (Span(0, 56), Span(0, 56))
    for target in ((28, 28), (112, 112), (56, 56)):
        assert resized(values, spans, target, 1).tobytes() == plain(values, spans, target).tobytes()


def test_a_line_of_a_small_image_is_gathered_once_and_the_plan_is_kept() -> None:
    (_, grid), *more = bands((10, 12), (Span(0, 10), Span(0, 12)), (224, 224), 1000)
    assert grid.gather(np.zeros((10, 12, 3)), 3).shape == (10, 12, 3)
    assert not more
    assert bands((10, 12), (Span(0, 10), Span(0, 12)), (224, 224), 1000)[0][1] is grid

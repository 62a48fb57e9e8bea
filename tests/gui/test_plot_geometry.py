from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from hypothesis import example, given
from hypothesis import strategies as st

from napari_webipred._napari.charts.plot_geometry import Scale, dashed, envelope, extent_of, pieces, ticks

NAN = np.nan


def values(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@example(1.0, 0.001, 2, False)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12), st.booleans())
def test_ticks_are_few_round_numbers_within_the_range(low, extent, most, whole):
    found = ticks(low, low + extent, most, whole)
    assert len(found) <= most
    assert all(low - 1e-6 * extent <= tick <= low + extent + 1e-6 * extent for tick in found)
    if whole:
        assert all(tick == pytest.approx(round(tick), abs=1e-6) for tick in found)


def test_ticks_of_planes_and_of_values():
    assert ticks(0, 9999, 6, whole=True) == [0, 2000, 4000, 6000, 8000]
    assert ticks(0, 2, 6, whole=True) == [0, 1, 2]
    assert ticks(0, 0, 5) == [0]
    assert ticks(-0.1, 0.25, 5) == pytest.approx([-0.1, 0, 0.1, 0.2])


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_scale_leads_back_to_the_number(number, high):
    scale = Scale(0, high, 300, 20)
    number %= high + 1
    assert scale.number(scale.pixel(number)) == pytest.approx(number, abs=1e-6 * high)
    assert scale.pixels(np.array([float(number)]))[0] == pytest.approx(scale.pixel(number))


def test_beside_a_scale_is_its_end():
    scale = Scale(0, 10, 0, 100)
    assert (scale.number(-50), scale.number(150)) == (0, 10)


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=400), st.data())
def test_an_envelope_shows_the_extremes_of_each_column_and_is_connected(numbers, data):
    columns = data.draw(st.integers(1, len(numbers)))
    x, low, high = envelope(values(*numbers), columns)
    assert len(x) == len(low) == columns
    assert low.min() == min(map(np.float32, numbers))
    assert high.max() == max(map(np.float32, numbers))
    assert (low[1:] <= high[:-1]).all()
    assert (high[1:] >= low[:-1]).all()


def test_an_envelope_has_a_gap_where_there_are_no_numbers():
    _, low, high = envelope(values(1, 2, NAN, NAN, NAN, 5, NAN, 7), 4)
    assert list(np.isnan(low)) == list(np.isnan(high)) == [False, True, False, False]
    assert low[2] == high[2] == 5


def test_a_line_is_interrupted_at_gaps():
    assert pieces(np.array([1, 2, NAN, 3, NAN])) == [(0, 2), (3, 4)]
    assert pieces(np.array([NAN])) == []


def length(parts: np.ndarray) -> float:
    return float(np.hypot(parts[:, 2] - parts[:, 0], parts[:, 3] - parts[:, 1]).sum())


def test_dashes_have_the_lengths_of_their_pattern_around_corners():
    x, y = np.array([0.0, 30, 30, 60]), np.array([0.0, 0, 30, 30])
    parts = dashed(x, y, (6, 3))
    assert length(parts) == pytest.approx(60)
    assert length(dashed(x, y, ())) == pytest.approx(90)
    assert parts[0] == pytest.approx([0, 0, 6, 0])
    assert any(np.allclose(part[:2], [30, 0]) or np.allclose(part[2:], [30, 0]) for part in parts)


def test_a_line_that_goes_up_and_down_too_often_has_no_dashes():
    x, y = np.arange(200.0), np.tile([0.0, 150.0], 100)
    assert len(dashed(x, y, (2, 3))) == 199


def test_values_have_a_scale_of_their_own():
    low, high = extent_of([values(3, NAN, 5), values(NAN)])
    assert low < 3 < 5 < high
    assert extent_of([values(NAN)]) == (0, 1)
    assert extent_of([values(7)])[0] < 7 < extent_of([values(7)])[1]

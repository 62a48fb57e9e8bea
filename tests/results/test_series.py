from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.results.row import Row
from napari_webipred.results.series import MOST_LINES, Line, Series, stack_rows, varying_axes

Z = Line(0, "z")


def row(z: int, *numbers: float, source: int = 0, **facts) -> Row:
    probabilities = np.array(numbers, np.float32) if numbers else None
    return Row(source, "stack", {"z": z}, probabilities, error="" if numbers else "broken", **facts)


def series(rows, classes: int = 2, line: Line = Z, pinned=()) -> Series:
    found = Series(line, classes, pinned)
    add(found, enumerate(rows))
    return found


def add(found: Series, rows) -> None:
    found.add(rows)
    found.choose()
    assert found.fill(1000)


def test_a_plane_that_failed_or_has_no_row_is_a_gap():
    found = series([row(0, 0.1, 0.9), row(1), row(3, 0.3, 0.7)])
    np.testing.assert_array_equal(found.values(0), np.array([0.1, np.nan, np.nan, 0.3], np.float32))
    assert found.number(1) == 1
    assert found.number(2) is None
    assert found.number(3) == 2


def test_if_only_every_tenth_plane_was_taken_the_others_are_no_gaps():
    found = series([row(z, z / 100, 0) for z in (5, 15, 25)])
    assert list(found.planes) == [5, 15, 25]
    assert np.isfinite(found.values(0)).all()
    add(found, [(3, row(20, 0.5, 0))])
    assert list(found.planes) == [5, 10, 15, 20, 25]


def test_only_rows_on_the_line_count():
    rows = [Row(0, "s", {"t": t, "z": z}, np.array([t, z], np.float32)) for t in range(2) for z in range(3)]
    others = [Row(1, "other", {"t": 1, "z": 0}, np.zeros(2, np.float32)), Row(0, "s", {}, np.zeros(2, np.float32))]
    part = Row(0, "s", {"t": 1, "z": 2}, np.zeros(2, np.float32), region="box")
    found = series([*rows, *others, part], line=Line.through(rows[3], "z"))
    assert list(found.values(0)) == [1, 1, 1]
    assert list(found.values(1)) == [0, 1, 2]
    assert list(series(rows, line=Line.through(rows[2], "t")).values(1)) == [2, 2]


def test_of_many_classes_those_that_win_somewhere_are_followed_and_keep_their_place():
    numbers = np.eye(30, dtype=np.float32)
    found = series([row(0, *numbers[20])], classes=30)
    assert [index for index in found.followed if index is not None] == [20]
    add(found, [(1, row(1, *numbers[4]))])
    assert found.followed[:2] == [20, 4]
    assert list(found.values(4)) == [0, 1]


def test_no_more_classes_are_followed_than_can_be_told_apart_the_pinned_ones_first():
    numbers = np.eye(30, dtype=np.float32)
    rows = [row(z, *numbers[z % 20]) for z in range(30)]
    found = series(rows, classes=30, pinned=[29, 28, 28, 99])
    followed = [index for index in found.followed if index is not None]
    assert len(followed) == MOST_LINES
    assert {28, 29} < set(followed)
    assert set(followed) - {28, 29} <= set(range(10))  # these win two planes each


def test_assigned_classes_win_also_when_another_number_is_higher():
    found = series([row(0, *[0.9] + [0.1] * 29, assigned=(3, 5))], classes=30)
    assert {index for index in found.followed if index is not None} == {3, 5}


@given(st.permutations(range(12)), st.integers(1, 12))
def test_the_order_in_which_rows_come_does_not_matter(order, at_once):
    rows = [row(2 * z + 1, *(np.arange(3) + z) / 20) if z != 4 else row(9) for z in range(12)]
    whole = series(rows, 3)
    found = Series(Z, 3)
    for first in range(0, 12, at_once):
        found.add((number, rows[number]) for number in order[first : first + at_once])
        found.fill(1)
    while not found.fill(2):
        pass
    assert found.planes == whole.planes
    assert found.followed == whole.followed
    for index in range(3):
        np.testing.assert_array_equal(found.values(index), whole.values(index))


def test_the_rows_of_a_stack_are_found_among_those_of_all_runs():
    rows = [row(z, 0.5, source=source) for _ in range(2) for source in (0, 2, 2, 2, 5) for z in (0,)]
    assert stack_rows(rows.__getitem__, np.arange(5, 10), 7).tolist() == [6, 7, 8]
    assert stack_rows(rows.__getitem__, np.arange(5, 10), 5).tolist() == [5]
    assert stack_rows(rows.__getitem__, np.arange(5), 4).tolist() == [4]


def test_the_rows_of_a_stack_are_found_between_those_of_another_run():
    rows = [row(0, 0.5, source=source) for source in (0, 9, 9, 2, 9, 2, 5)]
    assert stack_rows(rows.__getitem__, np.array([0, 3, 5, 6]), 5).tolist() == [3, 5]


@pytest.mark.parametrize(
    ("positions", "axes"), [([{}], []), ([{"z": 3}], []), ([{"t": 1, "z": 0}, {"t": 1, "z": 4}], ["z"])]
)
def test_axes_with_one_plane_do_not_vary(positions, axes):
    rows = [Row(0, "s", position) for position in positions]
    assert varying_axes(rows.__getitem__, np.arange(len(rows))) == axes


def test_an_empty_series_has_no_planes():
    assert len(series([]).planes) == 0
    assert len(series([]).values(0)) == 0


def test_numbers_that_are_not_filled_in_yet_are_gaps():
    found = Series(Z, 30)
    found.add((z, row(z, *np.eye(30)[z % 3])) for z in range(6))
    found.choose()
    assert not found.fill(4)
    np.testing.assert_array_equal(found.values(0), np.array([1, 0, 0, 1, np.nan, np.nan], np.float32))
    assert found.fill(4)
    assert list(found.values(0)) == [1, 0, 0, 1, 0, 0]

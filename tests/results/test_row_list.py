from __future__ import annotations

import gc
from typing import get_args

import numpy as np
import pytest

from napari_webipred.results.row import Row
from napari_webipred.results.row_list import Field, RowList

ROWS = [
    Row(
        3,
        "stack",
        {"t": 1, "z": 2},
        np.array([0.25, 0.75], np.float32),
        "b",
        (1,),
        intensity_range=(0.0, 9.0),
        region="left",
        reading="maximum along c",
        remark="It is blank.",
    ),
    Row(0, "a.png", error="It cannot be read."),
    Row(1, "plane", {"z": 7}, np.array([1, 1], np.float32), "a; b", (0, 1)),
]


def content(row: Row) -> list[object]:
    return [getattr(row, name) for name in Row.__struct_fields__]


def test_each_row_comes_back_as_it_was():
    rows = RowList(ROWS[:1])
    rows.append(ROWS[1])
    rows.extend(RowList(ROWS[2:]))
    assert list(map(content, rows)) == list(map(content, ROWS))
    assert [content(rows[place]) for place in (0, np.intp(1), -1)] == list(map(content, ROWS))
    assert list(map(content, rows[1:])) == list(map(content, ROWS[1:]))


@pytest.mark.parametrize("field", get_args(Field))
def test_a_field_of_all_rows_is_that_of_each_row(field):
    assert RowList(ROWS).values(field) == [getattr(row, field) for row in ROWS]


@pytest.mark.parametrize("axis", ["t", "z", "c"])
def test_places_along_an_axis_are_those_of_each_row(axis):
    assert RowList(ROWS).places(axis, -1) == [row.position.get(axis, -1) for row in ROWS]


def test_the_garbage_collector_leaves_rows_out():
    rows = RowList(ROWS)
    for generation in range(3):  # a tuple within a tuple takes one more time
        gc.collect(generation)
    assert not any(map(gc.is_tracked, rows._kept))

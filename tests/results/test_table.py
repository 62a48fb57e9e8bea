from __future__ import annotations

import io

import numpy as np
import pandas as pd
from msgspec.structs import replace

from napari_webipred.results.export import CsvWriter
from napari_webipred.results.row import Row
from napari_webipred.results.table import to_frame

ROWS = [
    Row(0, "a.png", {}, np.array([0.1, 0.9], np.float32), "B"),
    Row(1, "s.tif", {"z": 4}, np.array([1 / 3, 2 / 3], np.float32), "B"),
    Row(2, "broken.png", error="It is broken."),
]


def test_the_table_keeps_types_and_marks_failures_as_missing():
    table = to_frame(ROWS, ("A", "B"), ("z",))
    assert list(table.columns) == ["image", "z", "A", "B", "prediction", "error"]
    assert table["A"].dtype == np.float32
    assert table["z"].tolist()[1] == 4
    assert table["z"].isna().tolist() == [True, False, True]
    assert table["A"].isna().tolist() == [False, False, True]


def test_the_table_and_the_csv_file_hold_the_same_numbers():
    stream = io.StringIO(newline="")
    writer = CsvWriter(stream, ("A", "B"), ("z",))
    for row in ROWS:
        writer.write(row)
    stream.seek(0)
    read = pd.read_csv(stream, dtype={"A": np.float32, "B": np.float32, "z": "Int64"}, keep_default_na=True)
    table = to_frame(ROWS, ("A", "B"), ("z",))
    pd.testing.assert_frame_equal(read[["image", "z", "A", "B"]], table[["image", "z", "A", "B"]], check_dtype=False)


def test_no_images_give_an_empty_table_with_columns():
    assert list(to_frame([], ("A",)).columns) == ["image", "A", "prediction", "error"]


def test_remarks_are_attributes_of_the_table_and_no_column():
    frame = to_frame([ROWS[0], replace(ROWS[1], remark="It is blank.")], ["A", "B"])
    assert list(frame.columns) == ["image", "A", "B", "prediction", "error"]
    assert frame.attrs["remarks"] == [(1, "It is blank.")]
    assert to_frame([], ["A"]).attrs["remarks"] == []

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from napari_webipred.results import parquet
from napari_webipred.results.columns import columns
from napari_webipred.results.json_lines import JsonLinesWriter
from napari_webipred.results.row import Row

pq = pytest.importorskip("pyarrow.parquet", reason="the group test-core has no pyarrow")
CLASSES = ["A", "hidden\u200b\u202e", "prediction"]


def test_every_number_is_a_float32_of_its_class_and_what_is_missing_is_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP", 2)
    numbers = np.array([[0.1, 1e-45, 0.9], [0.3, -0.0, 3.4e38], [1e-5, np.nan, 0.2]], np.float32)
    rows = [
        Row(0, "a.png", probabilities=numbers[0], prediction="A", measures=numbers[0, :1]),
        Row(1, "b.png", {"z": 7}, probabilities=numbers[1], measures=numbers[1, :1]),
        Row(2, "c.png", error="damaged"),
        Row(3, "d.png", {"z": 0}, probabilities=numbers[2], measures=numbers[2, :1]),
    ]
    lines, file = tmp_path / "lines.jsonl", io.BytesIO()
    with lines.open("w", encoding="utf-8") as stream:
        writer = JsonLinesWriter(stream, CLASSES, ("z",), measures=("spread",))
        for row in rows:
            writer.write(row)
    parquet.write_parquet(file, lines, columns(("z",), CLASSES, measures=("spread",)), ("z",), (3, 1))
    table = pq.read_table(file)
    assert table.column("z").to_pylist() == [None, 7, None, 0]
    assert table.column("error").to_pylist() == ["", "", "damaged", ""]
    shown = ["A", r"hidden\u200b\u202e", "prediction (2)"]
    assert table.column_names == ["image", "z", *shown, "prediction", "error", "spread"]
    for place, name in enumerate([*shown, "spread"]):
        wanted = [float(value) if value == value else None for value in numbers[:, place % 3]]
        assert str(table.column(name).type) == "float"
        assert table.column(name).to_pylist() == [*wanted[:2], None, *wanted[2:]]


def test_a_class_that_is_called_like_an_axis_keeps_its_numbers_when_the_axis_comes_late(tmp_path: Path) -> None:
    lines, file, classes = tmp_path / "lines.jsonl", io.BytesIO(), ["frame", "b"]
    numbers = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    with lines.open("w", encoding="utf-8") as stream:
        JsonLinesWriter(stream, classes).write(Row(0, "a.png", probabilities=numbers[0], prediction="b"))
        JsonLinesWriter(stream, classes, ("frame",)).write(Row(1, "b.gif", {"frame": 3}, probabilities=numbers[1]))
    parquet.write_parquet(file, lines, columns(("frame",), classes), ("frame",), (2, 0))
    table = pq.read_table(file)
    assert table.column("frame").to_pylist() == [None, 3]
    assert table.column("frame (2)").to_pylist() == [0.25, 0.5]
    assert table.column("b").to_pylist() == [0.75, 0.5]

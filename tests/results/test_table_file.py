"""Rows of one or several runs, saved whole as CSV, TSV or Excel."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.api import remedies
from napari_webipred.card import ModelCard
from napari_webipred.cli import terminal
from napari_webipred.errors import OptionError
from napari_webipred.results import excel, table_file
from napari_webipred.results.export import CsvWriter
from napari_webipred.results.record import record_path
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import Entry, RunDetails

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "a\nb\x1b", "img_x0010_y.png", "'quoted\"", "tab\there", "\udce9", "\ufffe"]


def run(number: int = 1, classes: Sequence[str] = ("A", "B"), axes: Sequence[str] = (), total: int = 2) -> RunDetails:
    card = ModelCard(
        id=f"model-{number}",
        name=f"Model {number}",
        classes=[{"index": i, "name": name} for i, name in enumerate(classes)],
    )
    began = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return RunDetails(number, began, card, f"sha256:{number}", {"threshold": 0.5}, tuple(classes), tuple(axes), total)


def entry(
    run: RunDetails, image: str = "a.png", p: Sequence[float] = (0.25, 0.75), comment: str = "", **facts
) -> Entry:
    probabilities = None if facts.get("error") else np.array(p, np.float32)
    return Entry(run, Row(0, image, probabilities=probabilities, **facts), comment)


def save(path: Path, entries: Sequence[Entry], reasons=None, may_replace=lambda there: False) -> None:
    for _ in table_file.save(path, entries, reasons or {}, may_replace):
        pass


def copied(entries: Sequence[Entry], header: bool) -> str:
    work = table_file.text(entries, csv.excel_tab, header)
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


def sheet(path: Path) -> list[list[object]]:
    book = pytest.importorskip("openpyxl").load_workbook(path)
    found = [[cell.value for cell in line] for line in book.active.iter_rows()]
    assert all(cell.data_type != "f" for line in book.active.iter_rows() for cell in line)
    return found


def record(path: Path) -> dict:
    return json.loads(record_path(path).read_bytes())


def test_rows_of_one_run_are_saved_as_the_command_line_writes_them(tmp_path: Path) -> None:
    one = run(axes=("z",))
    entries = [entry(one, position={"z": 3}, prediction="B"), entry(one, "=b.png", error="broken")]
    save(tmp_path / "out.csv", entries)
    stream = io.StringIO(newline="")
    writer = CsvWriter(stream, one.classes, one.axes)
    for each in entries:
        writer.write(each.row)
    assert (tmp_path / "out.csv").read_bytes() == stream.getvalue().encode()


def test_rows_of_several_runs_say_which_run_and_model_they_are_of_and_share_columns_of_the_same_name(tmp_path) -> None:
    first, second = run(1, ("A", "B"), ("z",)), run(2, ("B", "C"), ("t",))
    save(tmp_path / "out.csv", [entry(second, p=(0.1, 0.9), position={"t": 4}), entry(first, position={"z": 3})])
    assert table(tmp_path / "out.csv") == [
        {"image": "a.png", "z": "", "t": "4", "run": "2", "model": "Model 2", "A": "", "B": "0.1", "C": "0.9"}
        | {"prediction": "", "error": ""},
        {"image": "a.png", "z": "3", "t": "", "run": "1", "model": "Model 1", "A": "0.25", "B": "0.75", "C": ""}
        | {"prediction": "", "error": ""},
    ]


def test_two_classes_of_one_name_stay_two_columns_when_runs_are_put_together(tmp_path: Path) -> None:
    save(tmp_path / "out.csv", [entry(run(1, ("A", "A"))), entry(run(2, ("A", "run")))])
    first, second = table(tmp_path / "out.csv")
    assert (first["A"], first["A (2)"], first["run (2)"]) == ("0.25", "0.75", "")
    assert (second["A"], second["A (2)"], second["run (2)"]) == ("0.25", "", "0.75")


def test_comments_have_a_column_if_there_are_any(tmp_path: Path) -> None:
    one = run()
    save(tmp_path / "out.csv", [entry(one, comment="look\nagain"), entry(one)])
    assert [row["comment"] for row in table(tmp_path / "out.csv")] == [r"look\x0aagain", ""]
    save(tmp_path / "none.csv", [entry(one)])
    assert "comment" not in table(tmp_path / "none.csv")[0]


def test_the_record_of_one_run_says_which_model_and_whether_all_rows_are_saved(tmp_path: Path) -> None:
    one = run(total=2)
    save(tmp_path / "all.csv", [entry(one), entry(one, "b.png")])
    found = record(tmp_path / "all.csv")
    assert (found["model"]["id"], found["complete"], found["stopped"]) == ("model-1", True, None)
    save(tmp_path / "some.csv", [entry(one)])
    assert record(tmp_path / "some.csv")["stopped"] == table_file.SOME_ROWS
    save(tmp_path / "some.csv", [entry(one)], {1: "cancelled"})
    assert record(tmp_path / "some.csv")["stopped"] == "cancelled"


def test_the_record_of_several_runs_lists_each(tmp_path: Path) -> None:
    save(tmp_path / "out.csv", [entry(run(1, total=1)), entry(run(2, total=2), error="no")])
    found = record(tmp_path / "out.csv")
    assert [(r["run"], r["model"]["checksum"], r["options"], r["complete"]) for r in found["runs"]] == [
        (1, "sha256:1", {"threshold": 0.5}, True),
        (2, "sha256:2", {"threshold": 0.5}, False),
    ]
    assert (found["complete"], found["runs"][1]["planes"]["failed"]) == (False, 1)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx"])
def test_a_table_that_was_saved_is_replaced_unasked_only_while_it_is_unchanged(tmp_path: Path, suffix: str) -> None:
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    out = tmp_path / f"out{suffix}"
    save(out, [entry(run())])
    save(out, [entry(run()), entry(run(), "b.png")])
    out.write_bytes(out.read_bytes() + b"\nmine")
    before = out.read_bytes()
    with pytest.raises(OptionError, match="is not replaced"):
        save(out, [entry(run())])
    assert out.read_bytes() == before


def test_a_file_of_the_user_is_not_replaced_unless_that_was_agreed(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    out = tmp_path / "out.xlsx"
    out.write_bytes(b"precious")
    with pytest.raises(OptionError, match="is not replaced"):
        save(out, [entry(run())])
    assert out.read_bytes() == b"precious"
    save(out, [entry(run())], may_replace=lambda there: there == out)
    assert sheet(out)[0][0] == "image"


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_numbers_keep_every_bit_in_excel(numbers: list[float]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    file = io.BytesIO()
    values = np.array(numbers, np.float32)
    for _ in excel.write(file, ["A", "B"], [list(values)], 1):
        pass
    line = next(openpyxl.load_workbook(file).active.iter_rows(min_row=2, values_only=True))
    np.testing.assert_array_equal(np.array(line, np.float64).astype(np.float32), values)


def test_texts_in_excel_are_never_formulas_and_can_be_read(tmp_path: Path) -> None:
    one = run(classes=("=cmd()", "B"))
    save(tmp_path / "out.xlsx", [entry(one, image, comment=image) for image in HOSTILE])
    lines = sheet(tmp_path / "out.xlsx")
    assert lines[0][1] == "=cmd()"
    shown = ["=1+1", "+1", "-1", "@SUM(A1)", r"a\x0ab\x1b", "img_x005F_x0010_y.png", "'quoted\"", r"tab\x09here"]
    assert [line[0] for line in lines[1:]] == [*shown, r"\xe9", r"\ufffe"]
    assert [line[-1] for line in lines[1:]] == [line[0] for line in lines[1:]]


def test_no_temporary_file_is_made_for_excel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold names of images, and lie where anybody may look."""
    pytest.importorskip("openpyxl")

    def refuse(*arguments, **options):
        raise AssertionError("a temporary file")

    import openpyxl.worksheet._writer as writer

    monkeypatch.setattr(writer, "create_temporary_file", refuse)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    save(tmp_path / "out.xlsx", [entry(run())])
    assert ZipFile(tmp_path / "out.xlsx").testzip() is None
    assert {path.name for path in tmp_path.iterdir()} == {"out.xlsx", "out.xlsx.json"}


def test_without_openpyxl_the_message_says_how_to_add_it_and_nothing_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(OptionError, match="openpyxl, which is not installed") as caught:
        save(tmp_path / "out.xlsx", [entry(run())])
    (remedy,) = caught.value.remedies
    for front in (remedies, terminal):
        assert re.search(r"pip install .*napari-webipred\[excel\]", front.REMEDIES[remedy])
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_too_large_for_excel_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    wide = run(classes=[str(i) for i in range(excel.COLUMNS)])
    with pytest.raises(OptionError, match="no space for 16,387 columns"):
        save(tmp_path / "out.xlsx", [entry(wide, p=np.zeros(excel.COLUMNS))])
    with pytest.raises(OptionError, match="no space for 1,048,576 rows"):
        next(excel.write(io.BytesIO(), ["a"], [], excel.ROWS))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_disk_that_fills_up_leaves_the_file_before_and_its_record(tmp_path, monkeypatch, suffix) -> None:
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    out = tmp_path / f"out{suffix}"
    save(out, [entry(run())])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("napari_webipred.results.output.to_disk", full)
    with pytest.raises(OptionError, match="the disk is full"):
        save(out, [entry(run()), entry(run(), "b.png")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_table_that_cannot_be_put_into_place_keeps_the_record_of_the_one_before(tmp_path, monkeypatch) -> None:
    """As on Windows, while a spreadsheet has it open."""
    out = tmp_path / "out.csv"
    save(out, [entry(run())])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target == out:
            raise PermissionError(errno.EACCES, "in use")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OptionError, match="cannot be written"):
        save(out, [entry(run()), entry(run(), "b.png")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_copied_rows_are_separated_by_tabs_with_or_without_the_names_of_the_columns() -> None:
    entries = [entry(run(), prediction="B")]
    assert copied(entries, header=False) == "a.png\t0.25\t0.75\tB\t\r\n"
    assert copied(entries, header=True).splitlines()[0] == "image\tA\tB\tprediction\terror"

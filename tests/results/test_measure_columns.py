"""Deviations, calibrated probabilities and distances in the table of all runs, in its files and in sessions."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from msgspec.structs import replace
from tests.results.test_session_file import load
from tests.results.test_session_file import save as save_session

from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.results import table_file
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.inputs import ImageInput, ModelInput
from napari_webipred.results.record import record_path
from napari_webipred.results.row import Row
from napari_webipred.results.saved_session import SavedRun, SavedSession
from napari_webipred.results.session_table import Entries, SessionTable
from napari_webipred.results.table_columns import Column, TableColumns
from napari_webipred.results.table_filter import Filter, ordered, shown

CARD = ModelCard.model_validate(
    {
        "id": "eye",
        "name": "Eye",
        "task": "multi-label",
        "classes": [{"index": 0, "name": "A"}, {"index": 1, "name": "B"}],
        "input": {"width": 4, "height": 4},
        "preprocessing": {"standardize_mode": "none"},
    }
)
OPTIONS = {"threshold": 0.5, "views": "flip", "reference": True}
PLATT = Calibration("platt", ("A", "B"), slopes=(1.0, 2.0), offsets=(0.0, 0.5), folds=5, seed=3)
ROWS = [
    ((0.9, 0.2), (0,), (0.01, 0.02, 7.5, 40.0)),
    ((0.3, 0.8), (1,), (0.03, 0.04, 30.25, 99.5)),
    (None, (), None),
    ((0.1, 0.1), (), (0.05, 0.06, 12.0, 80.0)),
]


def row(number: int) -> Row:
    numbers, assigned, measures = ROWS[number]
    if numbers is None:
        return Row(number, f"{number}.png", error="broken")
    names = "; ".join("AB"[index] for index in assigned)
    given, measured = np.array(numbers, np.float32), np.array(measures, np.float32)
    return Row(number, f"{number}.png", {}, given, names, assigned, measures=measured)


@pytest.fixture
def table() -> SessionTable:
    found = SessionTable()
    plain = found.begin(CARD, "", {"threshold": 0.5}, (), 1)
    found.append(plain, [replace(row(0), measures=None)])
    run = found.begin(CARD, "", OPTIONS, (), len(ROWS))
    found.append(run, [row(number) for number in range(len(ROWS))])
    return found


def texts(numbers) -> list[str]:
    return [f"{number:.2f}" for number in numbers]


def test_each_row_has_the_numbers_of_its_own_run(table):
    columns = TableColumns(table)
    assert texts(columns.numbers(Column("distance"))) == ["nan", "7.50", "30.25", "nan", "12.00"]
    assert texts(columns.numbers(Column("percentile"))) == ["nan", "40.00", "99.50", "nan", "80.00"]
    assert texts(columns.numbers(Column("deviation", "B"))) == ["nan", "0.02", "0.04", "nan", "0.06"]
    assert texts(columns.numbers(Column("deviation"))) == ["nan", "0.01", "0.04", "nan", "nan"]
    assert np.isnan(columns.numbers(Column("calibrated"))).all()


def test_rows_that_come_later_and_other_thresholds_are_followed(table):
    columns = TableColumns(table)
    columns.numbers(Column("deviation"))
    run = table.runs[1]
    table.append(run, [row(1)])
    assert texts(columns.numbers(Column("deviation"))) == ["nan", "0.01", "0.04", "nan", "nan", "0.04"]
    table.set_threshold(run, 0.1)  # every class reaches it; that of the most probable one counts
    assert texts(columns.numbers(Column("deviation"))) == ["nan", "0.01", "0.04", "nan", "0.05", "0.04"]


def test_calibrated_probabilities_stand_beside_the_raw_ones(table):
    columns = TableColumns(table)
    columns.numbers(Column("calibrated", "B"))
    table.calibrate(table.runs[1], PLATT)
    wanted = 1 / (1 + np.exp(-(2 * np.log(0.8 / 0.2) + 0.5)))
    assert columns.numbers(Column("calibrated", "B"))[2] == pytest.approx(wanted)
    assert columns.numbers(Column("calibrated"))[2] == pytest.approx(wanted)
    assert columns.numbers(Column("calibrated", "A"))[1] == pytest.approx(0.9)
    assert table.entry(2).row.probabilities.tolist() == pytest.approx([0.3, 0.8])


def test_the_table_is_sorted_and_filtered_by_them(table):
    columns = TableColumns(table)
    assert ordered(columns, table.numbers, Column("distance"), descending=True).tolist() == [2, 4, 1, 0, 3]
    far = Filter(bounds=((Column("percentile"), 80.0, 100.0), (Column("distance"), 0.0, 20.0)))
    assert shown(columns, far, table.numbers).tolist() == [4]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_files_have_them_and_the_record_says_how_rows_were_calibrated(table, tmp_path, name):
    table.calibrate(table.runs[1], PLATT)
    path = tmp_path / name
    entries = Entries(table, np.array([2, 3]))
    for _ in table_file.save(path, entries, {}, lambda there: False):
        pass
    with io.StringIO(path.read_text(), newline="") as stream:
        lines = list(csv.DictReader(stream, delimiter="\t" if name.endswith("tsv") else ","))
    assert list(lines[0])[-6:] == [
        *("A sd", "B sd", "reference distance", "reference percentile"),
        *("A (calibrated)", "B (calibrated)"),
    ]
    assert float(lines[0]["reference distance"]) == 30.25
    assert float(lines[0]["B (calibrated)"]) == pytest.approx(0.9634, abs=1e-4)
    assert lines[1]["B (calibrated)"] == ""
    assert lines[1]["error"] == "broken"
    assert json.loads(record_path(path).read_bytes())["calibration"] == PLATT.as_dict()


def test_an_excel_file_has_them(table, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    table.calibrate(table.runs[1], PLATT)
    path = tmp_path / "rows.xlsx"
    for _ in table_file.save(path, Entries(table, np.array([0, 2])), {}, lambda there: False):
        pass
    names, first, second = ([cell.value for cell in line] for line in openpyxl.load_workbook(path).active.iter_rows())
    at = [names.index(name) for name in ("reference percentile", "B (calibrated)")]
    assert [first[place] for place in at] == [None, None]
    assert [second[place] for place in at] == pytest.approx([99.5, 0.9634], abs=1e-4)


def saved_run(calibration: Calibration | None) -> SavedRun:
    table = SessionTable()
    begun = table.begin(CARD, "sha256:0", OPTIONS, (), len(ROWS)).begun
    images = tuple(ImageInput(f"{number}.png", "") for number in range(len(ROWS)))
    rows = [row(number) for number in range(len(ROWS))]
    facts = (begun, CARD, "sha256:0", OPTIONS, (), len(ROWS), ModelInput("eye"), images, rows)
    return SavedRun(*facts, calibration=calibration)


@pytest.mark.parametrize("calibration", [PLATT, Calibration("temperature", ("A", "B"), 2.5, seed=1), None])
def test_a_session_keeps_them(tmp_path, calibration):
    path = tmp_path / "s.webipred.json"
    save_session(path, SavedSession((saved_run(calibration),)))
    again = load(path).runs[0]
    assert again.rows[1].measures.tolist() == pytest.approx(ROWS[1][2])
    assert (again.calibration and again.calibration.as_dict()) == (calibration and calibration.as_dict())


def test_a_session_with_a_calibration_of_other_classes_is_refused(tmp_path):
    path = tmp_path / "s.webipred.json"
    save_session(path, SavedSession((saved_run(replace(PLATT, slopes=(1.0,))),)))
    with pytest.raises(OptionError, match="another number of classes"):
        load(path)

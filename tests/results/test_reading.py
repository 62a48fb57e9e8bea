"""The answers of a reader: in a table, its undo, its files, and back."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import predictions
from napari_webipred.results import session_reader, session_writer, table_file
from napari_webipred.results.columns import READER
from napari_webipred.results.inputs import ImageInput, ModelInput
from napari_webipred.results.reading import NONE, Reading, of_frame, parsed
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList
from napari_webipred.results.saved_session import SavedRun, SavedSession
from napari_webipred.results.session_table import Entries, SessionTable
from napari_webipred.steps import result_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CLASSES = ("A", "B; C", "=D", "E\x1b")


def answer(*classes: str, comment: str = "", time: datetime = NOON) -> Reading:
    return Reading(classes, comment, time)


def filled(classes: tuple[str, ...] = CLASSES, count: int = 4, task: str = "multi-label") -> SessionTable:
    named = [{"index": i, "name": name} for i, name in enumerate(classes)]
    card = ModelCard.model_validate({"id": "m", "name": "M", "task": task, "classes": named})
    table = SessionTable()
    run = table.begin(card, "sha256:1", {"threshold": 0.5}, (), count)
    numbers = np.array([0.75, 0.25, 0.5, 0.1][: len(classes)], np.float32)
    names = "; ".join(classes[i] for i in (0, 2))
    table.append(run, [Row(i, f"{i}.png", {}, numbers, names, (0, 2)) for i in range(count)])
    return table


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_answers_come_back_from_a_table_as_they_were(tmp_path: Path, suffix: str) -> None:
    table, path = filled(), tmp_path / f"out{suffix}"
    said = [answer("A", "B; C", comment="look\tagain?"), answer(comment="-1 or so"), None, answer(NONE)]
    for number, reading in enumerate(said):
        table.read(number, reading)
    result_of(table_file.save(path, Entries(table, table.numbers), {}, lambda there: True))
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","))
    assert lines[0][-3:] == [*READER]
    assert lines[1][-3:] == ["A; B; C", r"look\x09again?", "2026-01-31T12:00:00+00:00"]
    assert [lines[2][-3], lines[2][-2], lines[3][-3:]] == ["", "'-1 or so", ["", "", ""]]
    import pandas as pd

    frame = pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",")
    assert of_frame(frame, CLASSES) == [replace(said[0], comment=r"look\x09again?"), *said[1:]]
    assert predictions.of_file(path)[0].images == [f"{i}.png" for i in range(4)]


def test_a_table_that_nobody_has_read_has_no_columns_for_it(tmp_path: Path) -> None:
    table = filled()
    result_of(table_file.save(tmp_path / "out.csv", Entries(table, table.numbers), {}, lambda there: True))
    import pandas as pd

    frame = pd.read_csv(tmp_path / "out.csv")
    assert not {*READER} & {*frame.columns}
    assert of_frame(frame, CLASSES) == [None] * 4


@pytest.mark.parametrize(
    ("cell", "classes"),
    [("'=D", ("=D",)), ("A; =D", ("A", "=D")), (r"E\x1b", ("E\x1b",)), ("B; C; A", ("B; C", "A")), ("none", (NONE,))],
)
def test_classes_are_known_again_whatever_their_names_contain(cell: str, classes: tuple[str, ...]) -> None:
    assert parsed(cell, "", "2026-01-31T14:00:00+02:00", CLASSES) == answer(*classes)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (("F", "", str(NOON)), "F is no class"),
        (("A", "", ""), "has no time"),
        (("A", "", "noon"), "noon is no time"),
        (("A", "", "0001-01-01T00:00:00+09:00"), "is no time"),
    ],
)
def test_a_cell_that_makes_no_sense_is_told(cells: tuple[str, str, str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        parsed(*cells, CLASSES)


def test_times_are_kept_in_utc_and_whole_seconds() -> None:
    assert parsed("", "", "2026-01-31T12:00:00.9", ()) == answer()
    east = answer(time=NOON.astimezone(timezone(timedelta(hours=9))))
    assert east.cells[2] == "2026-01-31T12:00:00+00:00"


def test_none_is_the_truth_of_no_class_unless_a_class_is_called_so() -> None:
    assert answer(NONE).labels(CLASSES) == ()
    assert answer(NONE).labels(("A", NONE)) == (NONE,)
    assert answer("A").labels(CLASSES) == ("A",)
    assert answer().unsure
    assert answer().labels(CLASSES) is None


def test_agreement_is_about_classes_and_open_without_an_answer() -> None:
    table = filled()
    for number, reading in enumerate([answer("=D", "A"), answer("A"), answer()]):
        table.read(number, reading)
    assert [table.entry(number).agreed for number in range(4)] == [True, False, None, None]


def test_answers_are_taken_back_and_given_again_in_turn_with_comments_and_deletions() -> None:
    table = filled()
    table.mark_saved(range(4))
    assert table.read(1, answer("A"))
    assert not table.read(1, answer("A"))
    table.read(1, answer())
    table.comment(1, "look")
    table.delete([2])
    assert table.unsaved == 1
    states = []
    while table.undo():
        states.append((table.readings.get(1), table.comments.get(1), len(table.numbers)))
    assert states == [(answer(), "look", 4), (answer(), None, 4), (answer("A"), None, 4), (None, None, 4)]
    while table.redo():
        pass
    assert (table.readings, table.comments, len(table.numbers)) == ({1: answer()}, {1: "look"}, 3)
    table.undo()
    table.read(0, answer("A"))
    assert not table.redo()


def saved_run(readings: dict[int, Reading], count: int = 1200) -> SavedRun:
    table = filled(count=count)
    run = table.runs[0]
    images = tuple(ImageInput(f"{i}.png", f"{i}.png") for i in range(count))
    facts = (run.begun, run.card, run.checksum, run.options, run.axes, count, ModelInput("m"), images)
    return SavedRun(*facts, RowList(table.rows), {}, readings)


def test_a_session_file_keeps_answers_with_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "my.webipred.json"
    readings = {0: answer("A", "=D", comment="=1+1"), 499: answer(), 500: answer(NONE), 1199: answer("B; C")}
    result_of(session_writer.save(path, SavedSession((saved_run(readings),))))
    assert result_of(session_reader.load(path)).runs[0].readings == readings


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b'["A"]', b'["X"]', "a class that its model does not have"),
        (b"2026-01-31T12", b"never", "damaged"),
        (b"2026-01-31T12:00:00+00", b"0001-01-01T00:00:00+09", "calendar"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_damaged_session(
    tmp_path: Path, before: bytes, after: bytes, says: str
) -> None:
    path = tmp_path / "my.webipred.json"
    result_of(session_writer.save(path, SavedSession((saved_run({0: answer("A")}, 1),))))
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))
    with pytest.raises(OptionError, match=says):
        result_of(session_reader.load(path))

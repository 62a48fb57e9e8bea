"""What a run of the command line tells: how far it is, and what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicom_maker import ct_slice
from dicom_maker import written as write_dicom
from napari_webipred import cli
from napari_webipred.cli import progress, terminal
from napari_webipred.cli.progress import Progress
from napari_webipred.cli.summary import Summary, kind_of
from napari_webipred.results.row import Row

NUMBERS = np.array([0.2, 0.8], np.float32)


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.full((300, 300), 40 * number, np.uint8)).save(folder / f"{number}.png")
    (folder / "bad.png").write_bytes(b"nonsense")
    (folder / "empty.png").touch()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def voice() -> Iterator[None]:
    yield
    terminal.speak("plain")


def good(number: int, *classes: int) -> Row:
    return Row(number, f"{number}.png", probabilities=NUMBERS, assigned=classes, seconds=(1.0, 0.5, 2.5))


def test_the_end_sums_up_classes_failures_and_where_the_time_went() -> None:
    summary = Summary()
    summary.add(good(0, 0))
    summary.begin()
    for number in range(1, 4):
        summary.add(good(number, 1))
    summary.add(Row(4, "a/4.png", error="There is no file 4.png. Check the name."))
    summary.add(Row(5, "a/5.png", error="There is no file 5.png. Check the name."))
    summary.add(Row(6, "a/6.png", error="6.png: The image has 12,000 pixels, more than 9."))
    found = summary.as_dict(["cat", "dog"])
    assert (found["done"], found["failed"]) == (7, 3)
    assert found["rows_per_class"] == {"cat": 1, "dog": 3}
    assert found["failures"] == {"There is no file …": 2, "The image has N pixels, more than N": 1}
    assert found["shares"] == {"reading": 0.25, "preparing": 0.125, "computing": 0.625}
    assert found["seconds_per_image"] == pytest.approx(found["seconds"] / 6, abs=1e-3)
    lines = list(summary.lines(["cat", "dog"]))
    assert lines[0] == "Rows per class: dog 3, cat 1."
    assert lines[1:3] == ["Failed, 2: There is no file …", "Failed, 1: The image has N pixels, more than N"]
    assert "Of the work: reading 25%, preparing 12%, computing 62%." in lines[3]


def test_very_many_kinds_of_failures_and_classes_are_told_in_few_lines() -> None:
    summary = Summary()
    for number in range(60):
        summary.add(Row(number, "x.png", error=f"Reason {'a' * number}."))
        summary.add(good(number, number % 30))
    assert len(summary.as_dict(list(map(str, range(30))))["failures"]) == 21
    assert "20 other classes 40" in next(summary.lines(list(map(str, range(30)))))


def test_kinds_of_failures_do_not_depend_on_the_image() -> None:
    errors = [Row(0, f"s/{name}", error=f"{name} is damaged. Download it again.") for name in ("1.png", "x y.tif")]
    assert len({kind_of(row) for row in errors}) == 1


def test_slices_that_fail_for_the_same_reason_are_of_one_kind_whatever_their_files_and_folders_are_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a1b2-c3", "5d-e6f7", "ff08-9a")
    for series, folder in enumerate(names):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            path = tmp_path / folder / f"{name}.dcm"
            write_dicom(path, ct_slice(2 * number, InstanceNumber=number + 1, SeriesInstanceUID=f"1.2.{series}"))
            path.write_bytes(path.read_bytes()[:-40])
    table = tmp_path / "out.csv"
    assert cli.main(["classify", *(str(tmp_path / name) for name in names), "-m", "demo", "-o", str(table)]) == 1
    assert all(f"The slice is {name}.dcm." in table.read_text(encoding="utf-8") for name in names)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Failed, ")]
    assert told == ["Failed, 9: The file is cut short"]


def test_a_run_that_writes_a_file_tells_what_came_out(scans: Path, capsys) -> None:
    assert cli.main(["classify", "scans", "-m", "demo", "-o", "out.csv"]) == 1
    said = capsys.readouterr().err
    assert "4 of 6 images classified, written to out.csv." in said
    assert "Rows per class: " in said
    assert "Failed, 1: … is empty" in said
    assert "Of the work: reading " in said


def test_quiet_says_nothing_but_errors(scans: Path, capsys) -> None:
    assert cli.main(["classify", "scans", "-m", "demo", "-o", "out.csv", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")
    assert cli.main(["classify", "none.txt", "-m", "xyzzy", "--quiet"]) == 2
    assert "xyzzy" in capsys.readouterr().err
    assert cli.main(["classify", "scans", "-m", "demo", "-o", "out.csv"]) == 1
    assert "4 of 6 images" in capsys.readouterr().err


def test_json_progress_writes_nothing_but_json(scans: Path, capsys) -> None:
    assert cli.main(["classify", "scans", "-m", "demo", "-o", "out.csv", "--json-progress"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {event["event"] for event in events} == {"message", "progress", "summary"}
    last = [event for event in events if event["event"] == "progress"][-1]
    assert (last["done"], last["total"], last["failed"], last["seconds_left"]) == (6, 6, 2, 0.0)
    (summary,) = (event for event in events if event["event"] == "summary")
    assert (summary["done"], summary["failed"], sum(summary["failures"].values())) == (6, 2, 2)
    assert sum(summary["rows_per_class"].values()) == 4
    assert set(summary["shares"]) == {"reading", "preparing", "computing"}
    assert cli.main(["classify", "scans", "-m", "xyzzy", "--json-progress"]) == 2
    (error,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert error["event"] == "error"


def test_progress_tells_rate_time_left_and_failures_of_this_run(capsys, monkeypatch, voice) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    summary = Summary()
    for number in range(10):
        summary.add(good(number))
    shown = Progress(10, 2**30)
    clock[0] = 5.0
    for number in range(10, 19):
        summary.add(good(number))
    summary.add(Row(19, "x.png", error="Lost."))
    shown.show(summary, 7220)
    line = capsys.readouterr().err.replace("\r\x1b[K", "")
    assert line.startswith("20 of 7,220 images, 1 failed, 2.0 images a second, about 60 min left")
    terminal.speak("json")
    clock[0] = 10.0
    Progress(10, 2**30).show(summary, 7220)
    assert capsys.readouterr().err == ""  # it has only begun
    shown.show(summary, 7220)
    found = json.loads(capsys.readouterr().err)
    assert (found["done"], found["total"], found["failed"], found["images_per_second"]) == (20, 7220, 1, 1.0)
    assert found["seconds_left"] == 7200.0

"""Rows are in a file as soon as they have come, and an error of the disk stops no run."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from napari_webipred.card import ModelCard
from napari_webipred.results.autosave import TURNED_OFF, Autosave, Destination
from napari_webipred.results.record import record_path
from napari_webipred.results.row import Row

CARD = ModelCard(id="test", name="Test", classes=[{"index": 0, "name": "A"}, {"index": 1, "name": "B"}])


def row(name: str) -> Row:
    return Row(0, name, probabilities=np.array([0.25, 0.75], np.float32), prediction="B")


def begun(destination: Destination, total: int = 3) -> Autosave:
    autosave = Autosave(destination, CARD, "sha256:ab", {}, total)
    autosave.begin(CARD.class_names, (), False)
    return autosave


def names(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [line[0] for line in csv.reader(stream)][1:]


def record(path: Path) -> dict:
    return json.loads(record_path(path).read_bytes())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


@pytest.fixture
def destination(out: Path) -> Destination:
    destination = Destination()
    destination.choose(out)
    return destination


def test_each_row_is_in_the_file_at_once_and_the_end_completes_the_record(destination: Destination, out: Path) -> None:
    with begun(destination) as autosave:
        for i, name in enumerate("abc"):
            autosave.add(row(name))
            assert names(out) == list("abc"[: i + 1])
            assert not record(out)["complete"]
    assert (record(out)["complete"], autosave.written, autosave.path) == (True, 3, out)
    assert {path.name for path in out.parent.iterdir()} == {"out.csv", "out.csv.json"}


def test_what_came_before_the_user_wanted_it_is_written_too(out: Path) -> None:
    destination = Destination()
    with begun(destination) as autosave:
        autosave.add(row("a"))
        assert autosave.path is None
        destination.choose(out)
        autosave.add(row("b"))
        assert names(out) == ["a", "b"]
        destination.choose(None)
        autosave.add(row("c"))
    assert names(out) == ["a", "b"]
    assert record(out)["stopped"] == TURNED_OFF


def test_a_run_that_is_cancelled_or_fails_says_so_in_the_record(destination: Destination, out: Path) -> None:
    with begun(destination) as autosave:
        autosave.add(row("a"))
    assert record(out)["stopped"] == "cancelled"
    destination.choose(out)
    autosave = begun(destination)
    autosave.add(row("a"))
    autosave.__exit__(RuntimeError, RuntimeError("broken"), None)
    assert record(out)["stopped"] == "broken"


def test_every_run_has_a_file_of_its_own_and_none_is_replaced(destination: Destination, out: Path) -> None:
    out.with_name("out-2.csv").write_text("mine")
    for name in "abc":
        with begun(destination, total=1) as autosave:
            autosave.add(row(name))
    assert {path.name: names(path) for path in out.parent.glob("*.csv") if path.name != "out-2.csv"} == {
        "out.csv": ["a"],
        "out-3.csv": ["b"],
        "out-4.csv": ["c"],
    }
    assert out.with_name("out-2.csv").read_text() == "mine"
    assert autosave.path == out.with_name("out-4.csv")


@pytest.mark.parametrize(("code", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "does not answer")])
def test_an_error_of_the_disk_is_noted_and_the_rows_before_it_stay(destination, out, monkeypatch, code, said) -> None:
    with begun(destination) as autosave:
        autosave.add(row("a"))

        def fail(*arguments: object) -> int:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", fail)
            autosave.add(row("b"))
        autosave.add(row("c"))
        assert autosave.error is not None
        assert said in autosave.error.message
        assert autosave.error.hint
        assert names(out) == ["a"]
        other = out.with_name("other.csv")
        destination.choose(other)
        autosave.add(row("d"))
        assert autosave.error is None
    assert names(other) == list("abcd")


def test_a_drive_that_is_removed_is_noted(destination: Destination, out: Path) -> None:
    gone = out.parent / "stick"
    destination.choose(gone / "out.csv")
    with begun(destination) as autosave:
        autosave.add(row("a"))
    assert autosave.error is not None
    assert "its folder does not exist" in autosave.error.message


def test_a_file_is_replaced_only_if_the_user_was_asked_about_it(destination: Destination, out: Path) -> None:
    out.write_text("mine")
    destination.choose(out, may_replace=False)
    with begun(destination) as autosave:
        autosave.add(row("a"))
    assert autosave.error is not None
    assert "is not replaced" in autosave.error.message
    assert out.read_text() == "mine"
    destination.choose(out)
    with begun(destination) as autosave:
        autosave.add(row("a"))
    assert names(out) == ["a"]


def test_an_excel_file_cannot_grow_and_is_refused(destination: Destination, out: Path) -> None:
    destination.choose(out.with_suffix(".xlsx"))
    with begun(destination) as autosave:
        autosave.add(row("a"))
    assert autosave.error is not None
    assert "row by row" in autosave.error.message
    assert not list(out.parent.iterdir())

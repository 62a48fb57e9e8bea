"""Autosave in the panel: the rows are in a file while the run goes on."""

from __future__ import annotations

import csv
import json

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from tests.gui.conftest import flat


@pytest.fixture
def out(tmp_path, monkeypatch):
    """The file that the user chooses."""
    path = tmp_path / "out.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    return path


def names(path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return [line[0] for line in csv.reader(stream)][1:]


def turn_on(panel) -> None:
    panel.classify.more.click()
    panel.classify.autosave.click()


def test_rows_are_saved_while_they_come_and_are_not_asked_about(viewer, panel, classify, out):
    for value in (51, 204):
        viewer.add_image(flat(value), name=f"image {value}")
    turn_on(panel)
    assert panel.classify.autosave.text() == "Autosave to out.csv"
    classify(panel)
    assert names(out) == ["image 51", "image 204"]
    assert json.loads((out.parent / "out.csv.json").read_bytes())["complete"]
    assert "Autosaved 2 rows to out.csv." in panel.results.buttons.message.text
    assert panel._session.table.unsaved == 0
    classify(panel)
    assert names(out.with_name("out-2.csv")) == ["image 51", "image 204"]


def test_autosave_can_be_turned_on_while_a_run_is_on_and_off_again(viewer, panel, qtbot, choose, fake_catalogue, out):
    for value in (51, 204):
        viewer.add_image(flat(value), name=f"image {value}")
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    gate = fake_catalogue.models["brightness"].gate
    gate.clear()
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    panel.results.buttons.menu.autosave.trigger()
    gate.set()
    qtbot.waitUntil(lambda: not panel._session.running)
    assert names(out) == ["image 51", "image 204"]
    panel.results.buttons.menu.autosave.trigger()
    assert "Autosave is off." in panel.results.buttons.message.text
    assert panel.classify.autosave.text() == "Autosave…"
    assert not panel.classify.autosave.isChecked()


def test_no_file_chosen_leaves_autosave_off(panel, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    turn_on(panel)
    assert not panel.classify.autosave.isChecked()
    assert panel._session.destination.path is None


def test_a_drive_that_is_gone_is_told_and_the_run_goes_on(viewer, panel, classify, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "gone" / "out.csv"), ""))
    viewer.add_image(flat(51))
    turn_on(panel)
    run = classify(panel)
    assert "its folder does not exist" in panel.results.buttons.message.text
    assert (len(run.rows), panel._session.table.unsaved) == (1, 1)

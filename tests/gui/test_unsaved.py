"""Rows that are not saved are never discarded without a question."""

from __future__ import annotations

import csv
import threading

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox
from tests.gui.conftest import current_plane, flat

from napari_webipred import settings
from napari_webipred._napari.results import result_actions
from napari_webipred.errors import OptionError
from napari_webipred.preferences import ASK, Preferences


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """Shortcuts want a window that is shown."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def run(viewer, panel, classify, qtbot):
    """Two rows that are not saved."""
    for value in (51, 204):
        viewer.add_image(flat(value), name=f"image {value}")
    run = classify(panel)
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    return run


@pytest.fixture
def begin(panel):
    """Do what would discard the rows."""
    session = panel._session
    return lambda: panel.results.buttons.discard_rows(lambda: session.delete(session.table.numbers))


@pytest.fixture
def target(monkeypatch, tmp_path):
    """The file that the user chooses when asked where to save."""
    path = tmp_path / "kept.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    return path


def question(panel) -> QMessageBox | None:
    return panel.results.buttons.findChild(QMessageBox)


def answer(panel, qtbot, text: str) -> None:
    box = question(panel)
    (button,) = (button for button in box.buttons() if button.text().replace("&", "") == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def went_on(panel, run) -> bool:
    return panel.results.model.rowCount() == 0


def is_kept(panel, run) -> bool:
    return panel.results.model.rowCount() == 2 and panel._session.table.unsaved == 2


def test_clear_deletes_all_rows_without_a_question_and_can_be_undone(panel, run, qtbot):
    qtbot.mouseClick(panel.results.buttons.clear, Qt.MouseButton.LeftButton)
    assert question(panel) is None
    assert went_on(panel, run)
    qtbot.mouseClick(panel.results.deleted.undo, Qt.MouseButton.LeftButton)
    assert is_kept(panel, run)


def test_the_rows_stay_while_the_question_is_open(panel, run, begin):
    begin()
    assert "2 rows are not saved." in question(panel).text()
    assert {button.text().replace("&", "") for button in question(panel).buttons()} == {"Save…", "Discard", "Cancel"}
    assert is_kept(panel, run)
    question(panel).close()


def test_it_is_asked_once(panel, run, begin):
    begin()
    first = question(panel)
    panel.results.buttons.discard_rows(lambda: None)
    assert panel.results.buttons.findChildren(QMessageBox) == [first]
    first.close()


@pytest.mark.parametrize("how", ["button", "escape"])
def test_cancel_keeps_the_rows(panel, run, begin, qtbot, how):
    begin()
    if how == "button":
        answer(panel, qtbot, "Cancel")
    else:
        qtbot.keyClick(question(panel), Qt.Key.Key_Escape)
    assert question(panel) is None
    assert is_kept(panel, run)


def test_discard_goes_on_without_them(panel, run, begin, qtbot):
    begin()
    answer(panel, qtbot, "Discard")
    qtbot.waitUntil(lambda: went_on(panel, run))


def test_save_saves_them_and_then_goes_on(panel, run, begin, qtbot, target):
    begin()
    answer(panel, qtbot, "Save…")
    qtbot.waitUntil(lambda: went_on(panel, run))
    with target.open(newline="", encoding="utf-8") as stream:
        assert [line["image"] for line in csv.DictReader(stream)] == ["image 51", "image 204"]


def test_return_saves_and_discards_nothing(panel, run, begin, qtbot, target):
    begin()
    qtbot.keyClick(question(panel), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: went_on(panel, run))
    assert target.exists()


def test_no_place_chosen_keeps_the_rows(panel, run, begin, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    begin()
    answer(panel, qtbot, "Save…")
    assert is_kept(panel, run)


def test_a_save_that_fails_keeps_the_rows_and_says_so(panel, run, begin, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "out.csv"), ""))
    begin()
    answer(panel, qtbot, "Save…")
    qtbot.waitUntil(lambda: "out.csv" in panel.results.buttons.message.text)
    assert is_kept(panel, run)
    assert panel.results.buttons.save.isEnabled()


def test_rows_that_are_saved_are_not_asked_about(panel, run, begin, qtbot, target):
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: not panel._session.table.unsaved)
    begin()
    assert question(panel) is None
    qtbot.waitUntil(lambda: went_on(panel, run))


def test_what_comes_while_the_rows_are_being_saved_waits_for_that(panel, run, begin, qtbot, target, monkeypatch):
    gate = threading.Event()
    write = result_actions.save_rows

    def slowly(*arguments):
        while not gate.wait(0.01):
            yield
        return (yield from write(*arguments))

    monkeypatch.setattr(result_actions, "save_rows", slowly)
    panel.results.buttons.menu.all.trigger()
    begin()
    assert question(panel) is None
    assert is_kept(panel, run)
    gate.set()
    qtbot.waitUntil(lambda: went_on(panel, run))
    assert target.exists()


def test_no_run_begins_while_another_is_under_way(viewer, panel, fake_catalogue, qtbot, choose):
    viewer.add_image(np.zeros((30, 40, 40), np.uint8))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    fake_catalogue.models["brightness"].gate.clear()
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    run = panel._session.run
    panel.classify.button.click()
    with pytest.raises(OptionError, match="Wait, or cancel it"):
        panel.form()
    assert panel._session.run is run
    fake_catalogue.models["brightness"].gate.set()
    qtbot.waitUntil(lambda: not run.running)
    assert len(run.rows) == 30


def test_the_button_counts_images_and_their_planes(viewer, panel, qtbot, choose):
    viewer.add_image(np.zeros((3000, 4, 4), np.uint8))
    viewer.add_image(flat(1))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    assert panel.classify.button.text() == "Classify 2 images (3001 planes)"
    qtbot.mouseClick(current_plane(panel), Qt.MouseButton.LeftButton)
    assert panel.classify.button.text() == "Classify 2 images"


@pytest.mark.parametrize("text", ["Cancel", "Save…", "Discard"])
def test_closing_napari_asks_too_if_that_is_preferred(panel, run, qtbot, target, monkeypatch, text):
    settings.prefer(Preferences(closing=ASK))
    window = panel.window()
    assert not window.close()  # as Ctrl+W does
    assert window.isVisible()
    closed: list[bool] = []
    with monkeypatch.context() as kept_open:  # the fixture closes the window once more
        kept_open.setattr(window, "close", lambda: closed.append(True))
        answer(panel, qtbot, text)
        qtbot.waitUntil(lambda: closed == [True] or text == "Cancel")
    assert target.exists() == (text == "Save…")
    assert closed == [] or text != "Cancel"
    assert is_kept(panel, run) == (text != "Save…")


def test_a_script_that_closes_the_viewer_is_not_asked(make_napari_viewer, fake_catalogue, qtbot, monkeypatch):
    viewer = make_napari_viewer(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0)
    asked: list[object] = []
    monkeypatch.setattr(panel.results.buttons, "discard_rows", asked.append)
    monkeypatch.setattr(panel._closing, "_would_lose", lambda: True)
    monkeypatch.setattr(panel._closing, "_ask", asked.append)
    window = panel.window()
    assert not window.close()
    assert len(asked) == 1
    viewer.close()
    assert len(asked) == 1
    assert not window.isVisible()

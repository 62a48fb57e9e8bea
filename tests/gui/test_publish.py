"""The form that publishes a model: what is missing is asked for, and a folder is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QContextMenuEvent, QDesktopServices
from qtpy.QtWidgets import QApplication, QCheckBox, QFileDialog, QMessageBox, QPushButton
from tests.gui.test_dialogs import faults

from napari_webipred._napari.publishing.making import place_in
from napari_webipred._napari.publishing.publish_dialog import PublishDialog
from napari_webipred.publishing.deposit import SUMS
from zenodo_server import model_zip

QUALITY = "Image quality of microscopy and medical images"


@pytest.fixture
def opened_folders(monkeypatch):
    found: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: found.append(url.toLocalFile()) or True)
    return found


@pytest.fixture
def panel(open_panel):
    return open_panel()


def menu_of(panel, qtbot, name: str):
    """Open the context menu of a model."""
    view, filtered = panel.model.choice.list, panel.model.choice.filter
    (index,) = (index for row in range(filtered.rowCount()) if (index := filtered.index(row, 0)).data() == name)
    view.scrollTo(index)
    place: QPoint = view.visualRect(index).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, view.viewport().mapToGlobal(place))
    QApplication.sendEvent(view.viewport(), event)
    return panel.model.choice.menu.menu


def published(panel, qtbot, name: str) -> PublishDialog:
    """Choose “Publish…” and wait until the form is there."""
    menu = menu_of(panel, qtbot, name)
    qtbot.waitUntil(menu.isVisible)
    place = menu.actionGeometry(panel.model.choice.menu.publish).center()
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=place)
    (dialog,) = panel.window().findChildren(PublishDialog)
    qtbot.waitUntil(lambda: dialog.form.isVisible() or dialog.message.text != "", timeout=30_000)
    return dialog


def press(qtbot, button) -> None:
    """Click on a button; on a check box where its sign is, for the empty space behind its words takes no clicks."""
    place = QPoint(10, button.height() // 2) if isinstance(button, QCheckBox) else button.rect().center()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=place)


def make(dialog: PublishDialog, qtbot, monkeypatch, folder: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    press(qtbot, dialog.make)


@pytest.fixture
def own(panel, qtbot, tmp_path) -> str:
    """A model of the user's own that says nothing of itself but its preprocessing."""
    path = tmp_path / "patient-17.zip"
    path.write_bytes(model_zip(2, size=16))
    panel._session.catalogue.add(path)
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    panel._session.loading.start_with({"standardize": "tf", "classes": ["a", "b"]})
    qtbot.waitUntil(lambda: panel._session.loading.model is not None, timeout=30_000)
    return "patient-17"


def test_what_is_missing_is_asked_for_and_a_folder_is_made(panel, own, qtbot, monkeypatch, tmp_path, opened_folders):
    dialog = published(panel, qtbot, own)
    for title in ("Name: missing", "Authors: missing", "Licence: missing", "Classes: there. a, b"):
        assert title in dialog.check_list.text
    assert "patient-17" not in dialog.fields.texts().values()
    qtbot.keyClicks(dialog.fields.each["name"], "Leaves")
    qtbot.keyClicks(dialog.fields.each["authors"], "Roe, Jane; Brown University")
    qtbot.keyClicks(dialog.fields.each["license"], "MIT")
    qtbot.keyClicks(dialog.fields.each["description"], "Tells two diseases apart.")
    assert "missing" not in dialog.check_list.text
    assert "Name: there. Leaves" in dialog.check_list.text
    press(qtbot, dialog.verify)
    assert not dialog.packages.isVisible()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.docx").write_bytes(b"x")
    make(dialog, qtbot, monkeypatch, tmp_path / "full")
    qtbot.waitUntil(lambda: bool(opened_folders), timeout=60_000)
    folder = tmp_path / "full" / "leaves-deposit"
    assert opened_folders == [str(folder)]
    assert "files written to leaves-deposit" in dialog.message.text
    card = json.loads((folder / "webipred.json").read_text(encoding="utf-8"))
    assert (card["name"], card["license"]) == ("Leaves", "MIT")
    assert card["authors"] == [{"name": "Roe, Jane", "affiliation": "Brown University"}]
    press(qtbot, dialog.message.accept)
    assert opened_folders == [str(folder)] * 2


def test_an_earlier_deposit_is_replaced_after_a_question_only(panel, qtbot, monkeypatch, tmp_path, opened_folders):
    folder = tmp_path / "deposit"
    folder.mkdir()
    (folder / SUMS).write_text("")
    dialog = published(panel, qtbot, QUALITY)
    press(qtbot, dialog.verify)
    make(dialog, qtbot, monkeypatch, folder)
    (box,) = dialog.findChildren(QMessageBox)
    press(qtbot, box.button(QMessageBox.StandardButton.Cancel))
    assert (folder / SUMS).read_text() == ""
    make(dialog, qtbot, monkeypatch, folder)
    (box,) = dialog.findChildren(QMessageBox)
    press(qtbot, next(button for button in box.findChildren(QPushButton) if button.text() == "Replace it"))
    qtbot.waitUntil(lambda: bool(opened_folders), timeout=60_000)
    assert "golden-output.json" in (folder / SUMS).read_text()


def test_a_complete_model_shows_no_field_that_its_card_fills(panel, qtbot):
    dialog = published(panel, qtbot, QUALITY)
    shown = {field for field, widget in dialog.fields.each.items() if widget.isVisible()}
    assert shown == {"citations"}
    press(qtbot, dialog.all_fields)
    assert all(widget.isVisible() for widget in dialog.fields.each.values())
    assert dialog.fields.texts()["license"] == "BSD-3-Clause"


def test_a_mistake_is_told_at_once_and_nothing_can_be_made(panel, own, qtbot):
    dialog = published(panel, qtbot, own)
    qtbot.keyClicks(dialog.fields.each["authors"], "Roe, Jane; 0000-0002-1825-0098")
    assert "check digit" in dialog.message.text
    assert not dialog.make.isEnabled()
    qtbot.keyClick(dialog.fields.each["authors"], Qt.Key.Key_Backspace)
    qtbot.keyClicks(dialog.fields.each["authors"], "7")
    assert dialog.message.text == ""
    assert dialog.make.isEnabled()


def test_an_error_stands_in_the_form(panel, qtbot, monkeypatch, tmp_path):
    dialog = published(panel, qtbot, QUALITY)
    dialog.evaluation.set_path(tmp_path)
    press(qtbot, dialog.verify)
    make(dialog, qtbot, monkeypatch, tmp_path / "deposit")
    qtbot.waitUntil(lambda: "metrics-webipred.json" in dialog.message.text, timeout=60_000)
    assert not (tmp_path / "deposit").exists()
    assert dialog.make.isEnabled()


def test_closing_the_form_stops_the_work(panel, qtbot, monkeypatch, tmp_path):
    from napari_webipred._napari import task

    dialog = published(panel, qtbot, QUALITY)
    press(qtbot, dialog.verify)
    make(dialog, qtbot, monkeypatch, tmp_path / "deposit")
    press(qtbot, dialog.close_button)
    qtbot.waitUntil(lambda: not task.under_way(), timeout=60_000)
    qtbot.waitUntil(lambda: panel.window().findChildren(PublishDialog) == [])


def test_a_model_that_is_not_here_cannot_be_published(panel, qtbot):
    choice = panel.model.choice
    row = next(row for row in range(choice.filter.rowCount()) if "Pneumonia" in choice.filter.index(row, 0).data())
    assert not menu_of(panel, qtbot, choice.filter.index(row, 0).data()).isVisible()


def test_the_form_can_be_used_by_keyboard(panel, own, qtbot):
    dialog = published(panel, qtbot, own)
    dialog.resize(460, 1150)  # so that nothing has to be scrolled
    qtbot.waitUntil(lambda: dialog.scroll.verticalScrollBar().maximum() == 0)
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    assert faults(dialog, qtbot) == []
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_the_form_fits_into_a_narrow_window(panel, own, qtbot):
    dialog = published(panel, qtbot, own)
    dialog.resize(300, 700)
    qtbot.waitUntil(lambda: dialog.width() == 300)
    assert dialog.scroll.horizontalScrollBar().maximum() == 0
    press(qtbot, dialog.all_fields)
    assert dialog.scroll.horizontalScrollBar().maximum() == 0


@pytest.mark.parametrize(
    ("present", "inside"),
    [(None, ""), ([], ""), ([SUMS, "README.md"], ""), (["thesis.docx"], "my-model-deposit")],
)
def test_a_folder_with_other_files_gets_a_folder_inside(tmp_path, present, inside):
    folder = tmp_path / "chosen"
    if present is not None:
        folder.mkdir()
        for name in present:
            (folder / name).write_text("")
    assert place_in(folder, "My model") == folder / inside

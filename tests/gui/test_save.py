"""Saving results from the panel replaces nothing that the dialog has not asked about."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from tests.gui.conftest import flat

pytest.importorskip("napari")

from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog


@pytest.fixture
def save(viewer, panel, qtbot, classify, monkeypatch):
    """Classify a layer and save the result under a name that the dialog gives; return what the panel says then."""
    viewer.add_image(np.full((40, 40, 3), 255, np.uint8), name="a\nlayer\x1b[2J")
    classify(panel)

    def save_as(path) -> str:
        panel.results.buttons.message.clear()
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        panel.results.buttons.menu.all.trigger()
        qtbot.waitUntil(lambda: bool(panel.results.buttons.message.text))
        return panel.results.buttons.message.text

    return save_as


@pytest.mark.parametrize("name", ["scan.png", "net.onnx"])
def test_a_table_is_not_saved_under_the_name_of_an_image_or_a_model(save, tmp_path, name):
    (tmp_path / name).write_text("precious")
    said = save(tmp_path / name)
    assert f"<b>{name} cannot be written: the results are saved as CSV, TSV or Excel.</b>" in said
    assert "Choose a name that ends in .csv." in said
    assert (tmp_path / name).read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir() if "." in path.name} == {name}


def test_the_file_that_the_dialog_has_asked_about_is_replaced_but_not_another_beside_it(save, tmp_path):
    out, record = tmp_path / "out.csv", tmp_path / "out.csv.json"
    out.write_text("the dialog has asked about this")
    record.write_text("but not about this")
    said = save(out)
    assert "<b>out.csv.json is not replaced: it was not written by napari-webipred" in said
    assert (out.read_text(), record.read_text()) == ("the dialog has asked about this", "but not about this")
    record.unlink()
    assert "Saved 1 row to out.csv." in save(out)
    assert "Saved 1 row to out.csv." in save(out)  # its record is ours now
    with out.open(newline="", encoding="utf-8") as stream:
        _, line = csv.reader(stream)
    assert line[0] == r"a\x0alayer\x1b[2J"


@pytest.fixture
def three(viewer, panel, classify):
    """Three rows."""
    for value in (51, 102, 204):
        viewer.add_image(flat(value), name=f"image {value}")
    classify(panel)
    return panel


@pytest.fixture
def save_with(three, qtbot, monkeypatch):
    """Choose an item of the menu and a file, and return what the panel says then."""

    def save_it(action, path, kind="") -> str:
        three.results.buttons.message.clear()
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), kind))
        action.trigger()
        qtbot.waitUntil(lambda: bool(three.results.buttons.message.text))
        return three.results.buttons.message.text

    return save_it


def names(path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return [line[0] for line in csv.reader(stream)][1:]


def select(panel, row: int) -> None:
    index = panel.results.table.model().index(row, 0)
    flags = QItemSelectionModel.SelectionFlag
    panel.results.table.selectionModel().select(index, flags.ClearAndSelect | flags.Rows)


def test_the_menu_opens_with_a_click_and_says_how_many_rows_each_item_is_about(three, qtbot):
    buttons = three.results.buttons
    qtbot.mouseClick(buttons.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(buttons.menu.menu.isVisible)
    assert buttons.menu.all.text() == "Save all rows (3)…"
    assert buttons.menu.selected.text() == "Save selected rows (1)…"
    assert not buttons.menu.shown.isEnabled()  # no filter hides anything
    buttons.menu.menu.close()


def test_selected_rows_are_saved_and_the_others_stay_unsaved(three, save_with, tmp_path):
    select(three, 1)
    assert "Saved 1 row to some.csv." in save_with(three.results.buttons.menu.selected, tmp_path / "some.csv")
    assert names(tmp_path / "some.csv") == ["image 102"]
    assert three._session.table.unsaved == 2


def test_a_name_without_a_suffix_gets_that_of_the_chosen_kind(three, save_with, tmp_path):
    said = save_with(three.results.buttons.menu.all, tmp_path / "out", "TSV, separated by tabs (*.tsv)")
    assert "Saved 3 rows to out.tsv." in said
    assert (tmp_path / "out.tsv").read_text().splitlines()[0] == "image\tdark\tbright\tprediction\terror"


def test_an_excel_file_has_the_numbers_of_the_rows(three, save_with, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    assert "Saved 3 rows to out.xlsx." in save_with(three.results.buttons.menu.all, tmp_path / "out.xlsx")
    sheet = list(openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(values_only=True))
    table = three._session.table
    for line, number in zip(sheet[1:], table.numbers, strict=True):
        np.testing.assert_array_equal(np.array(line[1:3], np.float32), table.entry(number).row.probabilities)


def test_rows_of_two_models_are_saved_in_one_file(three, save_with, classify, tmp_path):
    classify(three, "Eye")
    save_with(three.results.buttons.menu.all, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["run"], line["model"]) for line in lines] == [("1", "Brightness")] * 3 + [("2", "Eye")] * 3
    assert list(lines[0])[3:8] == ["dark", "bright", "blood", "drusen", "normal"]
    assert three._session.table.unsaved == 0


def test_rows_that_change_while_they_are_saved_stay_unsaved(three, save_with, monkeypatch, qtbot, tmp_path):
    from napari_webipred._napari.results import result_actions

    write = result_actions.save_rows

    def changed_then(*arguments):
        result = yield from write(*arguments)
        while not three._session.table.entry(0).comment:
            yield
        return result

    monkeypatch.setattr(result_actions, "save_rows", changed_then)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out.csv"), ""))
    three.results.buttons.menu.all.trigger()
    three._session.comment(0, "look again")
    qtbot.waitUntil(lambda: "Save them again." in three.results.buttons.message.text)
    assert three._session.table.unsaved == 3


def test_ctrl_c_copies_the_selected_rows_without_a_header_and_the_menu_with_one(three, qtbot):
    panel, clipboard = three, QGuiApplication.clipboard()
    select(panel, 2)
    for copy, lines in ((panel.results.buttons.copy_rows, 1), (panel.results.buttons.menu.copy.trigger, 2)):
        clipboard.clear()
        copy()
        qtbot.waitUntil(lambda: bool(clipboard.text()))
        assert len(clipboard.text().splitlines()) == lines
        assert clipboard.text().splitlines()[-1].split("\t")[0] == "image 204"

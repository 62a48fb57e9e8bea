"""Saving results from the panel replaces nothing that the dialog has not asked about."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog


@pytest.fixture
def save(viewer, panel, qtbot, classify, monkeypatch):
    """Classify a layer and save the result under a name that the dialog gives; return what the panel says then."""
    viewer.add_image(np.full((40, 40, 3), 255, np.uint8), name="a\nlayer\x1b[2J")
    classify(panel)

    def save_as(path) -> str:
        panel.results.buttons.message.clear()
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        qtbot.mouseClick(panel.results.buttons.save, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: bool(panel.results.buttons.message.text))
        return panel.results.buttons.message.text

    return save_as


@pytest.mark.parametrize("name", ["new.xlsx", "scan.png", "net.onnx"])
def test_a_table_is_not_saved_under_the_name_of_a_spreadsheet_an_image_or_a_model(save, tmp_path, name):
    (tmp_path / name).write_text("precious")
    said = save(tmp_path / name)
    assert f"<b>{name} cannot be written: the results are CSV text.</b>" in said
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
    assert "Saved out.csv." in save(out)
    assert "Saved out.csv." in save(out)  # its record is ours now
    with out.open(newline="", encoding="utf-8") as stream:
        _, line = csv.reader(stream)
    assert line[0] == r"a\x0alayer\x1b[2J"

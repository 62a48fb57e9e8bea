from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog
from tests.gui.conftest import CHEST, card, flat

from napari_webipred._napari.evaluation.evaluation_widget import EvaluationWidget
from napari_webipred._napari.evaluation.performance import Performance
from napari_webipred._napari.explanations.explain_run import _opened_again
from napari_webipred._napari.form_settings import apply, plain_settings
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.results.run_code import _options
from napari_webipred.errors import OptionError


@pytest.fixture
def evaluation(panel, qtbot, viewer):
    def open_it() -> EvaluationWidget:
        qtbot.mouseClick(panel.results.buttons.evaluate, Qt.MouseButton.LeftButton)
        return viewer.window.add_plugin_dock_widget("napari-webipred", "Evaluation")[1]

    return open_it


PATIENCE = 60_000  # milliseconds: matplotlib is imported first


def choose_source(view, key: str) -> None:
    view.labels.source.setCurrentIndex(view.labels.source.findData(key))


def assert_both_right(view, qtbot) -> None:
    """Evaluate by the labels of the layer “cells”, of which two are about regions of the run, and right."""
    choose_source(view, "features")
    view.labels.features.layer.setCurrentText("cells")
    view.labels.features.column.setCurrentText("kind")
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert view.summary.text().startswith("2 rows with a label")
    assert "Right: 100.0%" in view.summary.text()


def drawn(view, qtbot):
    qtbot.waitUntil(lambda: not view.pane.latest.busy and view.pane.view.picture is not None, timeout=PATIENCE)
    return view.pane.view.picture


def test_labels_that_are_typed_give_a_matrix_whose_cells_select_rows(
    viewer, panel, classify, evaluation, qtbot, tmp_path, monkeypatch
):
    for number, value in enumerate((20, 60, 200, 230)):
        viewer.add_image(flat(value), name=f"image{number}")
    classify(panel)
    view = evaluation()
    assert not view.evaluate.isEnabled()  # no file is chosen
    choose_source(view, "typed")
    table = view.labels.typed.view
    table.setFocus()
    for key in ("1", "2", "2", "1"):  # and each time the next row follows
        qtbot.keyClick(table, key)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert view.summary.text().startswith("4 rows with a label. Right: 50.0%")
    view.pane.show_plot("confusion", "raw")
    area = next(each for each in drawn(view, qtbot).areas if (each.row, each.column) == (0, 1))
    at = QPoint(round(area.left + area.width / 2), round(area.top + area.height / 2))
    qtbot.mouseClick(view.pane.view, Qt.MouseButton.LeftButton, pos=at)
    assert [entry.row.image for entry in panel.results.selected_entries()] == ["image3"]
    assert viewer.layers.selection.active.name == "image3"
    assert view.pane.note.text() == "Selected: 1 image of dark, assigned bright."
    qtbot.keyClick(view.pane.view, Qt.Key.Key_Left)
    qtbot.keyClick(view.pane.view, Qt.Key.Key_Return)
    assert [entry.row.image for entry in panel.results.selected_entries()] == ["image0"]
    before = view.pane.view.picture
    viewer.theme = "light"
    assert drawn(view, qtbot) is not before
    assert view.pane.view.picture.pixels[0, 0, 0] > 200
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "matrix.csv"), ""))
    view.pane.actions["CSV"].trigger()
    qtbot.waitUntil(lambda: "Saved matrix.csv" in view.pane.message.text)
    lines = list(csv.reader((tmp_path / "matrix.csv").read_text().splitlines()))
    assert lines == [["true", "dark", "bright"], ["dark", "1", "1"], ["bright", "1", "1"]]


def test_figures_say_that_they_are_of_another_threshold_as_long_as_they_are(
    viewer, panel, classify, evaluation, qtbot, tmp_path, monkeypatch
):
    viewer.add_image(flat(102), name="a")  # blood 0.6, drusen 0.4, normal 0.2
    viewer.add_image(flat(204), name="b")
    classify(panel, "Eye")
    view = evaluation()
    (tmp_path / "labels.csv").write_text("image,blood,drusen,normal\na,1,0,0\nb,1,1,0\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "labels.csv"), ""))
    qtbot.mouseClick(view.labels.browse, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(view.evaluate.isEnabled)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert view.outdated.text == ""
    panel._session.set_threshold(panel._session.table.runs[0], 0.3)
    assert "The threshold is 0.3 now, and these figures are of 0.5." in view.outdated.text
    panel._session.set_threshold(panel._session.table.runs[0], 0.5)
    assert view.outdated.text == ""


def test_an_answer_about_one_of_two_files_of_one_name_counts_for_that_one_only(
    panel, classify, evaluation, qtbot, tmp_path
):
    files = [tmp_path / folder / "1.png" for folder in ("first", "second")]
    for value, file in zip((20, 230), files, strict=True):
        file.parent.mkdir()
        Image.fromarray(flat(value)).save(file)
    panel.form.images.value = files
    qtbot.waitUntil(lambda: not any(entry.finding for entry in panel._session.images.files))
    classify(panel)
    view = evaluation()
    choose_source(view, "typed")
    view.labels.typed.view.setFocus()
    qtbot.keyClick(view.labels.typed.view, "1")
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert view.summary.text().startswith("1 row with a label. Right: 100.0%")


@pytest.mark.parametrize("outside", ["keep", "blank"])
def test_labels_of_shapes_go_with_the_shapes_though_others_were_removed_and_drawn_since(
    viewer, panel, classify, evaluation, qtbot, outside
):
    image = np.stack([np.repeat(flat(value, (40, 10)), 4, axis=0)[:40] for value in (20, 230)])
    viewer.add_image(np.concatenate([image, 255 - image], axis=2), name="stack", axis_labels=("z", "y", "x"))
    boxes = [np.array([[2, left], [2, left + 6], [12, left + 5], [12, left]]) for left in (1, 11, 3)]
    boxes[2] = boxes[2] + [20, 0]
    cells = viewer.add_shapes(boxes, shape_type="polygon", features={"kind": ["dark", "bright", "dark"]}, name="cells")
    panel.form.planes.value = "current"
    panel.form.regions.value = unwrapped(cells)
    panel.form.outside.value = outside
    qtbot.waitUntil(lambda: not panel.form.finder.searching)
    run = classify(panel)
    qtbot.waitUntil(lambda: not panel._session.regions.busy)
    assert [row.prediction for row in run.rows] == ["dark", "bright", "dark"]
    cells.selected_data = {0}
    cells.remove_selected()
    cells.add_polygons([boxes[0] + [20, 10]])
    assert list(cells.features["kind"][:2]) == ["bright", "dark"]
    view = evaluation()
    assert_both_right(view, qtbot)
    assert [run.rows[number].region for number in view.outcome.numbers] == ["1", "2", "3"]


def test_labels_that_were_numbered_anew_since_the_run_are_those_of_their_pixels(
    viewer, panel, classify, evaluation, qtbot
):
    image = flat(20)
    image[:, 20:] = 230
    viewer.add_image(image, name="image")
    halves = np.repeat([[1] * 20 + [2] * 18 + [0, 3]], 40, axis=0)
    cells = viewer.add_labels(halves, name="cells")
    panel.form.regions.value = unwrapped(cells)
    qtbot.waitUntil(lambda: not panel.form.finder.searching)
    assert [row.prediction for row in classify(panel).rows] == ["dark", "bright", "bright"]
    qtbot.waitUntil(lambda: not panel._session.regions.busy)
    cells.data = np.array([0, 2, 1, 0])[halves]
    cells.features = {"index": [1, 2], "kind": ["bright", "dark"]}
    view = evaluation()
    assert_both_right(view, qtbot)


def test_thresholds_that_are_kept_can_be_chosen_at_once(viewer, panel, classify, evaluation, qtbot):
    for number, value in enumerate((20, 40, 60, 100, 110, 120, 160, 200, 230, 240)):
        viewer.add_image(flat(value), name=f"image{number}")
    classify(panel)
    assert panel.classify.threshold.isHidden()
    view = evaluation()
    choose_source(view, "typed")
    view.labels.typed.view.setFocus()
    for key in "1112222222":
        qtbot.keyClick(view.labels.typed.view, key)
    view.fits.rule.setCurrentIndex(view.fits.rule.findData("youden"))
    view.fits.calibrate.setChecked(True)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None or view.message.text != "", timeout=PATIENCE)
    assert "Calibrated" in panel.results.model.headings()
    assert panel._session.table.runs[0].calibration == view.outcome.evaluation.calibration
    view.files.keep.trigger()
    (dialog,) = view.findChildren(QInputDialog)
    dialog.setTextValue("screening")
    dialog.accept()
    qtbot.waitUntil(lambda: not panel.classify.threshold.isHidden())
    assert panel.form.thresholds.choices == (None, "screening")
    assert panel.form.threshold.native.isHidden()  # a number counts for no such model
    qtbot.keyClicks(panel.form.thresholds.native, "screen")
    panel.form()
    qtbot.waitUntil(lambda: not panel._session.running and len(panel._session.table.runs) == 2)
    first, second = panel._session.table.runs
    assert (first.card.thresholds, second.card.thresholds) == (None, "screening")
    rows = [panel._session.table.entry(n).row.prediction for n in panel._session.table.rows_of(second)]
    assert rows == ["dark"] * 3 + ["bright"] * 7  # 100, 110 and 120 were dark
    assert dict(_options(second))["threshold"] == "screening"
    panel.form.views.value = "flip"  # which gives other probabilities
    assert not panel.classify.button.isEnabled()
    assert "The thresholds screening were chosen with other settings (views: " in panel.classify.why.text()
    with pytest.raises(OptionError, match="thresholds screening"):
        panel.form()
    panel.form.views.value = None
    assert (panel.classify.why.text(), panel.classify.more.text()) == ("", "More options…")
    saved = plain_settings(panel.form)
    panel.form.model.value = "eye"
    assert panel.form.thresholds.value is None
    apply(panel.form, panel._session, saved)
    qtbot.waitUntil(lambda: panel.form.thresholds.value == "screening")


def test_labels_of_a_file_are_matched_and_what_does_not_count_is_listed(
    viewer, panel, classify, evaluation, qtbot, tmp_path, monkeypatch
):
    for number, value in enumerate((20, 60, 230)):
        viewer.add_image(flat(value), name=f"image{number}")
    classify(panel)
    view = evaluation()
    path = tmp_path / "labels.csv"
    path.write_text("image,label,patient\nimage0,dark,p\nimage2,bright,q\nother,dark,q\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    qtbot.mouseClick(view.labels.browse, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.labels.groups.findData("patient") > 0)
    view.labels.groups.setCurrentIndex(view.labels.groups.findData("patient"))
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert "2 rows with a label in 2 groups by patient" in view.summary.text()
    assert "Not counted: 2." in view.summary.text()
    view.pane.show_plot("unmatched")
    model = view.pane.table.model()
    assert [model.index(row, 0).data() for row in range(model.rowCount())] == ["image1", "other"]
    choose_source(view, "typed")
    view.labels.typed.view.setFocus()
    for key in "112":
        qtbot.keyClick(view.labels.typed.view, key)
    view.labels.groups.setFocus()
    qtbot.keyClicks(view.labels.groups, "a column")
    assert not view.evaluate.isEnabled()  # no file is chosen
    qtbot.mouseClick(view.labels.group_file.browse, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.labels.group_file.column.count() == 2)
    qtbot.keyClicks(view.labels.group_file.column, "patient")
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "3 rows with a label in 3 groups by patient" in view.summary.text(), timeout=PATIENCE)
    choose_source(view, "folders")
    view.labels.groups.setCurrentIndex(0)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.message.text != "")
    assert "label" in view.message.text
    viewer.window.remove_dock_widget(view)
    QApplication.processEvents()
    panel._session.delete([0])  # nobody who is gone listens


def test_runs_are_joined_and_the_ensemble_is_evaluated_saved_and_not_explained(
    viewer, fake_catalogue, panel, classify, evaluation, qtbot, tmp_path, monkeypatch
):
    fake_catalogue.models["eye"].card = card("eye", "Eye", {"cup": None, "disc": None})
    for number, value in enumerate((20, 120, 230)):
        viewer.add_image(flat(value), name=f"image{number}")
    classify(panel)
    classify(panel, "Eye")
    view = evaluation()
    choose_source(view, "run")
    assert view.labels.others.numbers == [1]  # the other one is chosen unasked
    assert list(view.labels.mapping.choices[2]) == ["cup", "disc"]
    assert not view.evaluate.isEnabled()  # nobody has said which classes are the same
    for name, same in (("cup", "dark"), ("disc", "bright")):
        qtbot.keyClicks(view.labels.mapping.choices[2][name], same)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not view.compared.isHidden() or view.message.text != "", timeout=PATIENCE)
    assert view.summary.text().startswith("3 images in both runs. Same class: 100.0%")
    qtbot.keyClicks(view.compared.method, "weighted")
    view.compared.weights.setText("one, two")
    qtbot.mouseClick(view.compared.add, Qt.MouseButton.LeftButton)
    assert "The weights one, two are no numbers." in view.message.text
    view.compared.weights.setText("3, 1")
    qtbot.mouseClick(view.compared.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Run 3, ensemble (weighted): 3 rows." in view.message.text, timeout=PATIENCE)
    table = panel._session.table
    third = [table.entry(number) for number in table.rows_of(table.runs[2])]
    assert [entry.row.prediction for entry in third] == ["dark", "dark", "bright"]
    assert third[0].run.ensemble["weights"] == {"1: Brightness": 0.75, "2: Eye": 0.25}
    panel.results.choose([int(table.numbers[-1])])
    panel.results.chosen.emit(third[2])
    assert viewer.layers.selection.active.name == "image2"  # its rows are about the same layers
    assert view.run.findData(3) >= 0
    view.run.setCurrentIndex(view.run.findData(3))
    choose_source(view, "typed")
    view.labels.typed.view.setFocus()
    for key in "112":
        qtbot.keyClick(view.labels.typed.view, key)
    qtbot.mouseClick(view.evaluate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.outcome is not None, timeout=PATIENCE)
    assert view.summary.text().startswith("3 rows with a label. Right: 100.0%")
    assert view.compared.isHidden()
    with pytest.raises(OptionError, match="whose maps differ"):
        next(_opened_again(third[0].run))
    panel.results.buttons.menu.python_files.trigger()
    assert "join those of other runs" in panel.results.buttons.message.text
    path = tmp_path / "my.webipred.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    panel.results.buttons.menu.save_session.trigger()
    qtbot.waitUntil(lambda: "Saved 9 rows to my.webipred.json." in panel.results.buttons.message.text)
    panel.results.buttons.menu.open_session.trigger()
    qtbot.waitUntil(lambda: "Opened my.webipred.json: 3 runs, 9 rows." in panel.results.buttons.message.text)
    again = [table.entry(number) for number in table.rows_of(table.runs[5])]
    assert again[0].run.ensemble == third[0].run.ensemble
    assert [entry.row.assigned for entry in again] == [entry.row.assigned for entry in third]
    csv_path = tmp_path / "rows.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(csv_path), ""))
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: "Saved 18 rows to rows.csv." in panel.results.buttons.message.text)
    recorded = json.loads((tmp_path / "rows.csv.json").read_text())["runs"][2]
    assert recorded["ensemble"]["method"] == "weighted"
    assert "reference" not in recorded["model"]  # nothing opens it again


def test_the_published_performance_is_shown_where_the_card_has_one(panel, fake_catalogue, choose, qtbot):
    counts = {"classes": ["NORMAL", "PNEUMONIA"], "counts": [[9, 1], [2, 8]]}
    assert panel.model.performance.isHidden()
    entry = next(entry for entry in panel._session.catalogue.models.items if entry.card.id == CHEST.id)
    entry.card.metrics.update(accuracy=0.85, confusion_matrix=counts, test_set="20 <b>children</b>")
    choose(panel, "Chest")
    qtbot.mouseClick(panel.model.performance, Qt.MouseButton.LeftButton)
    dialog = panel.model.findChild(Performance)
    assert "20 <b>children</b>" in dialog.origin.text()
    assert dialog.origin.textFormat() == Qt.TextFormat.PlainText
    dialog.pane.show_plot("confusion")
    assert len(drawn(dialog, qtbot).areas) == 4
    assert Path(dialog.pane._name).name == "chest-published"
    dialog.reject()
    entry.card.metrics.clear()

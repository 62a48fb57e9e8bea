from __future__ import annotations

import csv
import gc
import json
import weakref

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget
from tests.gui.conftest import card, current_plane, flat

from napari_webipred._napari.beginning import MODULES
from napari_webipred._napari.images.place import grid
from napari_webipred._napari.task import under_way
from napari_webipred._napari.viewer_session import _sessions, session_of, unwrapped
from napari_webipred._napari.widgets.message import Message
from napari_webipred.engine import Options
from napari_webipred.runtime.outputs import ModelOutput


def cells(panel, row: int) -> list[str]:
    model = panel.results.model
    return [str(model.index(row, column).data()) for column in range(model.columnCount())]


def column(panel, heading: str) -> int:
    return panel.results.model.headings().index(heading)


def click_row(panel, qtbot, row: int) -> None:
    table = panel.results.table
    index = panel.results.model.index(row, 0)
    table.scrollTo(index)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center())


def test_from_choosing_a_model_to_a_saved_csv(viewer, panel, qtbot, classify, monkeypatch, tmp_path):
    viewer.add_image(flat(51), name="first")
    viewer.add_image(flat(204), name="second")
    viewer.add_image(flat(0), name="not this one")
    panel.images.choice.list.scrollTo(panel.images.choice.layers.index(2))
    box = panel.images.choice.list.itemDelegate().box(
        panel.images.choice.list.visualRect(panel.images.choice.layers.index(2))
    )
    qtbot.mouseClick(panel.images.choice.list.viewport(), Qt.MouseButton.LeftButton, pos=box.center())
    classify(panel)
    assert panel.results.model.rowCount() == 2
    assert cells(panel, 0) == ["first", "dark", "0.800", "0.800", "0.200"]
    assert cells(panel, 1) == ["second", "bright", "0.800", "0.200", "0.800"]

    click_row(panel, qtbot, 0)
    assert viewer.layers.selection.active.name == "first"
    assert [bar.probability for bar in panel.results.detail.chart.bars] == pytest.approx([0.8, 0.2], abs=1e-6)

    target = tmp_path / "out.csv"
    asked = []

    def ask(parent, title, suggested, *rest):
        asked.append(suggested)
        return str(target), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: "Saved" in panel.results.buttons.message.text)
    assert asked[0].startswith("brightness-")
    with target.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == ["image", "dark", "bright", "prediction", "error"]
    assert [(line[0], line[3]) for line in lines[1:]] == [("first", "dark"), ("second", "bright")]
    assert float(lines[2][2]) == pytest.approx(0.8, abs=1e-6)
    record = json.loads((tmp_path / "out.csv.json").read_text(encoding="utf-8"))
    assert record["model"]["id"] == "brightness"
    assert record["options"]["intensity"] == "auto"


def test_the_whole_path_with_the_keyboard(viewer, panel, qtbot):
    viewer.add_image(flat(255), name="white")
    qtbot.keyClicks(panel.model.choice.search, "optics")
    assert panel.model.choice.filter.rowCount() == 1
    qtbot.keyClick(panel.model.choice.list, Qt.Key.Key_Down)
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.keyClick(panel.images.choice.list, Qt.Key.Key_Down)
    qtbot.keyClick(panel.images.choice.list, Qt.Key.Key_Space)
    assert not panel.classify.button.isEnabled()
    qtbot.keyClick(panel.images.choice.list, Qt.Key.Key_Space)
    qtbot.keyClick(panel.classify.button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running)
    assert cells(panel, 0)[:2] == ["white", "bright"]


def test_the_panel_says_what_is_missing(viewer, panel, qtbot, choose):
    assert panel.classify.why.text() == "Choose a model first."
    assert "Drop image files onto the viewer" in panel.images.choice.hint.text()
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel.classify.why.text() == "Open or select an image first.")
    viewer.add_image(flat(0))
    assert panel.classify.button.isEnabled()
    assert panel.classify.button.text() == "Classify 1 image"


def test_choosing_a_row_moves_the_slider_and_the_slider_chooses_the_row(viewer, panel, qtbot, classify):
    stack = np.stack([flat(value, (40, 40)) for value in (0, 60, 120, 250)])
    layer = viewer.add_image(stack, name="stack", scale=(2.5, 1, 1))
    classify(panel)
    assert panel.results.model.rowCount() == 4
    click_row(panel, qtbot, 2)
    assert viewer.dims.point[0] == pytest.approx(2 * 2.5)
    viewer.layers.selection.active = layer
    viewer.dims.set_point(0, 3 * 2.5)
    assert list(panel.results.chosen_entry.row.position.values()) == [3]
    assert panel.results.table.currentIndex().row() == 3


def test_the_slider_moves_along_planes_and_not_along_channels(viewer, panel, qtbot, classify):
    stack = np.stack([flat(value, (3, 40, 40)) for value in (0, 60, 120, 250)], axis=1)
    layer = viewer.add_image(stack, name="stack", axis_labels=("c", "z", "y", "x"))
    classify(panel)
    assert panel.results.model.rowCount() == 4
    click_row(panel, qtbot, 2)
    assert viewer.dims.point[1] == 2
    viewer.layers.selection.active = layer
    viewer.dims.set_point(1, 3)
    assert list(panel.results.chosen_entry.row.position.values()) == [3]


def test_choosing_a_row_hides_the_images_that_lie_over_its_own(viewer, panel, qtbot, classify):
    for name in "abc":
        viewer.add_image(flat(0), name=name)
    marks = viewer.add_points([[1, 1]], name="marks")
    classify(panel)
    click_row(panel, qtbot, 1)
    assert [layer.visible for layer in viewer.layers] == [True, True, False, True]
    click_row(panel, qtbot, 2)
    assert viewer.layers["c"].visible
    assert marks.visible
    grid(viewer).enabled = True
    click_row(panel, qtbot, 0)
    assert all(layer.visible for layer in viewer.layers)


def test_the_row_of_the_active_layer_is_chosen(viewer, panel, classify):
    for name in "abc":
        viewer.add_image(flat(0), name=name)
    viewer.layers.selection.active = viewer.layers["b"]
    classify(panel)
    assert panel.results.chosen_entry.row.image == "b"
    viewer.layers.selection.active = viewer.layers["c"]
    assert panel.results.chosen_entry.row.image == "c"


def test_the_current_plane_alone_can_be_classified(viewer, panel, qtbot, classify):
    viewer.add_image(np.stack([flat(value, (40, 40)) for value in (0, 60, 255)]), name="stack")
    viewer.dims.set_point(0, 2)
    qtbot.mouseClick(current_plane(panel), Qt.MouseButton.LeftButton)
    assert panel.classify.button.text() in ("Classify", "Classify 1 image")
    run = classify(panel)
    assert [list(row.position.values()) for row in run.rows] == [[2]]
    assert run.rows[0].prediction == "bright"


def test_contrast_limits_never_change_a_result(viewer, panel, classify):
    values = np.linspace(0, 60000, 1600).reshape(40, 40).astype(np.uint16)
    layer = viewer.add_image(values)
    before = classify(panel).rows[0].probabilities
    layer.contrast_limits = (30000, 30500)
    layer.gamma = 0.3
    assert classify_again(panel, classify).rows[0].probabilities.tolist() == before.tolist()


def classify_again(panel, classify):
    panel.sections[0].header.setChecked(True)
    return classify(panel)


def test_a_fixed_intensity_range_counts(viewer, panel, classify):
    viewer.add_image(np.full((40, 40), 500, np.uint16))
    panel.form.intensity.native.choice.value = "fixed"
    panel.form.intensity.native.low.setValue(0)
    panel.form.intensity.native.high.setValue(1000)
    run = classify(panel)
    assert run.rows[0].intensity_range == (0, 1000)
    assert run.rows[0].probabilities[1] == pytest.approx(0.5, abs=0.01)


def test_an_image_that_fails_keeps_its_row_and_says_why(viewer, panel, qtbot, classify):
    viewer.add_image(flat(10), name="good")
    viewer.add_image(np.full((40, 40), np.nan), name="holes", contrast_limits=(0, 1))
    run = classify(panel)
    assert [row.failed for row in run.rows] == [False, True]
    assert "1 of 2" in panel.classify.message.text
    click_row(panel, qtbot, 1)
    assert "NaN" in panel.results.detail.error.text
    assert panel.results.detail.view.isHidden()


def test_a_remark_stands_with_the_row_and_is_announced(viewer, panel, qtbot, classify):
    textured = np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)
    viewer.add_image(textured, name="good")
    viewer.add_image(np.full((40, 40), 7, np.uint8), name="empty <b>slide</b>", contrast_limits=(0, 255))
    run = classify(panel)
    assert [row.remark for row in run.rows] == ["", "The image is blank: all its pixels are the same."]
    assert "Remarks on 1 of 2 rows." in panel.classify.message.text
    click_row(panel, qtbot, 1)
    assert "The image is blank" in panel.results.detail.remark.text
    assert not panel.results.detail.view.isHidden()
    class_cell = panel.results.model.index(1, 1)
    assert "The image is blank" in class_cell.data(Qt.ItemDataRole.ToolTipRole)
    assert class_cell.data() == "⚠ dark"
    assert panel.results.model.index(0, 1).data() in {"dark", "bright"}
    click_row(panel, qtbot, 0)
    assert panel.results.detail.remark.text == ""


def test_rows_stay_when_their_layer_is_gone(viewer, panel, qtbot, classify):
    viewer.add_image(flat(10), name="gone soon")
    viewer.add_image(flat(20), name="stays")
    classify(panel)
    viewer.layers.remove("gone soon")
    click_row(panel, qtbot, 1)
    click_row(panel, qtbot, 0)
    assert panel.results.detail.name.text() == "gone soon · image not open"
    assert cells(panel, 0)[0] == "gone soon"


def test_sorting_the_table_keeps_rows_and_layers_together(viewer, panel, qtbot, classify):
    for value in (200, 10, 100):
        viewer.add_image(flat(value), name=f"image {value}")
    classify(panel)
    panel.results.table.sortByColumn(column(panel, "bright"), Qt.SortOrder.AscendingOrder)
    assert [cells(panel, row)[0] for row in range(3)] == ["image 10", "image 100", "image 200"]
    click_row(panel, qtbot, 2)
    assert viewer.layers.selection.active.name == "image 200"
    assert panel.results.chosen_entry.row.image == "image 200"


def test_a_new_run_adds_its_rows_to_those_that_are_there(viewer, panel, classify):
    viewer.add_image(flat(10), name="a")
    classify(panel)
    assert "Brightness" in panel.results.filter.summary.text()
    panel.sections[0].header.setChecked(True)
    classify(panel, "Eye")
    names = ["Image", "Class", "Probability", "dark", "bright", "blood", "drusen", "normal", "Run", "Model"]
    assert panel.results.model.headings() == names
    assert cells(panel, 0) == ["a", "dark", "0.961", "0.961", "0.039", "", "", "", "1", "Brightness"]
    assert cells(panel, 1) == ["a", "blood", "0.961", "", "", "0.961", "0.039", "0.020", "2", "Eye"]
    assert panel.results.filter.summary.text() == "2 models · 2 runs · 2 rows"


def test_of_equal_classes_only_the_first_is_marked_as_in_the_csv_file(viewer, panel, classify):
    viewer.add_image(np.concatenate([flat(0, (20, 40, 3)), flat(255, (20, 40, 3))]), name="half")
    classify(panel)
    assert panel._session.table.rows[0].probabilities.tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    panel._session.table.rows[0].probabilities[:] = 0.5
    marked = [
        panel.results.model.index(0, column).data(Qt.ItemDataRole.BackgroundRole) is not None for column in range(5)
    ]
    assert marked == [False, False, False, True, False]


def test_of_a_multi_label_model_every_class_that_reaches_the_threshold_is_assigned(viewer, panel, qtbot, classify):
    viewer.add_image(flat(102), name="a")  # blood 0.6, drusen 0.4, normal 0.2
    run = classify(panel, "Eye")
    assert run.rows[0].assigned == (0,)
    panel.form.threshold.native.setValue(0.4)
    panel.sections[0].header.setChecked(True)
    run = classify(panel, "Eye")
    assert run.rows[0].assigned == (0, 1)
    assert cells(panel, 1)[1] == "blood; drusen"
    marked = [
        panel.results.model.index(1, column).data(Qt.ItemDataRole.BackgroundRole) is not None for column in range(6)
    ]
    assert marked == [False, False, False, True, True, False]


def test_columns_of_classes_with_short_names_are_as_wide_as_their_numbers(
    viewer, panel, fake_catalogue, qtbot, classify
):
    fake_catalogue.models["brightness"].card = card("numbered", "Numbered", {"0": None, "1": None})
    viewer.add_image(flat(51), name="a")
    viewer.add_image(flat(255), name="b")
    classify(panel)
    table = panel.results.table
    assert cells(panel, 0)[3:] == ["0.800", "0.200"]
    for column in (2, 3, 4):
        assert table.columnWidth(column) >= table.sizeHintForColumn(column)


def test_cancelling_keeps_the_rows_that_are_there(viewer, panel, fake_catalogue, qtbot, choose):
    viewer.add_image(np.zeros((50, 40, 40), np.uint8))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    fake_catalogue.models["brightness"].gate.clear()
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    run = panel._session.run
    assert panel.classify.button.isHidden()
    assert not panel.classify.progress.isHidden()
    qtbot.mouseClick(panel.classify.progress.cancel, Qt.MouseButton.LeftButton)
    fake_catalogue.models["brightness"].gate.set()
    qtbot.waitUntil(lambda: not run.running)
    assert len(run.rows) < 50
    assert "Cancelled" in panel.classify.message.text
    assert not panel.classify.button.isHidden()


def test_all_rows_can_be_copied_in_the_order_of_the_table(viewer, panel, qtbot, classify):
    viewer.add_image(flat(0), name="black")
    viewer.add_image(flat(255), name="=white")
    classify(panel)
    panel.results.table.sortByColumn(column(panel, "dark"), Qt.SortOrder.AscendingOrder)
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(panel.results.buttons.copy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(QGuiApplication.clipboard().text()))
    assert QGuiApplication.clipboard().text().splitlines() == [
        "image\tdark\tbright\tprediction\terror",
        "'=white\t0.0\t1.0\tbright\t",
        "black\t1.0\t0.0\tdark\t",
    ]


def test_a_file_that_cannot_be_written_is_told_in_the_panel(viewer, panel, qtbot, classify, monkeypatch, tmp_path):
    viewer.add_image(flat(255))
    classify(panel)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "out.csv"), ""))
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: "cannot be written" in panel.results.buttons.message.text)


def test_a_file_is_not_replaced_unasked(viewer, panel, qtbot, classify, monkeypatch, tmp_path):
    viewer.add_image(flat(255))
    classify(panel)
    (tmp_path / "out.csv").write_text("precious")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out"), ""))
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: "already exists" in panel.results.buttons.message.text)
    assert (tmp_path / "out.csv").read_text() == "precious"


def test_clearing_throws_the_results_away(viewer, panel, qtbot, classify):
    viewer.add_image(flat(255))
    classify(panel)
    panel._session.mark_saved([0])
    qtbot.mouseClick(panel.results.buttons.clear, Qt.MouseButton.LeftButton)
    assert panel.results.model.rowCount() == 0
    qtbot.mouseClick(panel.results.deleted.undo, Qt.MouseButton.LeftButton)
    assert panel.results.model.rowCount() == 1


def test_closing_and_opening_the_panel_loses_nothing(viewer, panel, open_panel, qtbot, classify, fake_catalogue):
    viewer.add_image(flat(255), name="a")
    run = classify(panel)
    dock = panel.parent()
    dock.destroyOnClose()
    viewer.add_image(flat(0), name="while it was closed")
    viewer.dims.set_current_step(0, 0)
    assert panel.images.choice.layers.rowCount() == 1  # a closed panel follows no more
    again = open_panel()
    assert again._session.run is run
    assert cells(again, 0)[:2] == ["a", "bright"]
    assert again.images.choice.layers.rowCount() == 2
    assert again.classify.button.isEnabled()
    assert len(fake_catalogue.opened) == 1
    assert again.model.choice.list.currentIndex().data() == "Brightness"


def test_a_run_goes_on_while_the_panel_is_closed(viewer, panel, open_panel, qtbot, choose, fake_catalogue):
    viewer.add_image(np.zeros((30, 40, 40), np.uint8))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    fake_catalogue.models["brightness"].gate.clear()
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    panel.parent().destroyOnClose()
    again = open_panel()
    assert not again.classify.progress.isHidden()
    fake_catalogue.models["brightness"].gate.set()
    qtbot.waitUntil(lambda: not again._session.run.running)
    qtbot.waitUntil(lambda: again.results.model.rowCount() == 30)
    assert again.classify.progress.isHidden()


def test_the_threshold_begins_with_that_of_the_engine(panel):
    assert panel.form.threshold.value == Options().threshold


@pytest.mark.parametrize("points", [9, 14, 20])  # napari offers up to 20
def test_the_panel_fits_into_a_narrow_dock(viewer, panel, classify, qtbot, points):
    get_settings().appearance.font_size = points
    viewer.add_image(np.stack([flat(value) for value in (0, 60)]), name="a rather long name of a stack " * 3)
    panel.form.intensity.native.choice.value = "fixed"
    classify(panel, "Eye")
    panel.sections[0].header.setChecked(True)
    panel.model.more.click()
    panel.classify.more.click()
    model = panel._session.loading.model
    model.card = model.card.model_copy(update={"input": None, "preprocessing": None})
    model.suggestion, model.needs_activation = ("InceptionResNetV2", "tf"), True
    model.outputs = tuple(ModelOutput(i, f"a rather long name of an output {i}", (3,)) for i in range(2))
    panel.model.settings.show_settings(model)
    panel.model.edit_settings.show()
    panel.model.choice.zenodo.heading.setText("12345 records on Zenodo for “words that are long”")
    panel.model.choice.zenodo.show()
    panel.classify.message.show_note("words " * 30, "hint " * 30)
    window = panel.window()
    window.show()  # napari's style and the real widths come with it
    panel.parent().setFixedWidth(300)
    qtbot.waitUntil(lambda: panel.width() == 300 and panel.isVisible())
    column = panel.scroll.widget()
    qtbot.waitUntil(lambda: column.width() <= panel.scroll.viewport().width())
    assert column.minimumSizeHint().width() <= panel.width() - panel.scroll.verticalScrollBar().sizeHint().width()
    assert panel.model.stored.y() > panel.model.more.y()  # there is no space for three buttons in a line
    window.hide()


def test_the_first_use_and_the_start_of_a_review_fit_into_a_narrow_dock_with_large_words(
    viewer, panel, classify, qtbot
):
    get_settings().appearance.font_size = 20
    window = panel.window()
    window.show()
    panel.parent().setFixedWidth(300)
    column = panel.scroll.widget()

    def fits() -> bool:
        narrow = panel.width() - panel.scroll.verticalScrollBar().sizeHint().width()
        return panel.width() == 300 and column.minimumSizeHint().width() <= narrow

    qtbot.waitUntil(lambda: panel.first_use.isVisible() and fits())
    viewer.add_image(np.stack([flat(value) for value in (0, 60)]), name="a stack")
    classify(panel)
    qtbot.mouseClick(panel.results.buttons.review, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.review._start.isVisible() and fits())
    window.hide()


class Viewer:
    pass


def test_the_session_goes_with_its_viewer():
    viewer = Viewer()
    session = weakref.ref(session_of(viewer))
    assert session_of(viewer) is session()
    del viewer
    gc.collect()
    assert session() is None


def test_each_viewer_has_a_session_of_its_own(viewer, panel):
    assert session_of(viewer) is session_of(unwrapped(viewer))
    assert unwrapped(viewer) in _sessions
    assert session_of(Viewer()) is not session_of(viewer)


class Paintings(QObject):
    """Notes at each painting of a widget whether something is done beside the window."""

    def __init__(self) -> None:
        super().__init__()
        self.disturbed: list[bool] = []

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt calls it so
        if event is not None and event.type() == QEvent.Type.Paint:
            self.disturbed.append(under_way())
        return False


def test_nothing_is_read_beside_the_window_until_the_panel_is_painted(viewer, fake_catalogue, qtbot):
    viewer.window._qt_window.show()
    paintings = Paintings()
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    panel.installEventFilter(paintings)
    qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0)
    assert paintings.disturbed[0] is False


def test_the_models_are_listed_in_a_panel_that_is_not_painted(viewer, fake_catalogue, qtbot):
    viewer.window._qt_window.show()
    dock, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    dock.hide()
    qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0)
    assert not panel.isVisible()


def test_what_the_first_run_shows_is_made_as_soon_as_the_panel_is_seen(viewer, panel, qtbot):
    for _ in range(len(MODULES) + 2):  # as many turns as it would take
        QApplication.processEvents()
    assert "results" not in vars(panel)
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: "results" in vars(panel) and "detail" in vars(panel.results))
    assert panel._session.run is None


def test_what_is_hidden_at_first_is_in_no_window(open_panel):
    panel = open_panel()
    late = [panel.form.planes, panel.form.intensity, panel.form.regions, panel.form.threshold, panel.form.views]
    within = panel.findChildren(QWidget)
    assert panel.form.model.native in within
    assert not [widget.name for widget in late if widget.native in within]
    assert not [child for message in panel.findChildren(Message) for child in message.findChildren(QWidget)]

"""One table for all runs: columns, filter, selection, comments, deletion, and the viewer in step with it."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QLineEdit
from tests.gui.conftest import BRIGHTNESS, card, flat

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.results.column_menu import ClassPicker, column_menu
from napari_webipred._napari.results.result_columns import MOST_CLASSES
from napari_webipred._napari.results.results_view import WIDE
from napari_webipred.results.row import Row
from napari_webipred.results.table_columns import Column

LEFT = Qt.MouseButton.LeftButton
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def headings(panel) -> list[str]:
    return panel.results.model.headings()


def column(panel, heading: str) -> list[str]:
    model = panel.results.model
    section = headings(panel).index(heading)
    return [str(model.index(row, section).data()) for row in range(model.rowCount())]


def begin(session, model_card, total: int):
    """Begin a run over one image that is not open."""
    run = session.table.begin(model_card, "", {"threshold": 0.5}, (), total)
    session.places.begin(run.number, [Target([])])
    return run


def click(panel, qtbot, row: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    table = panel.results.table
    index = panel.results.model.index(row, 0)
    table.scrollTo(index)
    qtbot.mouseClick(table.viewport(), LEFT, modifier, table.visualRect(index).center())


def selected(panel) -> list[str]:
    return [entry.row.image for entry in panel.results.selected_entries()]


def planes(panel) -> list[int]:
    return [entry.row.position["z"] for entry in panel.results.visible_entries()]


@pytest.fixture
def images(viewer, panel, classify):
    """Four images, darkest first, classified by one model."""
    for value in (0, 60, 150, 255):
        viewer.add_image(flat(value), name=f"image {value}")
    classify(panel)
    return panel


@pytest.fixture
def stack(viewer, panel):
    return viewer.add_image(
        np.stack([flat(value, (40, 40)) for value in (0, 250, 60, 200, 120)]), name="stack", axis_labels=("z", "y", "x")
    )


def test_the_probability_of_the_assigned_class_stands_beside_it(images):
    assert headings(images) == ["Image", "Class", "Probability", "dark", "bright"]
    assert column(images, "Probability") == ["1.000", "0.765", "0.588", "1.000"]


def test_a_search_shows_rows_with_a_text_and_says_how_many(images, qtbot):
    qtbot.keyClicks(images.results.filter.search, "DARK")
    assert column(images, "Image") == ["image 0", "image 60"]
    assert images.results.filter.summary.text() == "2 of 4 rows · “DARK”"
    assert [entry.row.image for entry in images.results.visible_entries()] == ["image 0", "image 60"]
    qtbot.mouseClick(images.results.filter.everything, LEFT)
    assert len(column(images, "Image")) == 4
    assert images.results.filter.search.text() == ""
    assert images.results.filter.everything.isHidden()


def test_the_menu_filters_by_class_run_failure_and_probability(viewer, images, classify):
    viewer.add_image(np.full((40, 40), np.nan), name="holes", contrast_limits=(0, 1))
    classify(images, "Eye")
    bar, found = images.results.filter, images.results.model

    def choose(words: str) -> None:
        bar.menu.aboutToShow.emit()
        menus = [bar.menu, bar._runs, bar._classes]
        (action,) = (action for menu in menus for action in menu.actions() if action.text().startswith(words))
        action.trigger()

    choose("Failed rows")
    assert column(images, "Image") == ["holes"]
    choose("Failed rows")
    choose("bright")
    assert column(images, "Image") == ["image 150", "image 255"]
    bar.clear()
    choose("1: Brightness")
    assert found.rowCount() == 4
    assert "Model" not in headings(images)
    assert "blood" not in headings(images)  # no shown row has it
    bar.probability.most.setValue(0.8)
    assert column(images, "Probability") == ["0.765", "0.588"]
    bar.clear()
    assert found.rowCount() == 9


def test_new_rows_that_the_filter_does_not_let_through_are_not_shown(viewer, images, classify, qtbot):
    qtbot.keyClicks(images.results.filter.search, "image 60")
    classify(images, "Eye")
    assert column(images, "Model") == ["Brightness", "Eye"]


def test_sorting_keeps_the_chosen_row_and_keeps_it_in_sight(viewer, panel, classify, qtbot):
    values = np.random.default_rng(0).permutation(200)
    viewer.add_image(np.stack([flat(int(value), (8, 8)) for value in values]), name="s", axis_labels=("z", "y", "x"))
    panel.window().show()
    classify(panel)
    click(panel, qtbot, 7)
    table, header = panel.results.table, panel.results.table.horizontalHeader()
    section = headings(panel).index("bright")
    place = QPoint(header.sectionViewportPosition(section) + 10, header.height() // 2)
    qtbot.mouseClick(header.viewport(), LEFT, pos=place)
    assert column(panel, "bright") == sorted(column(panel, "bright"))
    assert panel.results.chosen_entry.row.position == {"z": 7}
    assert planes(panel)[table.currentIndex().row()] == 7
    assert table.viewport().rect().contains(table.visualRect(table.currentIndex().siblingAtColumn(0)).center())
    qtbot.mouseClick(header.viewport(), LEFT, pos=place)
    assert column(panel, "bright") == sorted(column(panel, "bright"), reverse=True)
    qtbot.mouseClick(header.viewport(), LEFT, pos=place)
    assert planes(panel) == list(range(200))
    panel.window().hide()


def test_rows_that_come_while_the_table_is_sorted_are_in_their_places_at_the_end(panel, stack, classify):
    classify(panel)
    panel.results.table.sortByColumn(headings(panel).index("bright"), Qt.SortOrder.DescendingOrder)
    assert planes(panel) == [1, 3, 4, 2, 0]
    classify(panel)
    assert planes(panel) == [1, 1, 3, 3, 4, 4, 2, 2, 0, 0]


def test_several_rows_are_selected_with_mouse_and_keyboard(images, qtbot):
    table = images.results.table
    click(images, qtbot, 0)
    click(images, qtbot, 2, CONTROL)
    assert selected(images) == ["image 0", "image 150"]
    click(images, qtbot, 0)
    qtbot.keyClick(table, Qt.Key.Key_Down, SHIFT)
    assert selected(images) == ["image 0", "image 60"]
    qtbot.keyClick(table, Qt.Key.Key_End, SHIFT)
    assert len(selected(images)) == 4
    qtbot.keyClick(table, Qt.Key.Key_Home)
    assert selected(images) == ["image 0"]
    qtbot.keyClick(table, Qt.Key.Key_End)
    assert images.results.chosen_entry.row.image == "image 255"


def test_ctrl_c_copies_the_selected_rows(images, qtbot):
    click(images, qtbot, 1)
    click(images, qtbot, 2, SHIFT)
    QApplication.clipboard().clear()
    qtbot.keyClick(images.results.table, Qt.Key.Key_C, CONTROL)
    qtbot.waitUntil(lambda: bool(QApplication.clipboard().text()))
    lines = QApplication.clipboard().text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["image 60", "image 150"]


def test_rows_are_deleted_and_restored_with_keys(images, qtbot):
    click(images, qtbot, 0)
    click(images, qtbot, 1, SHIFT)
    qtbot.keyClick(images.results.table, Qt.Key.Key_Delete)
    assert column(images, "Image") == ["image 150", "image 255"]
    assert images.results.chosen_entry.row.image == "image 150"
    assert images.results.deleted.text.text() == "2 rows deleted."
    qtbot.keyClick(images.results.table, Qt.Key.Key_Z, CONTROL)
    assert column(images, "Image") == ["image 0", "image 60", "image 150", "image 255"]
    assert images.results.deleted.isHidden()


def test_all_rows_can_be_deleted_and_restored(images, qtbot):
    qtbot.keyClick(images.results.table, Qt.Key.Key_A, CONTROL)
    qtbot.keyClick(images.results.table, Qt.Key.Key_Delete)
    assert images.results.chosen_entry is None
    assert images.results.detail.isHidden()
    assert not images.sections[-1].isHidden()
    qtbot.mouseClick(images.results.deleted.undo, LEFT)
    assert images.results.model.rowCount() == 4
    assert images.results.chosen_entry is not None


@pytest.mark.parametrize("key", [Qt.Key.Key_F2, Qt.Key.Key_Return])
def test_a_row_is_commented_on_in_its_place(images, qtbot, key):
    assert "Comment" not in headings(images)
    click(images, qtbot, 2)
    qtbot.keyClick(images.results.table, key)
    editor = images.results.table.viewport().findChild(QLineEdit)
    qtbot.keyClicks(editor, "check again")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: column(images, "Comment") == ["", "", "check again", ""])
    assert images.results.chosen_entry.comment == "check again"
    qtbot.keyClicks(images.results.filter.search, "again")
    assert column(images, "Image") == ["image 150"]
    images.results.filter.clear()
    qtbot.keyClick(images.results.table, Qt.Key.Key_Z, CONTROL)
    assert [entry.comment for entry in images.results.visible_entries()] == [""] * 4


def test_a_threshold_that_is_changed_afterwards_shows_in_the_table(viewer, panel, classify):
    viewer.add_image(flat(102), name="a")  # blood 0.6, drusen 0.4, normal 0.2
    classify(panel, "Eye")
    session = panel._session
    session.set_threshold(session.table.runs[0], 0.3)
    assert column(panel, "Class") == ["blood; drusen"]
    assert panel.results.chosen_entry.row.assigned == (0, 1)
    session.set_threshold(session.table.runs[0], 0.7)
    assert column(panel, "Class") == ["none"]


def test_columns_are_hidden_shown_and_moved_and_stay_so_when_the_panel_is_opened_again(images, open_panel, qtbot):
    menu = column_menu(images.results.model, 0, images.results.table.sortByColumn, images)
    {action.text(): action for action in menu.actions()}["dark"].trigger()
    {action.text(): action for action in menu.actions()}["Time"].trigger()
    assert headings(images) == ["Image", "Class", "Probability", "bright", "Time"]
    images.results.table.horizontalHeader().moveSection(3, 0)
    qtbot.waitUntil(lambda: headings(images) == ["bright", "Image", "Class", "Probability", "Time"])
    header = images.results.table.horizontalHeader()
    assert [header.visualIndex(section) for section in range(5)] == list(range(5))
    images.results.table.setColumnWidth(0, 133)
    images.parent().destroyOnClose()
    again = open_panel()
    assert headings(again) == ["bright", "Image", "Class", "Probability", "Time"]
    assert again.results.table.columnWidth(0) == 133


def test_the_last_column_cannot_be_hidden(images):
    for heading in headings(images):
        menu = column_menu(images.results.model, 0, images.results.table.sortByColumn, images)
        {action.text(): action for action in menu.actions()}[heading].trigger()
    assert len(headings(images)) == 1


def test_of_many_classes_those_that_win_have_columns_and_a_search_adds_others(viewer, panel):
    many = card("many", "Many", {f"class {i}": None for i in range(1000)})
    session = panel._session
    run = begin(session, many, 3)
    rows = [Row(0, "a", {}, np.eye(1000, dtype=np.float32)[i], f"class {i}", (i,)) for i in (700, 700, 900)]
    session.table.append(run, rows)
    session.rows_added.emit(0, 2)
    shown = [name for name in headings(panel) if name.startswith("class")]
    assert shown[:2] == ["class 700", "class 900"]
    assert len(shown) == MOST_CLASSES
    picker = ClassPicker(panel.results.model, panel)
    picker.search.setText("class 555")
    picker.list.item(0).setCheckState(Qt.CheckState.Checked)
    assert "class 555" in headings(panel)


def test_measures_have_columns_that_sort_and_filter(panel):
    session = panel._session
    run = session.table.begin(BRIGHTNESS, "", {"threshold": 0.5, "views": "flip", "reference": True}, (), 3)
    session.places.begin(run.number, [Target([])])
    numbers = [(0.9, 0.01, 0.02, 7.5, 40.0), (0.3, 0.03, 0.04, 30.25, 99.5), (0.8, 0.05, 0.06, 12.0, 80.0)]
    for number, (p, *measures) in enumerate(numbers):
        given = np.array([p, 1 - p], np.float32)
        which = int(given.argmax())
        done = Row(0, f"{number}", {}, given, "", (which,), measures=np.array(measures, np.float32))
        session.table.append(run, [done])
    session.rows_added.emit(0, 2)
    assert headings(panel)[2:6] == ["Probability", "SD", "Distance", "Percentile"]
    assert column(panel, "SD") == ["0.010", "0.040", "0.050"]
    menu = column_menu(panel.results.model, 0, panel.results.table.sortByColumn, panel)
    {action.text(): action for action in menu.actions()}["bright sd"].trigger()
    assert column(panel, "bright sd") == ["0.020", "0.040", "0.060"]
    panel.results.table.sortByColumn(headings(panel).index("Percentile"), Qt.SortOrder.DescendingOrder)
    assert column(panel, "Percentile") == ["99.5", "80.0", "40.0"]
    bar = panel.results.filter
    bar.menu.aboutToShow.emit()
    shown = {action.text() for action in bar.menu.actions() if action.isVisible()}
    assert "Reference percentile" in shown
    assert "Calibrated probability" not in shown
    bar.measures[Column("percentile")].least.setValue(90)
    assert column(panel, "Distance") == ["30.25"]
    assert bar.summary.text().endswith("1 of 3 rows · reference percentile 90 to 100")
    bar.clear()
    assert column(panel, "Image") == ["1", "2", "0"]


def test_regions_have_a_column_once_there_are_some(panel):
    session = panel._session
    run = begin(session, card("m", "M", {"a": None, "b": None}), 2)
    for first, region in enumerate(["", "tumour"]):
        session.table.append(run, [Row(0, "x", {}, np.ones(2, np.float32), "a", (0,), region=region)])
        session.rows_added.emit(first, first)
        assert ("Region" in headings(panel)) == bool(region)
    assert column(panel, "Region") == ["", "tumour"]


def test_the_slider_chooses_rows_of_the_run_that_is_shown(viewer, panel, stack, classify, qtbot):
    classify(panel)
    classify(panel, "Eye")
    viewer.dims.set_current_step(0, 3)
    chosen = panel.results.chosen_entry
    assert (chosen.run.number, chosen.row.position) == (2, {"z": 3})
    qtbot.keyClicks(panel.results.filter.search, "bright")
    viewer.dims.set_current_step(0, 1)
    chosen = panel.results.chosen_entry
    assert (chosen.run.number, chosen.row.position) == (1, {"z": 1})


def test_a_row_of_an_earlier_run_shows_its_layer_and_plane_and_stays_chosen(viewer, panel, stack, classify, qtbot):
    classify(panel)
    viewer.add_image(flat(9), name="other")
    classify(panel, "Eye")
    viewer.layers.selection.active = viewer.layers["other"]
    click(panel, qtbot, 2)
    assert viewer.layers.selection.active.name == "stack"
    assert viewer.dims.current_step[0] == 2
    assert panel.results.chosen_entry.run.number == 1


def test_layers_are_known_whatever_happens_to_their_names_and_places(viewer, panel, stack, classify, qtbot):
    viewer.add_image(flat(9), name="other")
    classify(panel)
    stack.name = "renamed"
    viewer.layers.move(0, 2)
    viewer.layers.remove(stack)
    viewer.layers.append(stack)
    viewer.layers.selection.active = stack
    viewer.dims.set_current_step(0, 4)
    assert panel.results.chosen_entry.row.position == {"z": 4}
    click(panel, qtbot, 1)
    assert viewer.dims.current_step[0] == 1


def test_a_series_that_is_still_being_computed_is_in_step_with_its_rows(viewer, panel, fake_catalogue, choose, qtbot):
    series = da.from_array(np.stack([flat(i, (20, 20)) for i in range(40)]), chunks=(1, 20, 20))
    viewer.add_image(series, name="series", axis_labels=("t", "y", "x"), contrast_limits=(0, 255))
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    gate = fake_catalogue.models["brightness"].gate
    gate.clear()
    viewer.dims.set_current_step(0, 5)
    qtbot.mouseClick(panel.classify.button, LEFT)
    viewer.dims.set_current_step(0, 6)  # its row is not there yet
    assert panel.results.chosen_entry is None
    gate.set()
    qtbot.waitUntil(lambda: not panel._session.running)
    assert panel.results.chosen_entry.row.position == {"t": 6}


def test_a_wide_panel_shows_the_chart_beside_the_table(images, qtbot):
    images.window().show()
    images.window().resize(1500, 900)
    for width, beside in ((WIDE + 60, True), (380, False)):
        images.parent().setFixedWidth(width)
        qtbot.waitUntil(lambda width=width: images.width() == width)
        qtbot.waitUntil(lambda beside=beside: (images.results.detail.x() > 100) == beside)
    images.window().hide()


def test_a_high_panel_shows_more_rows_without_scrolling(viewer, panel, classify, qtbot):
    viewer.add_image(np.zeros((60, 8, 8), np.uint8))
    classify(panel)
    panel.window().show()
    for section in panel.sections[:3]:
        section.header.setChecked(False)
    panel.window().resize(1200, 1100)
    qtbot.waitUntil(lambda: panel.results.table.height() > 500)
    qtbot.keyClicks(panel.results.filter.search, "nothing has this")
    qtbot.waitUntil(lambda: panel.results.table.height() < 120)
    panel.window().hide()

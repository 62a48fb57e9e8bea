"""The numbers of a stack along one of its axes."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.gui.conftest import card, open_again

from napari_webipred._napari.charts import plot_view
from napari_webipred._napari.charts.chart_look import screen_look
from napari_webipred._napari.charts.figure import png, svg_bytes
from napari_webipred._napari.charts.plot import Plot
from napari_webipred._napari.charts.plot_marks import DASHES
from napari_webipred._napari.charts.plot_sheet import Curve, PlotSheet
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.results.row import Row

PLANES = 6


def curve(*numbers: float, place: int = 0, name: str = "sharp", planes: range | None = None) -> Curve:
    return Curve(name, planes or range(len(numbers)), np.array(numbers, np.float32), place)


def drawn(qtbot, curves, unit=None, width=380, mirrored=False, length=0) -> Plot:
    plot = Plot(Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(plot)
    if mirrored:
        plot.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    plot.show_curves("z", length or max(each.planes.stop for each in curves), curves, unit)
    plot.resize(width, plot.heightForWidth(width))
    return plot


def pixels(plot: Plot, place: int) -> np.ndarray:
    """Return x and y of the pixels in the colour of a line, without the legend."""
    image = plot.grab().toImage()
    colour = screen_look(plot._theme).lines[place].rgb()
    bottom = int(plot._sheet().area(plot.size()).bottom()) + 5
    found = [(x, y) for x in range(image.width()) for y in range(bottom) if image.pixel(x, y) == colour]
    return np.array(found)


def test_a_line_goes_from_number_to_number_and_is_interrupted_where_there_is_none(qtbot):
    plot = drawn(qtbot, [curve(0, 0, 1, 1, np.nan, np.nan, np.nan, 0.5, 0.5)])
    sheet, size = plot._sheet(), plot.size()
    across, up = sheet.across(size), sheet.up(size)
    found = pixels(plot, 0)
    for plane, number in ((1, 0), (3, 1), (8, 0.5)):
        distances = np.hypot(*(found - [across.pixel(plane), up.pixel(number)]).T)
        assert distances.min() < 3
    gap = (found[:, 0] > across.pixel(3) + 6) & (found[:, 0] < across.pixel(7) - 6)
    assert not gap.any()


def test_very_many_planes_keep_their_peaks(qtbot):
    even = np.full(10_000, 0.2, np.float32)
    peaked = even.copy()
    peaked[5432] = 1.0
    plots = [drawn(qtbot, [Curve("sharp", range(10_000), numbers, 0)]) for numbers in (even, peaked)]
    sheet, size = plots[0]._sheet(), plots[0].size()
    before, after = (plot.grab().toImage() for plot in plots)
    places = product(range(before.height()), range(before.width()))
    top, column = next((y, x) for y, x in places if before.pixel(x, y) != after.pixel(x, y))
    assert column == pytest.approx(sheet.across(size).pixel(5432), abs=4)
    assert top == pytest.approx(sheet.up(size).pixel(1.0), abs=3)


def test_the_marker_moves_with_click_drag_and_keys_and_says_the_numbers(qtbot):
    plot = drawn(qtbot, [curve(*np.linspace(0, 1, 11)), curve(*[0.25] * 11, place=1, name="blurred")])
    moved = []
    plot.moved.connect(moved.append)
    across = plot._sheet().across(plot.size())
    places = [QPoint(round(across.pixel(plane)), 40) for plane in (4, 7)]
    QTest.mousePress(plot, Qt.MouseButton.LeftButton, pos=places[0])
    QTest.mouseMove(plot, places[1])
    QApplication.processEvents()
    QTest.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=places[1])
    assert moved == [4, 7]
    assert plot.accessibleDescription() == "z 7: sharp 0.700; blurred 0.250"
    for key in (Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_Home):
        QTest.keyClick(plot, key)
    assert moved[2:] == [6, 10, 9, 0]


def test_where_people_read_from_right_to_left_the_axis_does_too(qtbot):
    plot = drawn(qtbot, [curve(0, 0, 1)], mirrored=True)
    across = plot._sheet().across(plot.size())
    assert across.pixel(0) > across.pixel(2)
    moved = []
    plot.moved.connect(moved.append)
    QTest.keyClick(plot, Qt.Key.Key_Left)
    assert moved == [1]


def test_moving_the_marker_paints_no_line_again(qtbot, monkeypatch):
    plot = drawn(qtbot, [curve(0, 0.5, 1)])
    plot.grab()
    monkeypatch.setattr(PlotSheet, "paint", lambda *_: pytest.fail("painted again"))
    plot.show_index(2)
    plot.grab()


def test_lines_differ_by_more_than_their_colour():
    assert len({(dashes, hollow) for hollow in (False, True) for dashes in DASHES[:4]}) == len(DASHES)


def test_values_have_their_own_scale_and_unit(qtbot):
    plot = drawn(qtbot, [curve(40, 60, np.nan, 50, name="age")], unit="years")
    sheet = plot._sheet()
    assert sheet.extent[0] < 40 < 60 < sheet.extent[1]
    assert any(level > 0 for level in sheet.levels)
    plot.show_index(1)
    assert plot.readings() == ["60"]
    plot.show_index(2)
    assert plot.readings() == ["–"]
    assert "years" in svg_bytes(plot.figure()).decode()


def test_a_plot_on_paper_is_white_and_names_its_lines(qtbot):
    plot = drawn(qtbot, [curve(0, 1), curve(1, 0, place=1, name="blurred")])
    assert png(plot.figure()).pixelColor(0, 0).name() == "#ffffff"
    text = svg_bytes(plot.figure()).decode()
    assert "sharp" in text
    assert "blurred" in text


def stack(planes: int = PLANES) -> np.ndarray:
    """Return planes that become brighter, none of one colour: there is a remark on blank images."""
    image = np.stack([np.full((40, 40), 40 * z, np.uint8) for z in range(planes)])
    image[:, 0, 0] += 1
    return image


@pytest.fixture
def detail(viewer, panel, classify):
    viewer.add_image(stack(), name="stack", contrast_limits=(0, 255))
    classify(panel)
    detail = panel.results.detail
    detail.drawing.setCurrentIndex(1)
    detail.drawing.activated.emit(1)
    return detail


def test_a_stack_is_shown_along_its_axis_and_the_choice_is_kept(detail, panel, viewer):
    assert detail.drawing.itemText(0) == "Bars"
    assert detail.view.isHidden()
    assert not detail.along.isHidden()
    (dark, bright) = detail.plot.curves
    assert (dark.name, bright.name) == ("dark", "bright")
    assert bright.values == pytest.approx([40 * z / 255 for z in range(PLANES)], abs=0.01)
    assert panel._session.display.axis == detail.axis
    viewer.dims.set_point(0, 3)
    assert not detail.along.isHidden()


def test_the_marker_follows_the_slider_and_the_slider_the_marker(detail, panel, viewer):
    viewer.dims.set_point(0, 3)
    assert detail.plot.index == 3
    assert panel.results.chosen_entry.row.position == {detail.axis: 3}
    QTest.keyClick(detail.plot, Qt.Key.Key_Right)
    assert viewer.dims.current_step[0] == 4
    assert panel.results.chosen_entry.row.position == {detail.axis: 4}


def test_a_deleted_row_is_no_point_but_its_plane_can_still_be_shown(detail, panel, viewer):
    panel._session.delete([2])
    assert np.isnan(detail.plot.curves[0].values[2])
    assert np.isfinite(detail.plot.curves[0].values[1])
    viewer.dims.set_point(0, 1)
    QTest.keyClick(detail.plot, Qt.Key.Key_Right)
    assert viewer.dims.current_step[0] == 2
    assert detail.plot.index == 2
    viewer.dims.set_point(0, 3)
    viewer.dims.set_point(0, 2)
    assert detail.plot.index == 2
    panel._session.undo()
    assert np.isfinite(detail.plot.curves[0].values[2])


def test_a_plane_that_failed_is_a_gap_and_the_plot_stays(viewer, panel, classify):
    image = stack().astype(np.float32)
    image[2] = np.nan
    viewer.add_image(image, name="holes", contrast_limits=(0, 255))
    panel._session.display.axis = "axis-0"
    classify(panel)
    detail = panel.results.detail
    detail.drawing.activated.emit(detail.drawing.setCurrentIndex(1) or 1)
    assert np.isnan(detail.plot.curves[0].values[2])
    viewer.dims.set_point(0, 2)
    assert not detail.along.isHidden()
    assert "NaN" in detail.error.text


def test_two_axes_are_offered_and_the_line_goes_through_the_shown_plane(viewer, panel, classify):
    image = np.stack([stack(3), stack(3) + 20])
    viewer.add_image(image, name="series", contrast_limits=(0, 255), axis_labels=("t", "z", "y", "x"))
    classify(panel)
    detail = panel.results.detail
    assert [detail.drawing.itemText(i) for i in range(detail.drawing.count())] == ["Bars", "Along t", "Along z"]
    viewer.dims.set_point(0, 1)
    viewer.dims.set_point(1, 2)
    detail.drawing.setCurrentIndex(2)
    detail.drawing.activated.emit(2)
    assert detail.plot.curves[1].values == pytest.approx([20 / 255, 60 / 255, 100 / 255], abs=0.01)
    detail.drawing.setCurrentIndex(1)
    detail.drawing.activated.emit(1)
    assert detail.plot.curves[1].values == pytest.approx([80 / 255, 100 / 255], abs=0.01)
    assert detail.plot.index == 1


def test_a_plain_image_and_a_single_plane_have_bars_only(viewer, panel, classify):
    viewer.add_image(stack()[3], name="plain")
    viewer.add_image(stack()[:1], name="one plane")
    classify(panel)
    for number in range(2):
        panel.results.detail.show_entry(panel._session.table.entry(number), number)
        assert panel.results.detail.drawing.isHidden()
        assert not panel.results.detail.view.isHidden()


def test_the_plot_grows_when_rows_come_and_leaves_space_for_those_to_come(detail, panel, qtbot):
    table = panel._session.table
    assert detail.length_of(table.entry(0), detail.axis) == PLANES
    new = [Row(0, "stack", {detail.axis: z}, np.array([0.25, 0.75], np.float32)) for z in (PLANES, PLANES + 1)]
    detail.length_of = lambda *_: 20
    numbers = table.append(table.runs[0], new)
    panel._session.rows_added.emit(numbers[0], numbers[-1])
    qtbot.waitUntil(lambda: len(detail.plot.curves[0].values) == PLANES + 2)
    assert list(detail.plot.curves[1].values[-2:]) == [0.75, 0.75]
    assert detail.plot.sheet(detail.font(), screen_look(detail.plot._theme)).length == 20


def test_a_session_that_is_opened_during_a_run_is_no_part_of_its_stack(detail, panel, qtbot):
    table = panel._session.table
    run = table.runs[0]
    first, second, late = (
        [Row(0, "stack", {detail.axis: z}, np.array([1 - number, number], np.float32)) for z in planes]
        for planes, number in ((range(2), 0.125), (range(2, 4), 0.25), ([PLANES, PLANES + 1], 0.75))
    )
    open_again(panel, run, first + second)
    numbers = table.append(run, late)
    panel._session.rows_added.emit(numbers[0], numbers[-1])
    qtbot.waitUntil(lambda: len(detail.plot.curves[0].values) == PLANES + 2)
    expected = [*(40 * z / 255 for z in range(PLANES)), 0.75, 0.75]
    assert detail.plot.curves[1].values == pytest.approx(expected, abs=0.01)
    panel.results.choose([PLANES])
    assert panel.results.chosen_entry.run.number == 2
    qtbot.waitUntil(lambda: list(detail.plot.curves[1].values) == [0.125, 0.125, 0.25, 0.25])


def test_very_many_rows_are_read_in_parts(detail, monkeypatch, qtbot):
    monkeypatch.setattr(plot_view, "AT_ONCE", 2)
    detail.along.read_again()
    assert len(detail.plot.curves[0].values) < PLANES
    qtbot.waitUntil(lambda: len(detail.plot.curves[0].values) == PLANES)


def test_a_threshold_is_moved_after_the_run(viewer, panel, classify):
    viewer.add_image(stack(), name="stack", contrast_limits=(0, 255))
    classify(panel)
    assert panel.results.detail.threshold.isHidden()
    classify(panel, "Eye")
    panel.results.choose([PLANES])
    threshold = panel.results.detail.threshold
    assert not threshold.isHidden()
    assert {bar.threshold for bar in panel.results.detail.chart.bars} == {0.5}
    QTest.keyClick(threshold.slider, Qt.Key.Key_Left)
    assert threshold.number.value() == pytest.approx(0.49)


def test_the_slider_assigns_the_classes_of_all_rows_of_the_run(viewer, panel, classify, qtbot):
    viewer.add_image(stack(), name="stack", contrast_limits=(0, 255))
    classify(panel, "Eye")
    table, threshold = panel._session.table, panel.results.detail.threshold
    before = [table.entry(number).row for number in range(PLANES)]
    threshold.slider.setValue(0)
    qtbot.waitUntil(lambda: table.entry(0).row.assigned == (0, 1, 2))
    after = [table.entry(number).row for number in range(PLANES)]
    assert all(row.prediction == "blood; drusen; normal" for row in after)
    assert all(np.array_equal(old.probabilities, new.probabilities) for old, new in zip(before, after, strict=True))
    assert {bar.threshold for bar in panel.results.detail.chart.bars} == {0.0}
    assert all(bar.assigned for bar in panel.results.detail.chart.bars)


def test_thresholds_of_the_model_card_are_named(qtbot):
    from napari_webipred._napari.results.threshold_row import ThresholdRow

    shown = card("some", "Some", {"a": None, "b": None}, task="multi-label")
    own = shown.classes[0].model_copy(update={"threshold": 0.3})
    row = ThresholdRow()
    qtbot.addWidget(row)
    row.show_threshold(shown.model_copy(update={"classes": (own, shown.classes[1])}), 0.5)
    assert "1 class has a threshold in the model card" in row.of_card.text()
    assert row.slider.isEnabled()
    row.show_threshold(shown.model_copy(update={"classes": (own, own)}), 0.5)
    assert "All classes have" in row.of_card.text()
    assert not row.slider.isEnabled()

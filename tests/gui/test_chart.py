from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolTip
from tests.gui.conftest import MeanModel, card, flat

from napari_webipred._napari.charts.bars import FEW, FIRST, Bar, bars_of, ordered
from napari_webipred._napari.charts.chart import Chart
from napari_webipred._napari.charts.chart_look import paper_look, screen_look
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, TEXT_CONTRAST, Theme, contrast
from napari_webipred.results.row import Row

COUNT = 40
MANY = card("many", "Many", {f"class {i}": f"label {i}" for i in range(COUNT)})


def bars(*probabilities: float, **facts) -> list[Bar]:
    return [Bar(str(i), "", p, False, "", i, **facts) for i, p in enumerate(probabilities)]


def drawn(qtbot, shown, width=240, vertical=False, theme="dark", mirrored=False) -> Chart:
    chart = Chart(Theme(SimpleNamespace(theme=theme)))
    qtbot.addWidget(chart)
    if mirrored:
        chart.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    chart.set_vertical(vertical)
    chart.show_bars(shown)
    chart.resize(width, chart.sizeHint().height())
    return chart


def extent(chart: Chart, colour) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the pixels of a colour."""
    image = chart.grab().toImage()
    places = [(x, y) for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) == colour.rgb()]
    xs, ys = zip(*places, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def bar_colour(chart: Chart):
    return screen_look(chart._theme).bar


@pytest.mark.parametrize(("order", "names"), [("model", "0123"), ("descending", "1023"), ("ascending", "3021")])
def test_bars_are_ordered_and_equal_ones_keep_the_order_of_the_model(order, names):
    assert "".join(bar.name for bar in ordered(bars(0.2, 0.5, 0.2, 0.1), order)) == names


def test_a_label_stands_beside_a_code():
    assert Bar("MEL", "melanoma", 0.1, False).words == "MEL · melanoma"
    assert Bar("normal", "Normal", 0.1, False).words == "normal"
    assert Bar("noisy", "Noisy: grain covers all", 0.1, False).words == "noisy"
    assert Bar("noisy", "Noisy: grain covers all", 0.1, False).explained == "Noisy: grain covers all: 0.1"
    assert Bar("noisy", "", 0.1, True).explained == "noisy: 0.1, assigned"


def row(*numbers: float, assigned=()) -> Row:
    return Row(0, "a.png", {}, np.array(numbers, np.float32), "", assigned)


def test_of_many_classes_those_with_the_highest_numbers_and_the_pinned_ones_have_bars():
    numbers = row(*np.linspace(0, 1, COUNT))
    assert [bar.index for bar in bars_of(MANY, numbers, FIRST)] == list(range(COUNT - FIRST, COUNT))
    assert [bar.index for bar in bars_of(MANY, numbers, 2, pinned=[7, 99])] == [7, COUNT - 2, COUNT - 1]


def test_a_few_more_classes_than_bars_at_first_are_all_shown():
    few = card("few", "Few", {f"class {i}": None for i in range(FEW)})
    assert len(bars_of(few, row(*[0.1] * FEW), FIRST)) == FEW


def test_only_classes_that_are_decided_by_a_threshold_have_one_and_that_of_the_card_counts():
    decided = card("decided", "Decided", {"a": None, "b": None}, task="multi-label")
    entries = [decided.classes[0], decided.classes[1].model_copy(update={"threshold": 0.3})]
    decided = decided.model_copy(update={"classes": tuple(entries)})
    found = bars_of(decided, row(0.4, 0.4), FIRST, threshold=0.5)
    assert [(bar.threshold, bar.of_card) for bar in found] == [(0.5, False), (0.3, True)]
    assert found[1].explained == "b: 0.4 (threshold 0.3, from the model card)"
    assert [bar.threshold for bar in bars_of(MANY, row(*[0.4] * COUNT), 1, threshold=0.5)] == [None]


def test_the_length_of_a_bar_is_its_probability(qtbot):
    whole, half = (
        extent(drawn(qtbot, bars(p)), screen_look(Theme(SimpleNamespace(theme="dark"))).bar) for p in (1, 0.5)
    )
    assert half[0] == whole[0]
    assert half[2] - half[0] == pytest.approx((whole[2] - whole[0]) / 2, abs=2)


def test_standing_bars_are_as_high_as_their_probability(qtbot):
    charts = [drawn(qtbot, bars(p), vertical=True) for p in (1, 0.5)]
    whole, half = (extent(chart, bar_colour(chart)) for chart in charts)
    assert half[3] == whole[3]
    assert half[3] - half[1] == pytest.approx((whole[3] - whole[1]) / 2, abs=2)


@pytest.mark.parametrize("vertical", [False, True])
def test_where_people_read_from_right_to_left_the_chart_is_mirrored(qtbot, vertical):
    shown = [Bar("a", "", 0.5, False), Bar("b", "", 0.0, False, "", 1)]
    charts = [drawn(qtbot, shown, vertical=vertical, mirrored=mirrored) for mirrored in (False, True)]
    plain, mirrored = (extent(chart, bar_colour(chart)) for chart in charts)
    assert mirrored[0] == pytest.approx(charts[0].width() - 1 - plain[2], abs=1)
    assert mirrored[1] == plain[1]


def test_a_mirrored_name_is_beside_its_bar_whether_the_window_or_all_of_the_program_is_mirrored(qtbot):
    shown = [Bar("a", "", 0.5, False), Bar("a much longer name", "", 0.0, False, "", 1)]
    charts = [drawn(qtbot, shown, mirrored=True)]
    QApplication.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        charts.append(drawn(qtbot, shown))
        first, second = map(_pixels, charts)
    finally:
        QApplication.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("vertical", [False, True])
def test_a_threshold_is_a_line_at_its_number(qtbot, vertical):
    chart = drawn(qtbot, bars(1.0, 0.0, threshold=0.75), vertical=vertical)
    whole, line = extent(chart, bar_colour(chart)), None
    image = chart.grab().toImage()
    text = screen_look(chart._theme).text
    if vertical:  # through the second column, which has no bar
        y = round(whole[3] - 0.75 * (whole[3] - whole[1]))
        line = [image.pixelColor(chart._drawn().area(1).center().toPoint().x(), y + d) for d in (-1, 0, 1)]
    else:
        x = round(whole[0] + 0.75 * (whole[2] - whole[0]))
        line = [image.pixelColor(x + d, chart.line_height() + chart.line_height() // 2) for d in (-1, 0, 1)]
    assert max(abs(colour.lightness() - text.lightness()) < 30 for colour in line)


def test_an_assigned_class_has_a_mark_beside_its_bold_name(qtbot):
    """A chart of the same bar with the same colour still shows whether the class is assigned."""
    look = screen_look(Theme(SimpleNamespace(theme="dark")))
    for vertical in (False, True):
        names = []
        for assigned in (False, True):
            chart = drawn(qtbot, [Bar("class", "", 0.0, assigned)], vertical=vertical)
            names.append(np.count_nonzero(_pixels(chart) == look.text.rgb()))
        assert names[1] > names[0]


def _pixels(chart: Chart) -> np.ndarray:
    image = chart.grab().toImage()
    return np.array([[image.pixel(x, y) for x in range(image.width())] for y in range(image.height())])


def test_a_value_is_written_with_its_unit_and_has_no_bar(qtbot):
    value = Bar("age", "", 0.9, False, "0.9 years")
    assert value.shown == "0.9 years"
    assert value.explained == "age: 0.9 years"
    for vertical in (False, True):
        chart = drawn(qtbot, [value], vertical=vertical)
        assert not np.count_nonzero(_pixels(chart) == bar_colour(chart).rgb())
    assert not chart.vertical


@pytest.mark.parametrize(
    "look", [paper_look(), *(screen_look(Theme(SimpleNamespace(theme=t))) for t in ("dark", "light"))]
)
def test_all_colours_of_a_chart_can_be_told_from_the_background(look):
    for text in (look.text, look.faint):
        assert contrast(text, look.background) >= TEXT_CONTRAST
    for shape in (look.bar, look.assigned, look.frame, *look.lines):
        assert contrast(shape, look.background) >= SHAPE_CONTRAST
    assert len({line.rgb() for line in look.lines}) == len(look.lines)


def test_arrow_keys_go_through_the_bars_and_say_class_and_number(qtbot):
    chart = drawn(qtbot, [Bar("a", "first of all", 0.1, False), Bar("b", "", 0.25, True, "", 1)])
    chart.show()
    chart.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is chart)
    chart.setFocus()
    qtbot.waitUntil(chart.hasFocus)
    assert chart.accessibleDescription().startswith("first of all: 0.1. Bar 1 of 2")
    places = []
    chart.current_moved.connect(places.append)
    QTest.keyClick(chart, Qt.Key.Key_Down)
    assert chart.current.name == "b"
    assert chart.accessibleDescription().startswith("b: 0.25, assigned. Bar 2 of 2")
    assert "b: 0.25, assigned" in QToolTip.text()
    assert places[0].contains(chart.width() // 2, chart.line_height() * 3 // 2)
    QTest.keyClick(chart, Qt.Key.Key_Down)
    assert chart.current.name == "b"
    QTest.keyClick(chart, Qt.Key.Key_Home)
    assert chart.current.name == "a"


def test_a_click_chooses_the_bar_and_it_stays_chosen_in_another_order(qtbot):
    shown = bars(0.1, 0.9)
    chart = drawn(qtbot, shown)
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton, pos=QPoint(100, chart.line_height() * 3 // 2))
    assert chart.current.name == "1"
    chart.show_bars(ordered(shown, "descending"))
    assert chart.current.name == "1"
    assert chart.bars[0].name == "1"


class ManyModel(MeanModel):
    """Gives greater probabilities for later classes."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([np.linspace(0, 1, COUNT, dtype=np.float32)] * len(batch)) / (COUNT / 2)


@pytest.fixture
def many(fake_catalogue, open_panel, viewer, classify):
    fake_catalogue.cards, fake_catalogue.here, fake_catalogue.models = [MANY], {"many"}, {"many": ManyModel(MANY)}
    viewer.add_image(flat(9), name="grey")
    panel = open_panel()
    classify(panel, "Many")
    return panel.results.detail.view


def names(view) -> list[int]:
    return [bar.index for bar in view.chart.bars]


def test_more_classes_are_shown_when_they_are_asked_for(many, qtbot):
    assert len(names(many)) == FIRST
    assert many.count.text() == "10 of 40 classes"
    qtbot.mouseClick(many.more, Qt.MouseButton.LeftButton)
    assert names(many) == list(range(COUNT))
    assert not many.more.isEnabled()
    assert many.area.height() < many.chart.sizeHint().height()
    qtbot.mouseClick(many.fewer, Qt.MouseButton.LeftButton)
    assert len(names(many)) == FIRST
    assert many.fewer.isHidden()


def test_a_class_is_found_by_a_part_of_its_label_and_stays_until_it_is_unpinned(many, qtbot):
    qtbot.keyClicks(many.search, "label 3")
    qtbot.keyClick(many.search, Qt.Key.Key_Return)
    assert names(many)[0] == 3
    assert many.search.text() == ""
    many.chart._choose(0)
    assert many.unpinnable == "class 3"
    QTest.keyClick(many.chart, Qt.Key.Key_Delete)
    assert 3 not in names(many)


def test_a_search_without_a_result_adds_nothing(many, qtbot):
    before = names(many)
    qtbot.keyClicks(many.search, "there is no such class")
    qtbot.keyClick(many.search, Qt.Key.Key_Return)
    assert names(many) == before


def test_choices_are_kept_when_the_panel_is_closed(many, qtbot, viewer, open_panel):
    many.order.setCurrentIndex(1)
    many.set_vertical(True)
    many.pin(5)
    from napari_webipred._napari.charts.chart_view import ChartView

    again = ChartView(many._display, many.chart._theme)
    qtbot.addWidget(again)
    again.show_row(*many._shown)
    assert again.order.currentData() == "descending"
    assert again.chart.vertical
    assert names(again) == [*range(COUNT - 1, COUNT - FIRST - 1, -1), 5]


def test_few_classes_need_no_search(viewer, panel, classify):
    viewer.add_image(flat(9))
    classify(panel)
    view = panel.results.detail.view
    assert view.search.isHidden()
    assert view.counting.isHidden()


def test_the_order_of_the_chart_leaves_the_table_alone(viewer, panel, classify):
    viewer.add_image(np.full((40, 40), 250, np.uint8))
    classify(panel)
    detail = panel.results.detail
    assert [bar.name for bar in detail.chart.bars] == ["dark", "bright"]
    detail.order.setCurrentIndex(1)
    assert [bar.name for bar in detail.chart.bars] == ["bright", "dark"]
    header = panel.results.model.headerData(3, Qt.Orientation.Horizontal)
    assert header == "dark"

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from tests.gui.test_preview import Slow

from napari_webipred._napari.intensity.intensity import EXPLANATIONS, WORDS, IntensityChoice
from napari_webipred._napari.intensity.range_slider import RangeSlider
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.imaging.histogram import histogram_of


class Colours:
    """Stands in for a viewer: the slider needs its theme only."""

    theme = "dark"


@pytest.fixture
def slider(qtbot):
    widget = RangeSlider(Theme(Colours()))
    qtbot.addWidget(widget)
    widget.resize(212, 64)  # 200 pixels of track
    widget.moved_to = []
    widget.moved.connect(lambda low, high: widget.moved_to.append((low, high)))
    return widget


def ramp(low: float, high: float, dtype: str = "uint16") -> np.ndarray:
    return np.linspace(low, high, 400).astype(dtype).reshape(20, 20)


def drag(qtbot, widget, start: QPoint, end: QPoint) -> None:
    """Drag the mouse over the screen; the widget may move under it."""
    first, last = widget.mapToGlobal(start), widget.mapToGlobal(end)
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        place = first + (last - first) * step / 5
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(widget.mapFromGlobal(place)),
            QPointF(place),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=widget.mapFromGlobal(last))


def test_white_is_dragged_with_the_mouse(slider, qtbot):
    slider.show_histogram(histogram_of(ramp(0, 2000)))
    slider.show_range((0, 2000))
    drag(qtbot, slider, QPoint(206, 20), QPoint(106, 20))
    assert slider.range == (0, 1000)
    assert slider.moved_to[-1] == (0, 1000)


def test_a_handle_is_dragged_with_the_mouse(slider, qtbot):
    slider.show_histogram(histogram_of(ramp(0, 2000)))
    slider.show_range((500, 2000))
    drag(qtbot, slider.low, QPoint(6, 60), QPoint(56, 60))
    low, high = slider.range
    assert low == pytest.approx(1000, abs=25)
    assert high == 2000


def test_the_arrow_keys_move_the_handle_with_the_focus(slider, qtbot):
    slider.show_histogram(histogram_of(ramp(0, 2000)))
    slider.show_range((500, 1500))
    qtbot.keyClick(slider.low, Qt.Key.Key_Right)
    assert slider.range == (510, 1500)
    qtbot.keyClick(slider.high, Qt.Key.Key_PageDown)
    assert slider.range == (510, 1400)
    qtbot.keyClick(slider.low, Qt.Key.Key_Home)
    qtbot.keyClick(slider.high, Qt.Key.Key_End)
    assert slider.range == (0, 2000)


def test_black_stays_below_white(slider, qtbot):
    slider.show_histogram(histogram_of(ramp(0, 2000)))
    slider.show_range((500, 600))
    qtbot.keyClick(slider.low, Qt.Key.Key_End)
    assert slider.range == (599, 600)
    qtbot.keyClick(slider.high, Qt.Key.Key_Home)
    assert slider.range == (599, 600)


@pytest.mark.parametrize("used", [(-5000, 90000), (-5000, 1000), (100, 90000), (2500, 9000)])
def test_values_beyond_the_histogram_are_never_cut_off(slider, qtbot, used):
    slider.show_histogram(histogram_of(ramp(0, 2000)))
    slider.show_range(used)
    assert slider.range == used
    assert slider.moved_to == []
    qtbot.keyClick(slider.low, Qt.Key.Key_Left)
    assert slider.range == (used[0] - 10, used[1])
    assert (slider.low.beyond, slider.high.beyond) == (
        -1 if used[0] - 10 < 0 else int(used[0] > 2010),
        int(used[1] > 2000),
    )


@pytest.mark.parametrize(
    ("pixels", "step"),
    [
        (ramp(0, 255, "uint8"), 1),
        (ramp(-1000, 1000, "int16"), 10),
        (ramp(0, 1, "float32"), 0.005),
        (ramp(0, 1, "uint8").astype(bool), 1),
        (ramp(5, 5), 1),
        (ramp(0, 2**63, "uint64"), 2**63 / 200),
        (np.dstack([ramp(0, 200, "uint8")] * 3), 1),
    ],
)
def test_all_types_of_pixels_have_a_step(slider, qtbot, pixels, step):
    found = histogram_of(pixels)
    slider.show_histogram(found)
    slider.show_range((found.low, found.high + 1))
    qtbot.keyClick(slider.low, Qt.Key.Key_Left)
    assert found.low - slider.range[0] == pytest.approx(step, rel=1e-3)
    assert not slider.grab().isNull()


def test_without_a_histogram_nothing_can_be_moved(slider, qtbot):
    slider.show_range((0, 5))
    assert slider.low.isHidden()
    slider.show_histogram(histogram_of(ramp(0, 9)))
    slider.show_range(None)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(50, 10))
    qtbot.keyClick(slider.low, Qt.Key.Key_Right)
    assert slider.moved_to == []


def test_every_range_has_words_and_an_explanation():
    assert WORDS.keys() == EXPLANATIONS.keys()


def test_a_range_that_is_set_is_one_change(qtbot):
    choice = IntensityChoice(Theme(Colours()))
    qtbot.addWidget(choice)
    changes = []
    choice.value_changed.connect(changes.append)
    choice.set_value((70000, 90000))
    assert changes == [(70000, 90000)]
    choice.set_value("stack")
    assert changes[1:] == ["stack"]
    choice.set_value((70000, 90000))
    assert changes[2:] == [(70000, 90000)]


def sixteen_bit(planes: int = 4) -> np.ndarray:
    return np.stack([ramp(100 + 10 * z, 2000 + 100 * z) for z in range(planes)])


@pytest.fixture
def counted(panel, qtbot):
    """Wait until everything is counted that is to be counted."""
    statistics = panel.images.statistics

    def wait():
        qtbot.waitUntil(lambda: not statistics.counting.busy and not statistics.reading.busy)
        return panel.form.intensity.native.slider.range

    return wait


def test_the_range_of_every_mode_is_shown_for_the_shown_plane(viewer, panel, counted):
    data = sixteen_bit()
    viewer.add_image(data, axis_labels=("z", "y", "x"), contrast_limits=(300, 900))
    viewer.dims.set_point(0, 2)
    intensity = panel.form.intensity
    low, high = np.percentile(data[2], (1, 99))
    for asked, used in {
        "auto": (120, 2200),
        "dtype": (0, 65535),
        "plane": (120, 2200),
        "stack": (100, 2300),
        "percentiles": (low, high),
        "limits": (300, 900),
        (7, 99): (7, 99),
    }.items():
        intensity.value = asked
        assert counted() == used
    intensity.value = "auto"
    viewer.dims.set_point(0, 0)
    assert counted() == (100, 2000)


def test_dragging_on_the_histogram_chooses_a_fixed_range(viewer, panel, counted, qtbot):
    viewer.add_image(sixteen_bit(1)[0])
    counted()
    slider = panel.form.intensity.native.slider
    qtbot.keyClick(slider.high, Qt.Key.Key_PageDown)
    low, high = panel.form.intensity.value
    assert low == 100
    assert high == pytest.approx(1905, abs=10)
    assert slider.range == (low, high)
    assert panel.form.intensity.native.high.value() == high


def test_a_fixed_range_begins_with_the_one_that_was_used(viewer, panel, counted, qtbot):
    viewer.add_image(sixteen_bit(1)[0])
    counted()
    mode = panel.form.intensity.native.mode
    mode.setCurrentIndex(mode.findText("Fixed range"))
    assert panel.form.intensity.value == (100, 2000)
    panel.form.intensity.value = (5, 70000)
    qtbot.keyClicks(mode, "Auto")
    counted()
    mode.setCurrentIndex(mode.findText("Fixed range"))
    assert panel.form.intensity.value == (5, 70000)


def test_it_is_said_before_the_run_that_ranges_differ_and_one_click_helps(viewer, panel, counted, qtbot):
    viewer.add_image(sixteen_bit(), axis_labels=("z", "y", "x"))
    counted()
    note = panel.images.statistics.note
    assert "black 100 to 130, white 2000 to 2300" in note.text
    panel.form.planes.value = "current"
    counted()
    assert note.text == ""
    panel.form.planes.value = "all"
    counted()
    qtbot.mouseClick(note.accept, Qt.MouseButton.LeftButton)
    assert panel.form.intensity.value == "stack"
    assert note.text == ""
    assert counted() == (100, 2300)


@pytest.mark.parametrize(
    "data", [sixteen_bit().astype(np.uint8), np.stack([ramp(0, 900)] * 3), sixteen_bit(1)[0]], ids=["8", "same", "one"]
)
def test_nothing_is_said_where_ranges_are_the_same(viewer, panel, counted, data):
    viewer.add_image(data)
    counted()
    assert panel.images.statistics.note.text == ""


def test_a_lazy_stack_is_read_when_it_is_asked_for_with_progress_and_cancel(viewer, panel, counted, qtbot):
    lazy = Slow(9)
    viewer.add_image(lazy, contrast_limits=(0, 255))
    counted()
    statistics = panel.images.statistics
    assert set(lazy.read) == {viewer.dims.current_step[0]}
    lazy.gate.clear()
    qtbot.mouseClick(statistics.whole, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(lazy.read) > 1)
    threading.Timer(0.05, lazy.gate.set).start()
    qtbot.waitUntil(lambda: not statistics.reading.busy)
    assert statistics.stack is not None
    assert statistics.stack.planes == 9
    viewer.layers[0].data = Slow(5)
    counted()
    assert statistics.stack is not None
    assert statistics.stack.planes == 5


def test_cancelling_leaves_the_histogram_of_the_plane(viewer, panel, counted, qtbot):
    lazy = Slow(9)
    viewer.add_image(lazy, contrast_limits=(0, 255))
    counted()
    statistics = panel.images.statistics
    lazy.gate.clear()
    qtbot.mouseClick(statistics.whole, Qt.MouseButton.LeftButton)
    statistics._on_progress([1])
    qtbot.mouseClick(statistics.progress.cancel, Qt.MouseButton.LeftButton)
    lazy.gate.set()
    counted()
    assert statistics.stack is None
    assert not statistics.whole.isChecked()
    assert statistics.progress.isHidden()
    viewer.dims.set_point(0, 3)
    counted()
    assert statistics.stack is None


def test_values_that_are_no_numbers_are_told(viewer, panel, counted):
    data = ramp(0, 5, "float32")
    data[0, 0] = np.nan
    viewer.add_image(data, contrast_limits=(0, 5))
    counted()
    assert panel.images.statistics.others.text().startswith("1 values are not counted")
    assert not panel.images.statistics.others.isHidden()


def test_after_the_run_ranges_that_differed_are_told_and_one_click_helps(viewer, panel, counted, classify, qtbot):
    viewer.add_image(sixteen_bit(2), name="stack", axis_labels=("z", "y", "x"))
    classify(panel)
    note = panel.results.ranges
    assert "stack (black 100 to 110, white 2000 to 2100)" in note.text
    assert panel.results.detail.range.text() == "Black 100, white 2000"
    tip = panel.results.model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "black 110, white 2100" in tip
    qtbot.mouseClick(note.accept, Qt.MouseButton.LeftButton)
    assert panel.form.intensity.value == "stack"
    assert note.text == ""
    classify(panel)
    assert note.text == ""

"""The whole panel by keyboard: Tab goes through it in the order that is seen, and each stop shows where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QAction, QImage, QKeySequence
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QLabel, QRadioButton, QWidget
from tests.gui.conftest import EYE

from napari_webipred._napari import keys
from napari_webipred._napari.key_list import KeyList
from napari_webipred._napari.keys import KEYS


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """Only a window that is shown can have the keyboard."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def full_panel(viewer, fake_catalogue, open_panel, qtbot, classify):
    """A panel in which nearly every control is shown."""
    fake_catalogue.here.add("eye")
    panel = open_panel()
    viewer.add_image(np.arange(4 * 40 * 40, dtype=np.uint16).reshape(4, 40, 40), name="stack")
    viewer.add_image(np.full((40, 40), np.nan), name="holes", contrast_limits=(0, 1))
    viewer.add_shapes([np.array([[2, 2], [2, 20], [20, 20], [20, 2]])], name="shapes")
    classify(panel, EYE.name)
    for section in panel.sections:
        section.header.setChecked(True)
    panel.form.intensity.value = (0, 1000)
    panel.form.planes.value = slice(0, 4, 2)
    panel.classify.more.click()
    window = panel.window()
    window.resize(1500, 1150)
    window.activateWindow()
    models, below, statistics = panel.model.choice.list, panel.model.more, panel.images.statistics
    # What is counted beside the window adds lines to step 2, which move all that is below.
    qtbot.waitUntil(lambda: not statistics.counting.busy and not statistics.reading.busy)
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None)
    qtbot.waitUntil(lambda: place_of(models, panel).bottom() < place_of(below, panel).top())  # all is laid out
    return panel


def pixels(widget: QWidget) -> np.ndarray:
    """Paint a widget; return its colours, (height, width, 3)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    data = image.constBits()
    if hasattr(data, "setsize"):
        data.setsize(image.sizeInBytes())
    flat = np.frombuffer(data, np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return flat[:, : image.width(), 2::-1].copy()


def luminance(colours: np.ndarray) -> np.ndarray:
    """Return the relative luminance of colours, (..., 3) of uint8, as WCAG 2 defines it."""
    parts = colours / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrasts(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    one, other = luminance(before), luminance(after)
    return (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)


def place_of(widget: QWidget, column: QWidget) -> QRect:
    return QRect(widget.mapTo(column, QPoint(0, 0)), widget.size())


def stops(panel: QWidget, qtbot) -> Iterator[QWidget]:
    """Press Tab until it leaves the panel, and return each widget that has the keyboard then."""
    seen: list[QWidget] = []
    panel.sections[0].header.setFocus(Qt.FocusReason.TabFocusReason)
    while (widget := QApplication.focusWidget()) is not None and panel.isAncestorOf(widget) and widget not in seen:
        seen.append(widget)
        yield widget
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert len(seen) > 30


def can_have_focus(panel: QWidget) -> set[QWidget]:
    """Return what the keyboard should reach: of radio buttons, the arrow keys reach those that are not chosen."""
    return {
        widget
        for widget in panel.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and not isinstance(widget.parent(), QAbstractSpinBox)
        and not (isinstance(widget, QRadioButton) and not widget.isChecked())
        and widget is not panel.scroll
    }


def spoken(widget: QWidget) -> str:
    """Return what a screen reader says: the name, else the text of the widget or of its label."""
    labels = [label for label in widget.window().findChildren(QLabel) if label.buddy() is widget]
    text = widget.text() if isinstance(widget, QAbstractButton) else labels[0].text() if labels else ""
    return widget.accessibleName() or text.replace("&", "")


def test_tab_goes_through_all_controls_from_top_to_bottom_and_out_again(full_panel, qtbot):
    column = full_panel.scroll.widget()
    seen = list(stops(full_panel, qtbot))
    assert can_have_focus(full_panel) - set(seen) == set()
    areas = [(spoken(widget), place_of(widget, column)) for widget in seen]
    for (name, area), (next_name, following) in pairwise(areas):
        below = following.center().y() > area.center().y() + 8
        beside = following.left() > area.left() and following.bottom() >= area.top()
        assert below or beside, f"Tab goes from “{name}” up to “{next_name}”"


def test_each_control_has_a_name_of_its_own_for_screen_readers(full_panel, qtbot):
    names = {}
    for widget in stops(full_panel, qtbot):
        name = spoken(widget)
        assert re.fullmatch(r"[A-Z0-9⋯][^<>_]{1,70}", name), f"{widget!r} is called {name!r}"
        assert name not in names, f"{widget!r} and {names[name]!r} are called {name!r}"
        names[name] = widget


def test_each_control_shows_that_it_has_the_keyboard(full_panel, viewer, qtbot, blue_theme):
    column = full_panel.scroll.widget()
    unseen = []
    for theme in ("dark", "light", blue_theme):
        viewer.theme = theme
        full_panel.foot.setFocus()
        QApplication.processEvents()
        before: np.ndarray | None = None
        for widget in stops(full_panel, qtbot):
            now, area = pixels(column), place_of(widget, column).adjusted(-2, -2, 2, 2)
            if before is not None and before.shape == now.shape:
                window = slice(max(area.top(), 0), area.bottom() + 1), slice(max(area.left(), 0), area.right() + 1)
                clear = int((contrasts(before[window], now[window]) >= 2.7).sum())
                if clear < 0.65 * 2 * (widget.width() + widget.height()):
                    unseen.append(f"{theme}: {type(widget).__name__} {spoken(widget)}: {clear}")
            before = now
    assert not unseen, "\n".join(unseen)


def test_each_key_of_the_list_works_once_and_does_not_clash_with_napari(full_panel, viewer):
    from napari.utils.shortcuts import default_shortcuts

    ours = [sequence for key in KEYS for sequence in key.keys]
    ours += [shown for label in full_panel.findChildren(QLabel) if label.buddy() for shown in mnemonics(label.text())]
    assert len(set(ours)) == len(ours)
    window = full_panel.window()
    theirs = {str(key) for sequences in default_shortcuts.values() for key in sequences}
    theirs |= {keys.toString() for action in window.findChildren(QAction) for keys in action.shortcuts()}
    theirs |= {shown for action in window.menuBar().actions() for shown in mnemonics(action.text())}
    assert len(theirs) > 20
    assert not set(ours) & (theirs - {"Return", "F2", "Ctrl+C", "Ctrl+Z", "Delete"})
    shown = [line.keys for line in keys.lines(full_panel)]
    assert {"Ctrl+Return", "F1 or Shift+?", "Alt+I", "Alt+R", "Ctrl+Z", "Tab, Shift+Tab"} <= set(shown)


def mnemonics(text: str) -> list[str]:
    return [found] if (found := QKeySequence.mnemonic(text).toString()) else []


def test_keys_go_to_the_steps_and_show_their_list(full_panel, qtbot):
    panel = full_panel
    panel.sections[0].header.setChecked(False)
    panel.results.table.setFocus()
    qtbot.keyClick(panel.results.table, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(panel.model.choice.search.hasFocus)
    assert panel.sections[0].header.isChecked()
    for key, widget in (
        (Qt.Key.Key_2, panel.images.choice.list),
        (Qt.Key.Key_3, panel.classify.button),
        (Qt.Key.Key_4, panel.results.table),
    ):
        qtbot.keyClick(QApplication.focusWidget(), key, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(widget.hasFocus)
    before = panel._session.run
    qtbot.keyClick(panel.results.table, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: panel._session.run is not before and not panel._session.run.running)
    for key, modifier in (
        (Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier),
    ):
        panel.results.table.setFocus()
        qtbot.waitUntil(panel.results.table.hasFocus)
        qtbot.keyClick(panel.results.table, key, modifier)
        qtbot.waitUntil(lambda: bool(panel.findChildren(KeyList)))
        (dialog,) = panel.findChildren(KeyList)
        qtbot.waitUntil(dialog.table.hasFocus)
        qtbot.keyClick(dialog.table, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: not panel.findChildren(KeyList))
        panel.window().activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is panel.window())


def test_the_keyboard_stays_with_the_table_when_its_rows_change(full_panel, qtbot):
    results = full_panel.results
    table, undo = results.table, results.deleted.undo
    table.setFocus()
    table.selectRow(1)
    qtbot.keyClick(table, Qt.Key.Key_F2)
    qtbot.keyClicks(QApplication.focusWidget(), "blurred")
    across = table.horizontalScrollBar().value()
    assert across > 0
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    qtbot.waitUntil(table.hasFocus)
    assert results.chosen_entry.comment == "blurred"
    assert table.horizontalScrollBar().value() == across
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert table.hasFocus()
    undo.setFocus()
    qtbot.keyClick(undo, Qt.Key.Key_Space)
    assert table.hasFocus()
    results.buttons.clear.setFocus()
    qtbot.keyClick(results.buttons.clear, Qt.Key.Key_Space)
    assert undo.hasFocus()
    qtbot.keyClick(undo, Qt.Key.Key_Space)
    assert (table.hasFocus(), results.model.rowCount() > 0) == (True, True)


@pytest.mark.parametrize("key", [Qt.Key.Key_Tab, Qt.Key.Key_Backtab])
def test_tab_ends_a_comment_and_the_keyboard_stays_with_its_row(full_panel, qtbot, key):
    table = full_panel.results.table
    table.setFocus()
    table.selectRow(1)
    qtbot.keyClick(table, Qt.Key.Key_F2)
    qtbot.keyClicks(QApplication.focusWidget(), "blurred")
    qtbot.keyClick(QApplication.focusWidget(), key)
    qtbot.waitUntil(table.hasFocus)
    assert (table.currentIndex().row(), table.editing) == (1, False)
    assert full_panel.results.chosen_entry.comment == "blurred"


def test_tab_goes_through_a_review_in_its_place(full_panel, qtbot):
    qtbot.mouseClick(full_panel.results.buttons.review, Qt.MouseButton.LeftButton)
    start = full_panel.review._start
    qtbot.waitUntil(start.start.hasFocus)
    seen = list(stops(full_panel, qtbot))
    header = seen.index(full_panel.sections[3].header)
    assert seen[header + 1 : header + 5] == [start.blind, start.shuffled, start.start, start.leave]
    assert full_panel.foot.keyboard in seen[header + 5 :]


def test_all_texts_can_be_read(full_panel, viewer, blue_theme):
    """The strongest pixel of each text has the contrast with the colour around it that WCAG 2 asks for."""
    column, faint = full_panel.scroll.widget(), []
    for theme in ("dark", "light", blue_theme):
        viewer.theme = theme
        QApplication.processEvents()
        image = pixels(column)
        for widget in column.findChildren(QWidget):
            text = widget.text() if isinstance(widget, (QLabel, QAbstractButton)) else ""
            if not (text and widget.isVisible() and widget.isEnabled()):
                continue
            area = place_of(widget, column)
            part = image[area.top() + 3 : area.bottom() - 2, area.left() + 3 : area.right() - 2].reshape(-1, 3)
            colours, counts = np.unique(part, axis=0, return_counts=True)
            ground = colours[counts.argmax()]
            if (
                contrasts(np.broadcast_to(ground, colours.shape), colours).max() < 4.4
            ):  # strokes are thinner than a pixel
                faint.append(f"{theme}: {type(widget).__name__} {text}")
    assert not faint, "\n".join(faint)


def test_a_question_mark_can_be_typed(full_panel, qtbot):
    full_panel.model.choice.search.setFocus()
    qtbot.keyClicks(full_panel.model.choice.search, "a?")
    assert full_panel.model.choice.search.text() == "a?"
    assert not full_panel.findChildren(KeyList)


def test_arrow_keys_go_through_rows_and_space_ticks(full_panel, qtbot):
    panel = full_panel
    table, images = panel.results.table, panel.images.choice
    table.selectRow(0)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.currentIndex().row() == 1
    images.list.setCurrentIndex(images.layers.index(0))
    count = len(panel.form.images.value)
    qtbot.keyClick(images.list, Qt.Key.Key_Space)
    assert len(panel.form.images.value) == count - 1

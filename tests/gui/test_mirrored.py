"""Where people read from right to left, what the plugin paints and lays out itself is mirrored, as Qt does the rest."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QImage, QStandardItemModel
from qtpy.QtWidgets import QLabel, QStyleOptionViewItem, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.section import Header
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import ACTION, TwoLineDelegate
from napari_webipred._napari.widgets.wrapping_row import SPACING, WrappingRow

THEME = Theme(SimpleNamespace(theme="dark"))
LEFT, RIGHT = Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft


def painted(widget: QWidget, direction: Qt.LayoutDirection) -> np.ndarray:
    """Return which pixels differ from the background, (height, width)."""
    widget.setLayoutDirection(direction)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    data = image.constBits()
    if hasattr(data, "setsize"):
        data.setsize(image.sizeInBytes())
    lines = np.frombuffer(data, np.uint32).reshape(image.height(), image.bytesPerLine() // 4)[:, : image.width()]
    return np.asarray(lines != lines[0, image.width() // 2])


def test_badge_title_summary_and_arrow_of_a_step_change_sides(qtbot):
    header = Header("", "Model", THEME)
    qtbot.addWidget(header)
    header.summarise("done", True)
    header.resize(400, header.sizeHint().height())
    columns = [np.flatnonzero(painted(header, direction).any(axis=0)) for direction in (LEFT, RIGHT)]
    plain, mirrored = (set(found) for found in columns)
    title = max(column for column in plain if column < 200)
    summary = min(column for column in plain if column > 200)
    assert title < 100
    assert summary > 300
    assert min(mirrored) == pytest.approx(399 - max(plain), abs=2)
    assert max(column for column in mirrored if column < 200) == pytest.approx(399 - summary, abs=3)
    assert min(column for column in mirrored if column > 200) == pytest.approx(399 - title, abs=3)


def test_a_row_that_wraps_begins_at_the_right(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    labels = [QLabel(text) for text in "abc"]
    for label in labels:
        label.setFixedSize(100, 20)
    QVBoxLayout(widget).setContentsMargins(0, 0, 0, 0)
    widget.layout().addLayout(WrappingRow(labels))
    widget.setLayoutDirection(RIGHT)
    widget.resize(250, 60)
    widget.show()
    assert [label.x() for label in labels] == [150, 50 - SPACING, 0]
    assert labels[2].y() > labels[0].y()


@pytest.mark.parametrize("direction", [LEFT, RIGHT])
def test_the_word_in_an_item_is_where_the_title_ends(qtbot, direction):
    model = QStandardItemModel(1, 1)
    model.setData(model.index(0, 0), "Edit", ACTION)
    option = QStyleOptionViewItem()
    option.rect, option.direction = QRect(10, 0, 300, 40), direction
    word = TwoLineDelegate(THEME).action(option, model.index(0, 0))
    assert word.width() > 0
    assert option.rect.contains(word)
    assert (word.left() > 200) == (direction == LEFT)
    assert (word.right() < 120) == (direction == RIGHT)

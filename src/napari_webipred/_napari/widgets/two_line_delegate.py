"""List items of two lines."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QMouseEvent, QPainter
from qtpy.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme
from napari_webipred.names import readable

SECOND_LINE = Qt.ItemDataRole.UserRole + 1
REMARK = Qt.ItemDataRole.UserRole + 2
ACTION = Qt.ItemDataRole.UserRole + 3
PADDING = 6
BOX = 16


class TwoLineDelegate(QStyledItemDelegate):
    """Paints a title over a fainter second line, a remark at the right and, if the item has one, a check box.

    Signals
    -------
    acted : QModelIndex
        The word at the right of the title, such as *Edit*, was clicked.
    """

    acted = Signal(QModelIndex)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, 2 * option.fontMetrics.height() + 2 * PADDING)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        assert painter is not None
        painter.save()
        painter.setLayoutDirection(option.direction)  # a painter has that of the program
        painter.setClipRect(option.rect)  # stacks of accents reach over any number of lines
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        enabled = bool(option.state & QStyle.StateFlag.State_Enabled)
        on = self._paint_ground(painter, option)
        area = option.rect.adjusted(PADDING + 3, PADDING - 1, -PADDING, -PADDING + 1)
        if index.data(Qt.ItemDataRole.CheckStateRole) is not None:
            if enabled:
                self._paint_box(painter, _mirrored(option, self.box(option.rect)), is_checked(index))
            area.setLeft(area.left() + BOX + PADDING + 2)
        upper = QRect(area.left(), area.top(), area.width(), area.height() // 2)
        lower = upper.translated(0, area.height() - area.height() // 2)
        title = QFont(option.font)
        title.setWeight(QFont.Weight.DemiBold)
        full = self._theme.readable("text", on) if enabled else self._theme.colour("text", 0.45)
        word = self.action(option, index)
        first = _mirrored(option, upper.adjusted(0, 0, -word.width(), 0))
        _text(painter, first, title, full, index.data(Qt.ItemDataRole.DisplayRole))
        if word.width():
            self._paint_action(painter, word, option, index.data(ACTION), on)
        remark = index.data(REMARK) or ""
        width = option.fontMetrics.horizontalAdvance(remark) + 4 if remark else 0
        right = _mirrored(option, QRect(lower.right() - width, lower.top(), width, lower.height()))
        second = _mirrored(option, lower.adjusted(0, 0, -width - PADDING if remark else 0, 0))
        _text(painter, second, option.font, self._theme.readable("text", on, 0.7), index.data(SECOND_LINE))
        _text(painter, right, option.font, self._theme.readable("text", on, 0.85), remark)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> str:
        """Paint the background; return the name of its colour."""
        state, area = option.state, option.rect
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, self._theme.colour("highlight"))
            edge = _mirrored(option, QRect(area.topLeft(), QSize(3, area.height())))
            painter.fillRect(edge, self._theme.colour("current"))
        elif state & QStyle.StateFlag.State_MouseOver and state & QStyle.StateFlag.State_Enabled:
            painter.fillRect(area, self._theme.colour("highlight", 0.35))
        on = "highlight" if selected else "primary"
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(self._theme.readable("highlight", on, ratio=SHAPE_CONTRAST))
            painter.drawRect(area.adjusted(0, 0, -1, -1))
        return on

    def action(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QRect:
        """Return where the word is that can be clicked beside the title; empty if there is none."""
        text = index.data(ACTION) or ""
        width = option.fontMetrics.horizontalAdvance(text) + 2 * PADDING if text else 0
        area = option.rect
        word = QRect(area.right() - PADDING - width + 1, area.top() + 2, width, area.height() // 2 - 2)
        return _mirrored(option, word)

    def _paint_action(self, painter: QPainter, area: QRect, option: QStyleOptionViewItem, text: str, on: str) -> None:
        under = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if under:
            painter.setPen(self._theme.readable("text", on, 0.7))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area, 3, 3)
        inner = area.adjusted(PADDING - 2, 0, 2 - PADDING, 0)
        _text(painter, inner, option.font, self._theme.readable("text", on, 1.0 if under else 0.7), text)

    @staticmethod
    def box(item: QRect) -> QRect:
        """Where the check box of an item is, in a language that is written from left to right."""
        return QRect(item.left() + PADDING + 3, item.center().y() - BOX // 2 + 1, BOX, BOX)

    def _paint_box(self, painter: QPainter, box: QRect, checked: bool) -> None:
        painter.setPen(self._theme.readable("current" if checked else "secondary", "primary", ratio=SHAPE_CONTRAST))
        painter.setBrush(self._theme.colour("current" if checked else "background"))
        painter.drawRoundedRect(box, 2, 2)
        if checked:
            pen = painter.pen()
            pen.setColor(self._theme.readable("text", on="current", ratio=SHAPE_CONTRAST))
            pen.setWidthF(2)
            painter.setPen(pen)
            x, y = box.left(), box.top()
            painter.drawLine(x + 4, y + 8, x + 7, y + 11)
            painter.drawLine(x + 7, y + 11, x + 12, y + 5)

    def editorEvent(self, event: QEvent | None, model: Any, option: QStyleOptionViewItem, index: QModelIndex) -> bool:
        """Let a click anywhere on the item, and the space bar, tick its box; with Ctrl or Shift it selects only."""
        if isinstance(event, QMouseEvent):
            if self.action(option, index).contains(event.pos()):
                if event.type() == QEvent.Type.MouseButtonRelease and event.button() == Qt.MouseButton.LeftButton:
                    self.acted.emit(index)
                return False
            if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier):
                return False
        if event is None or index.data(Qt.ItemDataRole.CheckStateRole) is None:
            return False
        clicked = event.type() == QEvent.Type.MouseButtonRelease and event.button() == Qt.MouseButton.LeftButton
        pressed = event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Space
        if not ((clicked or pressed) and index.flags() & Qt.ItemFlag.ItemIsEnabled):
            return False
        state = Qt.CheckState.Unchecked if is_checked(index) else Qt.CheckState.Checked
        return bool(model.setData(index, state, Qt.ItemDataRole.CheckStateRole))


def is_checked(index: QModelIndex | QPersistentModelIndex) -> bool:
    """Whether the box of an item is ticked."""
    return bool(Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked)


def list_view(theme: Theme, name: str, rows: int) -> QListView:
    """Make a list of two-line items with space for so many of them."""
    view = QListView()
    view.setItemDelegate(TwoLineDelegate(theme, view))
    view.setMouseTracking(True)
    view.setUniformItemSizes(True)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setAccessibleName(name)
    show_rows(view, rows)
    return view


def show_rows(view: QListView, rows: int) -> None:
    """Give a list of two-line items space for so many of them."""
    view.setFixedHeight(rows * (2 * view.fontMetrics().height() + 2 * PADDING) + 4)


def _mirrored(option: QStyleOptionViewItem, area: QRect) -> QRect:
    """Return where a part of an item is in a window whose language may be written from right to left."""
    return QStyle.visualRect(option.direction, option.rect, area)


def _text(painter: QPainter, area: QRect, font: QFont, colour: QColor, text: str | None) -> None:
    painter.setFont(font)
    painter.setPen(colour)
    # Names often differ at their end only.
    elided = painter.fontMetrics().elidedText(readable(text or ""), Qt.TextElideMode.ElideMiddle, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter.value | Qt.AlignmentFlag.AlignLeft.value, elided)

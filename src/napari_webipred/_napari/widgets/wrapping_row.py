"""A row of widgets that wraps like text where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QStyle, QWidget

SPACING = 6


class WrappingRow(QLayout):
    """Widgets one after the other, the last one at the end of the line; those that do not fit go to the next line.

    Parameters
    ----------
    widgets : sequence of QWidget
        They keep the size of their hints. Hidden ones take no space.
    last_at_end : bool
        False leaves the last one beside the others.
    """

    def __init__(self, widgets: Sequence[QWidget], last_at_end: bool = True) -> None:
        super().__init__()
        self._last_at_end = last_at_end
        self._items: list[QLayoutItem] = []
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem | None) -> None:
        assert item is not None
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        areas = self._areas(width)
        return areas[-1].bottom() + 1 if areas else 0

    def sizeHint(self) -> QSize:
        sizes = [item.sizeHint() for item in self._shown()]
        width = sum(size.width() + SPACING for size in sizes) - SPACING
        return QSize(max(width, 0), max((size.height() for size in sizes), default=0))

    def minimumSize(self) -> QSize:
        sizes = [item.sizeHint() for item in self._shown()]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def setGeometry(self, area: QRect) -> None:
        super().setGeometry(area)
        for item, place in zip(self._shown(), self._areas(area.width()), strict=True):
            seen = QStyle.visualRect(self._direction(), QRect(0, 0, area.width(), area.height()), place)
            item.setGeometry(seen.translated(area.topLeft()))

    def _direction(self) -> Qt.LayoutDirection:
        """Return in which direction the language of the window is written."""
        widget = self.parentWidget()
        return Qt.LayoutDirection.LeftToRight if widget is None else widget.layoutDirection()

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _areas(self, width: int) -> list[QRect]:
        """Return where the shown widgets are in a row of this width, relative to its top left corner."""
        areas: list[QRect] = []
        left = top = 0
        for size in (item.sizeHint() for item in self._shown()):
            if left > 0 and left + size.width() > width:
                left, top = 0, areas[-1].bottom() + 1 + SPACING
            areas.append(QRect(QPoint(left, top), size))
            left += size.width() + SPACING
        if areas and self._last_at_end:
            areas[-1].moveRight(width - 1)
        return areas

"""A row of widgets that wraps like text where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QStyle, QWidget

SPACING = 6


class WrappingRow(QLayout):
    """Widgets one after the other, the last one at the end of the line; those that do not fit go to the next line.

    Parameters
    ----------
    widgets : sequence of QWidget
        Those that expand share what is left of their line, and need no more than their smallest width to stand in it.
        The others keep the size of their hints, unless a line is narrower. Hidden ones take no space.
    last_at_end : bool
        False leaves the last one beside the others.
    """

    def __init__(self, widgets: Sequence[QWidget], last_at_end: bool = True) -> None:
        super().__init__()
        self._last_at_end = last_at_end
        self._items: list[QLayoutItem] = []
        self.setSpacing(SPACING)
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
        return max((area.bottom() + 1 for area in self._areas(width)), default=0)

    def sizeHint(self) -> QSize:
        sizes = [item.sizeHint() for item in self._shown()]
        width = sum(size.width() + self.spacing() for size in sizes) - self.spacing()
        return QSize(max(width, 0), max((size.height() for size in sizes), default=0))

    def minimumSize(self) -> QSize:
        sizes = [item.minimumSize() for item in self._shown()]
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
        top = 0
        for line in self._lines(width):
            left, widths = 0, self._widths(line, width)
            heights = [_height(item, wide) for item, wide in zip(line, widths, strict=True)]
            for wide, high in zip(widths, heights, strict=True):
                areas.append(QRect(left, top + (max(heights) - high) // 2, wide, high))
                left += wide + self.spacing()
            top += max(heights) + self.spacing()
        if areas and self._last_at_end:
            areas[-1].moveRight(width - 1)
        return areas

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        """Return what stands in each line."""
        lines: list[list[QLayoutItem]] = []
        left = 0
        for item in self._shown():
            needed = _needed(item)
            if not lines or left + needed > width:
                lines.append([])
                left = 0
            lines[-1].append(item)
            left += needed + self.spacing()
        return lines

    def _widths(self, line: Sequence[QLayoutItem], width: int) -> list[int]:
        """Share a line of this width among what stands in it."""
        widths = [min(_needed(item), width) for item in line]
        left = width - sum(widths) - self.spacing() * (len(line) - 1)
        growing = [place for place, item in enumerate(line) if _grows(item)]
        for number, place in enumerate(growing):
            share = left // (len(growing) - number)
            widths[place] += share
            left -= share
        return widths


def _grows(item: QLayoutItem) -> bool:
    return bool(item.expandingDirections() & Qt.Orientation.Horizontal)


def _needed(item: QLayoutItem) -> int:
    return int((item.minimumSize() if _grows(item) else item.sizeHint()).width())


def _height(item: QLayoutItem, width: int) -> int:
    return int(item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height())

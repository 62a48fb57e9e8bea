"""Items of two lines, as Qt sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from msgspec import Struct
from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.two_line_delegate import REMARK, SECOND_LINE
from napari_webipred.names import readable

ROOT = QModelIndex()
ITEM = Qt.ItemDataRole.UserRole + 10
T = TypeVar("T")


class Lines(Struct, frozen=True):
    """What is shown of an item.

    Attributes
    ----------
    title, second, remark : str
        The first line, the second one, and the text at its right end.
    tip : str
        The tool tip; by default all of these.
    """

    title: str
    second: str
    remark: str = ""
    tip: str = ""

    @property
    def spoken(self) -> str:
        """The text for screen readers."""
        return ", ".join(part for part in (self.title, self.second, self.remark) if part)


class TwoLineList(QAbstractListModel, Generic[T]):
    """Items of any kind; a function returns what is shown of each.

    Parameters
    ----------
    lines : callable
        Returns the `Lines` of an item.
    """

    def __init__(self, lines: Callable[[T], Lines], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines = lines
        self.items: list[T] = []

    def fill(self, items: Iterable[T]) -> None:
        """Show these items."""
        self.beginResetModel()
        self.items = list(items)
        self.endResetModel()

    def add(self, item: T) -> None:
        """Put an item at the top."""
        self.beginInsertRows(ROOT, 0, 0)
        self.items.insert(0, item)
        self.endInsertRows()

    def repaint(self, *items: T) -> None:
        """Paint items again, by default all; those that are not in the list do not matter."""
        rows = [self.items.index(item) for item in items if item in self.items] if items else range(len(self.items))
        if rows:
            self.dataChanged.emit(self.index(min(rows)), self.index(max(rows)))

    def rowCount(self, parent: QModelIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item = self.items[index.row()]
        if role == ITEM:
            return item
        if role not in ROLES:
            return None
        return ROLES[role](self._lines(item))


ROLES: dict[int, Callable[[Lines], str]] = {
    Qt.ItemDataRole.DisplayRole: lambda lines: lines.title,
    SECOND_LINE: lambda lines: lines.second,
    REMARK: lambda lines: lines.remark,
    Qt.ItemDataRole.ToolTipRole: lambda lines: tip(lines.tip or lines.spoken),
    Qt.ItemDataRole.AccessibleTextRole: lambda lines: readable(lines.spoken),
}

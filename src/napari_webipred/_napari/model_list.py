"""The models to choose from, as Qt sees them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, QSortFilterProxyModel, Qt

from napari_webipred._napari.entry import Entry
from napari_webipred._napari.label import tip
from napari_webipred._napari.two_line_delegate import REMARK, SECOND_LINE
from napari_webipred.catalogue.search import matches

NOWHERE = QModelIndex()
ENTRY = Qt.ItemDataRole.UserRole + 10


class ModelList(QAbstractListModel):
    """Entries in the order of the catalogue, the user's own first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def fill(self, entries: list[Entry]) -> None:
        """Show these entries."""
        self.beginResetModel()
        self.entries = list(entries)
        self.endResetModel()

    def add(self, entry: Entry) -> None:
        """Put an entry at the top."""
        self.beginInsertRows(NOWHERE, 0, 0)
        self.entries.insert(0, entry)
        self.endInsertRows()

    def refresh(self, entry: Entry) -> None:
        """Show an entry anew."""
        index = self.index(self.entries.index(entry))
        self.dataChanged.emit(index, index)

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.card.name
        if role == SECOND_LINE:
            return entry.place
        if role == REMARK:
            return entry.state
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(entry.explained)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.card.name}, {entry.place}, {entry.state}"
        return entry if role == ENTRY else None


class ModelFilter(QSortFilterProxyModel):
    """Lets through what has all words of a search and the chosen discipline and procedure."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._discipline: str | None = None
        self._procedure: str | None = None

    def narrow(self, text: str, discipline: str | None, procedure: str | None) -> None:
        """Show only models that fit."""
        self._text, self._discipline, self._procedure = text, discipline, procedure
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        card = self.sourceModel().index(row, 0, parent).data(ENTRY).card
        return matches(card, self._text, self._discipline, self._procedure)

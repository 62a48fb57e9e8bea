"""The models on this machine, as Qt sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from napari_webipred._napari.entry import megabytes
from napari_webipred._napari.label import tip
from napari_webipred._napari.origin import origin
from napari_webipred._napari.two_lines import REMARK, SECOND_LINE
from napari_webipred.catalogue.entry import Entry

NOWHERE = QModelIndex()
KEPT = Qt.ItemDataRole.UserRole + 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A model in the cache.

    Attributes
    ----------
    entry : catalogue.entry.Entry
        What is noted about it.
    name : str
        What people call it.
    used : str
        Day of the last use, ISO 8601.
    """

    entry: Entry
    name: str
    used: str

    @property
    def facts(self) -> str:
        """Source and last use in one line."""
        where = " · for all users" if self.entry.shared else ""
        return f"{origin(self.entry.source)} · used {self.used}{where}"


class KeptList(QAbstractListModel):
    """Models with where they came from, when they were used last and how large they are."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kept: list[Kept] = []

    def fill(self, kept: list[Kept]) -> None:
        """Show these."""
        self.beginResetModel()
        self.kept = list(kept)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.kept)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        kept = self.kept[index.row()]
        size = megabytes(kept.entry.size)
        if role == Qt.ItemDataRole.DisplayRole:
            return kept.name
        if role == SECOND_LINE:
            return kept.facts
        if role == REMARK:
            return size
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(f"{kept.name} – {kept.facts} – fetched {kept.entry.fetched[:10]} – {size}")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{kept.name}, {kept.facts}, {size}"
        return kept if role == KEPT else None

"""The models on this machine, as Qt sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from napari_webipred._napari.entry import megabytes
from napari_webipred._napari.label import tip
from napari_webipred._napari.two_line_delegate import REMARK, SECOND_LINE

NOWHERE = QModelIndex()
KEPT = Qt.ItemDataRole.UserRole + 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A model in the cache, or one of the user's own.

    Attributes
    ----------
    reference : str or Path
        Its identifier in the cache, or where the user's own file lies.
    name : str
        What people call it.
    origin : str
        Where it comes from, in some words.
    used : str
        Day of the last use, ISO 8601.
    size : int or None
        Bytes that it takes in the cache; None for the user's own.
    fetched : str
        Day of the download or import; empty for the user's own.
    shared : bool
        Whether it lies in the cache of all users.
    refused : str
        Why it cannot be used; empty as far as is known.
    gone : bool
        Whether the user's own file is not where it was.
    """

    reference: str | Path
    name: str
    origin: str
    used: str
    size: int | None = None
    fetched: str = ""
    shared: bool = False
    refused: str = ""
    gone: bool = False

    @property
    def facts(self) -> str:
        """Source and last use in one line."""
        return f"{self.origin} · used {self.used}{' · for all users' if self.shared else ''}"

    @property
    def state(self) -> str:
        """What is wrong with it, else its size."""
        return "file not found" if self.gone else "cannot be used" if self.refused else megabytes(self.size)

    @property
    def explained(self) -> str:
        """What a tool tip says."""
        where = str(self.reference.parent) if isinstance(self.reference, Path) else f"here since {self.fetched}"
        state = f"{self.state}: {self.refused}" if self.refused and not self.gone else self.state
        return " – ".join(part for part in (self.name, self.facts, where, state) if part)


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
        if role == Qt.ItemDataRole.DisplayRole:
            return kept.name
        if role == SECOND_LINE:
            return kept.facts
        if role == REMARK:
            return kept.state
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(kept.explained)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{kept.name}, {kept.facts}, {kept.state}"
        return kept if role == KEPT else None

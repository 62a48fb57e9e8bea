"""What a search has found, as Qt sees it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, Qt

from napari_webipred._napari.entry import Entry, megabytes
from napari_webipred._napari.label import tip
from napari_webipred._napari.model_list import ModelList
from napari_webipred._napari.origin import format_of
from napari_webipred._napari.two_line_delegate import REMARK, SECOND_LINE


class FoundList(ModelList):
    """Entries with what tells one unknown model from another: who made it, licence, date, format and size."""

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == SECOND_LINE:
            return facts(entry)
        if role == REMARK:
            return entry.state if entry.here else weight(entry)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            words = f"{entry.card.name} – {facts(entry)} – {weight(entry)}"
            return tip(words) if role == Qt.ItemDataRole.ToolTipRole else words
        return super().data(index, role)


def facts(entry: Entry) -> str:
    """Tell authors, licence and date in one line."""
    authors = [author.name for author in entry.card.authors]
    by = authors[0].partition(",")[0] + (" et al." if len(authors) > 1 else "") if authors else ""
    published = entry.card.provenance.published or ""
    return " · ".join(part for part in (by, entry.card.license or "no licence", published) if part)


def weight(entry: Entry) -> str:
    """Tell format and size in one line."""
    return " ".join(part for part in (format_of(entry.card, short=True), megabytes(entry.size)) if part)

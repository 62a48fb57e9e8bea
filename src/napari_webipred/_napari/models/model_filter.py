"""The filter of a list of models."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QObject, QSortFilterProxyModel
from qtpy.QtWidgets import QLineEdit

from napari_webipred._napari.widgets.two_line_list import ITEM
from napari_webipred.catalogue.search import matches


class ModelFilter(QSortFilterProxyModel):
    """Shows the entries of a list that have all words of a search and the chosen discipline and procedure."""

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
        card = self.sourceModel().index(row, 0, parent).data(ITEM).card
        return matches(card, self._text, self._discipline, self._procedure)


def search_field() -> QLineEdit:
    """Make the search field for models."""
    field = QLineEdit()
    field.setPlaceholderText("Search models, diseases, classes…")
    # With the first letter: there is nothing to clear before, and its icon takes milliseconds to be found.
    field.textChanged.connect(lambda: field.setClearButtonEnabled(True))
    field.setAccessibleName("Search models")
    return field

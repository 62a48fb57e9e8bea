"""The list of models with its search, as the value of the form."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari.models.catalogue import Reference
from napari_webipred._napari.models.model_filter import ModelFilter, search_field
from napari_webipred._napari.models.model_menu import ModelMenu
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice, offer
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import list_view
from napari_webipred._napari.widgets.two_line_list import ITEM
from napari_webipred._napari.widgets.wrapping_row import WrappingRow

if TYPE_CHECKING:
    from napari_webipred._napari.models.zenodo_search import ZenodoSearch

VISIBLE_MODELS = 4
LETTERS = 6  # of a filter; two fit beside each other into 300 pixels
NARROWEST = 100  # pixels of the search
WIDEST_WORDS = 190


class ModelChoice(QWidget):
    """Finds a model: a search box, filters and a list, which a search on Zenodo replaces.

    Signals
    -------
    value_changed : str, Path or None
        Another model is chosen.
    """

    value_changed = Signal(object)

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._catalogue = session.catalogue
        self._value = self.value()
        self.search = search_field()
        self.add = Button("Add model…")
        self.add.setToolTip("Add a model from Zenodo, Hugging Face, a URL, a file or a folder")
        self.search_zenodo = Button()
        self.search_zenodo.setToolTip("Your words are sent to Zenodo only when you click")
        self.search_zenodo.hide()
        self.discipline = _filter("All disciplines", "Show only models for this medical discipline")
        self.procedure = _filter("All procedures", "Show only models for this kind of image")
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self._catalogue.models)
        self.list = list_view(theme, "Models", VISIBLE_MODELS)
        self.list.setModel(self.filter)
        self.menu = ModelMenu(self.list)
        self.no_match = MutedLabel("No models found. Clear the search and the filters to see all models.")
        self.no_match.hide()
        self._lay_out()
        self.search.textChanged.connect(self._narrow)
        self.discipline.currentIndexChanged.connect(self._narrow)
        self.procedure.currentIndexChanged.connect(self._narrow)
        self.search_zenodo.clicked.connect(self._on_search_zenodo)
        self.menu.agreed.connect(self._catalogue.remove)
        self.menu.renamed.connect(self._catalogue.rename)
        # Not its current row: Tab makes the first row current, which nobody has chosen by that.
        self.list.selectionModel().selectionChanged.connect(self._on_selected)
        self._catalogue.listed.connect(self._on_listed)
        self._catalogue.added.connect(self._show_all)
        self._catalogue.changed.connect(self._on_changed)
        session.model_changed.connect(self._on_changed)
        self._on_listed()

    def _lay_out(self) -> None:
        self.search.setMinimumWidth(NARROWEST)
        top = WrappingRow([self.search, self.add], last_at_end=False)
        filters = WrappingRow([self.discipline, self.procedure], last_at_end=False)
        self.known = QWidget()
        known = QVBoxLayout(self.known)
        known.setContentsMargins(0, 0, 0, 0)
        known.setSpacing(5)
        known.addLayout(filters)
        for widget in (self.list, self.no_match, self.search_zenodo):
            known.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(top)
        layout.addWidget(self.known)

    @cached_property
    def zenodo(self) -> ZenodoSearch:
        """The search on Zenodo, made when it is first used."""
        from napari_webipred._napari.models.zenodo_search import ZenodoSearch

        zenodo = ZenodoSearch(self._theme)
        zenodo.hide()
        self.layout().addWidget(zenodo)
        tab_in_place(zenodo)
        zenodo.closed.connect(lambda: self._show_zenodo(False))
        zenodo.requested.connect(self._catalogue.download)
        return zenodo

    def value(self) -> Reference | None:
        """Return the identifier of the chosen model, or the path of the user's own file; None without one."""
        return self._catalogue.chosen

    def reset_choices(self) -> None:
        """Read the models again, in a background thread."""
        self._catalogue.read_again()

    def set_value(self, reference: Reference | None) -> None:
        """Choose a model; see `Catalogue.choose`."""
        self._catalogue.choose(reference)

    def _on_listed(self) -> None:
        entries = self._catalogue.models.items
        for box, names in (
            (self.discipline, {entry.card.discipline for entry in entries}),
            (self.procedure, {entry.card.procedure for entry in entries}),
        ):
            every = (box.itemText(0), None)
            offer(box, [every, *((name, name) for name in sorted(filter(None, names)))], box.currentData())
        if entries:
            self._narrow()
        self._on_changed()

    def _on_changed(self) -> None:
        self.search_zenodo.setEnabled(not settings.current().offline)
        self._mark_chosen()
        value = self.value()
        if value != self._value:
            self._value = value
            self.value_changed.emit(value)

    def _mark_chosen(self) -> None:
        entry, models = self._session.loading.entry, self._catalogue.models
        if entry is None:
            self.list.selectionModel().clear()
        elif entry in models.items:
            index = self.filter.mapFromSource(models.index(models.items.index(entry)))
            if not self.list.selectionModel().isSelected(index):
                self.list.setCurrentIndex(index)

    def _on_selected(self) -> None:
        for index in self.list.selectedIndexes():
            self._catalogue.choose_entry(index.data(ITEM))

    def _narrow(self) -> None:
        self.filter.narrow(self.search.text(), self.discipline.currentData(), self.procedure.currentData())
        self.no_match.setVisible(self.filter.rowCount() == 0)
        self.list.setVisible(self.filter.rowCount() > 0)
        self._mark_chosen()  # a row that was hidden is no longer selected
        words = self.search.text().strip()
        self.search_zenodo.setVisible(bool(words))
        shown = self.search_zenodo.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, WIDEST_WORDS)
        self.search_zenodo.setText(f"Search Zenodo for “{shown.replace('&', '&&')}”")

    def _show_all(self) -> None:
        self._show_zenodo(False)
        self.search.clear()
        self.discipline.setCurrentIndex(0)
        self.procedure.setCurrentIndex(0)
        self._mark_chosen()

    def _on_search_zenodo(self) -> None:
        self._show_zenodo(True)
        self.zenodo.search(self.search.text().strip())

    def _show_zenodo(self, shown: bool) -> None:
        if shown or "zenodo" in vars(self):
            self.zenodo.setVisible(shown)
        self.known.setVisible(not shown)


def _filter(everything: str, tip: str) -> QComboBox:
    box = choice(tip)
    box.setMinimumContentsLength(LETTERS)
    box.addItem(everything, None)
    box.setToolTip(tip)
    return box

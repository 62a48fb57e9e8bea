"""The search on Zenodo, which starts only when the user clicks."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.models.entry import Entry, found_lines, megabytes
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel, first_sentence
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import list_view
from napari_webipred._napari.widgets.two_line_list import ITEM, TwoLineList

if TYPE_CHECKING:
    from napari_webipred.catalogue.providers.zenodo import SearchPage

VISIBLE = 5
NAMED = 5


class ZenodoSearch(QWidget):
    """Pages of models found on Zenodo, in place of the catalogue.

    Signals
    -------
    requested : Entry
        The user wants this model.
    closed
        The user goes back to the catalogue.
    """

    requested = Signal(object)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._task: Task | None = None
        self._text = ""
        self._page = 1
        self.back = Button("‹ Back")
        self.back.setToolTip("Back to the catalogue")
        self.heading = ElidedLabel()
        self.found: TwoLineList[Entry] = TwoLineList(found_lines, self)
        self.list = list_view(theme, "Models found on Zenodo", VISIBLE)
        self.list.setModel(self.found)
        self.previous = Button("‹ Previous")
        self.next = Button("Next ›")
        self.page_number = MutedLabel()
        self.purpose = MutedLabel()
        self.download = MainButton("Download", theme)
        self.progress = ProgressLine("searching")
        self.message = Message(theme)
        self._lay_out()
        self.back.clicked.connect(self._on_back)
        self.previous.clicked.connect(lambda: self._ask(self._page - 1))
        self.next.clicked.connect(lambda: self._ask(self._page + 1))
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.list.activated.connect(self._on_download)
        self.download.clicked.connect(self._on_download)
        self.progress.cancelled.connect(self._on_back)
        self.message.retried.connect(lambda: self._ask(self._page))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.back)
        top.addWidget(self.heading, 1)
        self.pages = QWidget()
        pages = QHBoxLayout(self.pages)
        pages.setContentsMargins(0, 0, 0, 0)
        pages.addWidget(self.previous)
        pages.addWidget(self.page_number, 1)
        pages.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(top)
        for widget in (self.list, self.pages, self.purpose, self.download, self.progress, self.message):
            layout.addWidget(widget)

    def search(self, text: str) -> None:
        """Search Zenodo for records with these words and a usable model."""
        self._text = text
        self._ask(1)

    def _ask(self, page: int) -> None:
        self._stop()
        self._page = page
        self.heading.setText(f"Zenodo: “{self._text}”")
        for widget in (self.list, self.pages, self.purpose, self.download, self.message):
            widget.hide()
        self.progress.report("Searching Zenodo")
        self._task = Task(_search(self._text, page))
        self._task.done.connect(self._on_found)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _on_found(self, answer: tuple[SearchPage, list[Entry]]) -> None:
        page, entries = answer
        self.progress.hide()
        self.heading.setText(f"{page.total} record{'s' * (page.total != 1)} on Zenodo for “{self._text}”")
        self.found.fill(entries)
        self.list.setVisible(bool(entries))
        self.list.scrollToTop()
        self.pages.setVisible(page.pages > 1)
        self.page_number.setText(f"page {page.page} of {page.pages}")
        self.previous.setEnabled(page.page > 1)
        self.next.setEnabled(page.page < page.pages)
        if not entries:
            where = "on this page" if page.total else "on Zenodo"
            self.message.show_note(f"No usable models found {where}.", "Try fewer or other words.")

    def _on_failed(self, error: Exception) -> None:
        self.progress.hide()
        self.message.show_error(error, retry=True)

    def _on_current(self, index: QModelIndex) -> None:
        entry = index.data(ITEM)
        self.purpose.setVisible(entry is not None)
        self.download.setVisible(entry is not None)
        if entry is not None:
            purpose = first_sentence(entry.card.description) or "No description."
            by = "; ".join(author.name for author in entry.card.authors[:NAMED])
            more = " et al." if len(entry.card.authors) > NAMED else ""
            licence = entry.card.license or "no licence stated"
            self.purpose.setText(f"{purpose}\n" + (f"By {by}{more} · {licence}" if by else licence))
            size = megabytes(entry.size)
            self.download.setText("Use this model" if entry.here else f"Download ({size})" if size else "Download")
            self.download.setToolTip("Download the model to this machine. No images are sent.")

    def _on_download(self) -> None:
        entry = self.list.currentIndex().data(ITEM)
        if entry is not None:
            self.requested.emit(entry)

    def _on_back(self) -> None:
        self._stop()
        self.closed.emit()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.progress.hide()


def _search(text: str, page: int) -> Generator[None, None, tuple[SearchPage, list[Entry]]]:
    from napari_webipred.cache import store
    from napari_webipred.catalogue.providers import zenodo

    yield
    found = zenodo.search(text, page)
    return found, [Entry(card, zenodo.reference(card), store.path_of(card) is not None) for card in found.cards]

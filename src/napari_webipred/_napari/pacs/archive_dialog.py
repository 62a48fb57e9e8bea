"""The dialog that searches an archive, and takes images from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_webipred._napari.images.picture import Picture
from napari_webipred._napari.pacs import work
from napari_webipred._napari.pacs.connection_form import ConnectionForm
from napari_webipred._napari.pacs.found_tree import WHAT, FoundTree
from napari_webipred._napari.pacs.search_form import SearchForm
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.errors import SecretError
from napari_webipred.pacs.archive import PAGE

if TYPE_CHECKING:
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.pacs.found import Study
    from napari_webipred.pacs.retrieval import Progress

WIDTH, HEIGHT = 880, 640
PREVIEW = 180  # pixels of the screen


class ArchiveDialog(QDialog):
    """Searches an archive; what is selected is classified without being opened, or opened as layers.

    Signals
    -------
    taken : Taken, bool
        Images were retrieved, and whether they are to be opened as layers.
    """

    taken = Signal(object, bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._task: Task | None = None
        self._known: dict[str, Connection] = {}
        self._page = 0
        self._studies = 0  # how many were taken
        self.setWindowTitle("Images from an archive")
        self.archive = choice("Archive")
        self.add, self.edit, self.remove = Button("Add…"), Button("Edit…"), Button("Remove…")
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setAccessibleName("Password or token")
        self.secret = QWidget()
        self.asked = QLabel("Password")
        self.form = SearchForm()
        self.search = MainButton("Search", theme)
        self.tree = FoundTree()
        self.previous, self.next, self.page = Button("‹ Previous"), Button("Next ›"), MutedLabel()
        self.picture = Picture("Preview", theme)
        self.picture.setFixedSize(PREVIEW, PREVIEW)
        self.preview = Button("Preview")
        self.classify, self.layers = MainButton("Add to the list of images", theme), Button("Open as layers")
        self.progress = ProgressLine("asking the archive")
        self.message = Message(theme)
        self._tell_what_buttons_do()
        self._lay_out()
        self._connect()
        self.resize(WIDTH, HEIGHT)
        self._show_selected()
        self._run(work.connections(), self._on_known, "Reading the list of archives")

    def _tell_what_buttons_do(self) -> None:
        self.add.setToolTip("Describe an archive")
        self.preview.setToolTip("Show the selected image, or the one in the middle of the selected series")
        self.classify.setToolTip("Retrieve what is selected, to classify it without opening it")
        self.layers.setToolTip("Retrieve what is selected, and open it in napari")
        self.previous.setToolTip("The page before")
        self.next.setToolTip("The next page")

    def _lay_out(self) -> None:
        which = QHBoxLayout()
        label = QLabel("Archive")
        label.setBuddy(self.archive)
        which.addWidget(label)
        which.addWidget(self.archive, 1)
        for button in (self.add, self.edit, self.remove):
            which.addWidget(button)
        secret = QHBoxLayout(self.secret)
        secret.setContentsMargins(0, 0, 0, 0)
        secret.addWidget(self.asked)
        secret.addWidget(self.password, 1)
        self.secret.hide()
        pages = QHBoxLayout()
        pages.addWidget(self.search)
        pages.addStretch(1)
        for widget in (self.previous, self.page, self.next):
            pages.addWidget(widget)
        found = QHBoxLayout()
        found.addWidget(self.tree, 1)
        beside = QVBoxLayout()
        beside.addWidget(self.picture)
        beside.addWidget(self.preview)
        beside.addStretch(1)
        found.addLayout(beside)
        actions = WrappingRow([self.classify, self.layers], last_at_end=False)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(which)
        layout.addWidget(self.form)
        layout.addWidget(self.secret)
        layout.addLayout(pages)
        layout.addLayout(found, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        layout.addLayout(actions)

    def _connect(self) -> None:
        self.archive.currentIndexChanged.connect(self._on_archive)
        self.add.clicked.connect(lambda: self._ask_for_connection(None))
        self.edit.clicked.connect(lambda: self._ask_for_connection(self.connection))
        self.remove.clicked.connect(self._ask_to_remove)
        self.search.clicked.connect(lambda: self.find(0))
        self.form.submitted.connect(lambda: self.find(0))
        self.password.returnPressed.connect(lambda: self.find(0))
        self.previous.clicked.connect(lambda: self.find(self._page - 1))
        self.next.clicked.connect(lambda: self.find(self._page + 1))
        self.tree.opened.connect(self._on_opened)
        self.tree.chosen.connect(self._show_selected)
        self.preview.clicked.connect(self._on_preview)
        self.picture.clicked.connect(self._on_preview)
        self.classify.clicked.connect(lambda: self.take(as_layers=False))
        self.layers.clicked.connect(lambda: self.take(as_layers=True))
        self.progress.cancelled.connect(self.stop)
        self.finished.connect(self.stop)

    @property
    def connection(self) -> Connection | None:
        """The archive that is chosen."""
        return self._known.get(self.archive.currentText())

    def find(self, page: int) -> None:
        """Search, and show a page of what is found."""
        if (connection := self.connection) is None:
            self._ask_for_connection(None)
            return
        self._page = page
        query, password = self.form.value(), self.password.text()
        self.tree.clear()
        self._show_page(0)
        steps = work.finding(connection, password, query, page)
        self._run(steps, self._on_found, f"Searching {connection.host}")

    def take(self, *, as_layers: bool) -> None:
        """Retrieve what is selected."""
        studies, series = self.tree.selected()
        connection = self.connection
        if connection is None or not (studies or series):
            return
        begun = time.monotonic()

        def done(taken: work.Taken) -> None:
            self._studies += len(taken.folders)
            self.taken.emit(taken, as_layers)
            self._say_what_came(taken, as_layers)

        def step(progress: Progress) -> None:
            left = None
            if 0 < progress.done < progress.total:
                left = (time.monotonic() - begun) / progress.done * (progress.total - progress.done)
            words = f"Retrieving {progress.done:,} of {progress.total:,} images" if progress.total else "Listing images"
            self.progress.report(words, progress.done, progress.total, left)

        self._run(work.taking(connection, studies, series, self._studies + 1), done, "Listing images", step)

    def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.progress.hide()
        self._show_selected()

    def _run(
        self,
        steps: Generator[Any, None, Any],
        done: Callable[[Any], None],
        words: str,
        step: Callable[[Any], None] | None = None,
    ) -> None:
        """Do something in a background thread, of which there is one at a time."""
        self.stop()
        self.message.clear()
        self.progress.report(words)
        self._task = task = Task(steps)

        def ended(then: Callable[[Any], None], what: Any) -> None:
            if self._task is task:
                self.stop()
                then(what)

        task.done.connect(lambda result: ended(done, result))
        task.failed.connect(lambda error: ended(self._on_failed, error))
        if step is not None:
            task.events.connect(lambda events: step(events[-1]) if self._task is task else None)
        self._show_selected()
        task.start()

    def _on_known(self, known: dict[str, Connection], name: str = "") -> None:
        chosen = name or self.archive.currentText()
        self._known = known
        self.archive.blockSignals(True)
        self.archive.clear()
        self.archive.addItems(list(known))
        self.archive.setCurrentIndex(max(self.archive.findText(chosen), 0 if known else -1))
        self.archive.blockSignals(False)
        self._on_archive()
        if not known:
            self.message.show_note("No archive is known yet.", "Click “Add…” to describe one.")

    def _on_archive(self) -> None:
        connection = self.connection
        self.password.clear()
        self.secret.hide()
        self.tree.clear()
        self._show_page(0)
        for button in (self.edit, self.remove, self.search):
            button.setEnabled(connection is not None)
        if connection is not None:
            self.search.setToolTip(f"Send these fields to {connection.host}, and to nobody else")

    def _on_found(self, studies: Sequence[Study]) -> None:
        self.secret.hide()
        self.tree.fill(studies)
        self._show_page(len(studies))
        if not studies:
            self.message.show_note("No studies found.", "Search for less, or look at the spelling.")

    def _on_failed(self, error: Exception) -> None:
        connection = self.connection
        if isinstance(error, SecretError) and connection is not None:
            self.asked.setText("Token" if connection.token else f"Password of {connection.user}")
            self.secret.show()
            self.password.clear()
            self.password.setFocus()
            self.message.show_note(error.message, "Enter it, and search again.")
            return
        self.message.show_error(error)

    def _say_what_came(self, taken: work.Taken, as_layers: bool) -> None:
        count, failed = sum(len(source) for _, found in taken.folders for source in found), len(taken.failed)
        where = "opened as layers" if as_layers else "in the list of images, to be classified"
        came = f"{count - failed:,} image{'s' * (count - failed != 1)} {where}."
        if failed:
            self.message.show_note(f"{failed:,} did not come: {taken.failed[0]}", came)
        else:
            self.message.show_note(came)

    def _on_opened(self, item: QTreeWidgetItem) -> None:
        """List what is in a study or series."""
        from napari_webipred.pacs.found import Study

        what, connection = item.data(0, WHAT), self.connection
        if connection is None:
            return
        if isinstance(what, Study):
            steps = work.listing_series(connection, what)
            self._run(steps, lambda found: self.tree.fill_series(item, found), "Listing the series")
        else:
            listed = work.listing_instances(connection, what)
            self._run(listed, lambda found: self.tree.fill_instances(item, found), "Listing the images")

    def _on_preview(self) -> None:
        _, series = self.tree.selected()
        if self.connection is None or len(series) != 1:
            return
        chosen, instances = series[0]
        steps = work.previewing(self.connection, chosen, instances[0] if instances else None)
        self._run(steps, self._show_picture, "Retrieving an image")

    def _show_picture(self, pixels: Any) -> None:
        self.picture.show_image(pixels, pixels.shape[:2])

    def _show_page(self, count: int) -> None:
        has_pages = self._page > 0 or count >= PAGE
        for widget in (self.previous, self.next, self.page):
            widget.setVisible(has_pages)
        self.previous.setEnabled(self._page > 0)
        self.next.setEnabled(count >= PAGE)
        self.page.setText(f"page {self._page + 1}")

    def _show_selected(self) -> None:
        studies, series = self.tree.selected()
        is_idle = self._task is None
        self.preview.setEnabled(is_idle and not studies and len(series) == 1)
        for button in (self.classify, self.layers):
            button.setEnabled(is_idle and bool(studies or series))

    def _ask_for_connection(self, known: Connection | None) -> None:
        form = ConnectionForm(known, self._theme, self)
        form.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        before = known.name if known else ""
        form.described.connect(
            lambda made: self._run(
                work.adding(made, before), lambda found: self._on_known(found, made.name), "Keeping the archive"
            )
        )
        form.open()

    def _ask_to_remove(self) -> None:
        if (connection := self.connection) is None:
            return

        def remove() -> None:
            self._run(work.removing(connection.name), self._on_known, "Forgetting the archive")

        question = f"Forget the archive {connection.name} and its password?"
        ask(self, "Remove archive", question, "Nothing in the archive changes.", [Answer("Remove", remove, True)])

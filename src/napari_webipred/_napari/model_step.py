"""Step 1: which model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari import cache_tasks
from napari_webipred._napari.about import about
from napari_webipred._napari.add_model import AddModel
from napari_webipred._napari.adding import Added, look_up
from napari_webipred._napari.button import Button, MainButton
from napari_webipred._napari.entry import Entry, listed, megabytes, merged, missing
from napari_webipred._napari.facts import Facts
from napari_webipred._napari.label import MutedLabel, first_sentence, rich_text_label, tip
from napari_webipred._napari.message import Message
from napari_webipred._napari.model_list import ENTRY, ModelFilter, ModelList
from napari_webipred._napari.model_menu import ModelMenu
from napari_webipred._napari.origin import server_of
from napari_webipred._napari.progress import ProgressLine
from napari_webipred._napari.question import ask_to_replace
from napari_webipred._napari.stored_models import KeptModels
from napari_webipred._napari.task import Task
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.two_line_delegate import list_view
from napari_webipred._napari.viewer_session import Workbench
from napari_webipred._napari.zenodo_search import ZenodoSearch
from napari_webipred.cache.store import Download
from napari_webipred.errors import ChangedModelError, SlowModelError
from napari_webipred.runtime.outputs import UndecidedOutputError

STAGES = {
    "download": "Downloading",
    "compile": "Preparing the model (only the first time)",
    "load": "Loading the model",
}
VISIBLE_MODELS = 4
WIDEST_WORDS = 190


class ModelStep(QWidget):
    """A searchable list of models, what the chosen one is for, and how far it is on its way into memory."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._theme = theme
        self._loading = bench.loading
        self._task: Task | None = None
        self._said: object = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search models, diseases, classes…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search models")
        self.add = Button("Add model…")
        self.add.setToolTip("Use a model from Zenodo, Hugging Face, an address, a file or a folder")
        self.elsewhere = Button()
        self.elsewhere.setToolTip("Sends these words to Zenodo, only when you click")
        self.elsewhere.hide()
        self.zenodo = ZenodoSearch(theme)
        self.zenodo.hide()
        self.offline = MutedLabel("Offline: only models on this machine can be used.")
        self.discipline = _filter("All disciplines", "Show only models of this medical discipline")
        self.procedure = _filter("All procedures", "Show only models for this kind of image")
        self.models = ModelList(self)
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self.models)
        self.list = list_view(theme, "Models", VISIBLE_MODELS)
        self.list.setModel(self.filter)
        self.menu = ModelMenu(self.list)
        self.nothing = MutedLabel("No model found. Clear the search and the filters to see all.")
        self.nothing.hide()
        self.message = Message(theme)
        self.download = MainButton("Download", theme)
        self.download.hide()
        self.progress = ProgressLine("opening the model")
        self.facts = Facts(theme)
        self.facts.hide()
        self.purpose = MutedLabel()
        self.more = Button("About")
        self.more.setToolTip("Classes, input, licence, citation, performance and limitations")
        self.about = rich_text_label()
        self.correct = Button("Edit settings…")
        self.correct.setToolTip("Change the settings of this model: class names, scaling, output")
        self.kept = Button("On this machine…")
        self.kept.setToolTip("See, remove, export and import the models on this machine; work offline")
        self._lay_out()
        self.search.textChanged.connect(self._narrow)
        self.discipline.currentIndexChanged.connect(self._narrow)
        self.procedure.currentIndexChanged.connect(self._narrow)
        self.add.clicked.connect(self._on_add)
        self.elsewhere.clicked.connect(self._on_elsewhere)
        self.zenodo.closed.connect(lambda: self._show_zenodo(False))
        self.zenodo.wanted.connect(self._on_wanted)
        self.correct.clicked.connect(self._ask)
        self.kept.clicked.connect(self._on_kept)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.menu.agreed.connect(self._on_remove)
        self.download.clicked.connect(self._loading.start)
        self.progress.cancelled.connect(self._on_cancel)
        self.message.retried.connect(self._loading.start)
        self.message.accepted.connect(self._loading.start_anyway)
        self.facts.told.connect(self._on_told)
        self.more.clicked.connect(lambda: self._show_about(self.about.isHidden()))
        self._loading.changed.connect(self._on_loading)
        bench.outcomes.noted.connect(self._on_noted)
        self._fill()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.add)
        self.filters = QWidget()
        filters = QHBoxLayout(self.filters)
        filters.setContentsMargins(0, 0, 0, 0)
        filters.addWidget(self.discipline, 1)
        filters.addWidget(self.procedure, 1)
        self.catalogue = QWidget()
        catalogue = QVBoxLayout(self.catalogue)
        catalogue.setContentsMargins(0, 0, 0, 0)
        catalogue.setSpacing(5)
        for widget in (self.filters, self.list, self.nothing, self.elsewhere):
            catalogue.addWidget(widget)
        below = QHBoxLayout()
        for button in (self.more, self.correct):
            below.addWidget(button)
        below.addStretch()
        below.addWidget(self.kept)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(top)
        above = (self.catalogue, self.zenodo, self.offline, self.purpose, self.download, self.progress)
        for widget in (*above, self.message, self.facts):
            layout.addWidget(widget)
        layout.addLayout(below)
        layout.addWidget(self.about)

    @property
    def summary(self) -> str:
        """The chosen model and how far it is, in a few words."""
        entry = self._loading.entry
        return entry.card.name if entry else ""

    def _fill(self) -> None:
        """Show the catalogue; it is read beside the window, once for each viewer."""
        self._on_loading()
        if self._bench.entries:
            self._on_catalogue(self._bench.entries)
            return
        self._task = Task(listed())
        self._task.done.connect(self._on_listed)
        self._task.failed.connect(self.message.show_error)
        self._task.start()

    def _on_listed(self, entries: list[Entry]) -> None:
        self._on_catalogue(entries)
        task = Task(missing(entries))
        task.events.connect(self._on_missing)
        task.start()

    def _on_missing(self, entries: list[Entry]) -> None:
        for entry in entries:
            entry.gone = True
            self._refresh(entry)

    def _refresh(self, entry: Entry) -> None:
        if entry in self.models.entries:
            self.models.refresh(entry)

    def _on_noted(self, entry: Entry) -> None:
        self._refresh(entry)
        if entry.gone and entry is self._loading.entry:
            folder = entry.reference.parent if isinstance(entry.reference, Path) else ""
            self.message.show_note(
                f"{entry.card.name} is no longer in {folder}.",
                "Connect the drive it is on, or remove it from the list (Delete key).",
            )

    def _on_catalogue(self, entries: list[Entry]) -> None:
        self._bench.entries = entries
        self.models.fill(entries)
        for box in (self.discipline, self.procedure):
            while box.count() > 1:
                box.removeItem(1)
        for box, names in (
            (self.discipline, {entry.card.discipline for entry in entries}),
            (self.procedure, {entry.card.procedure for entry in entries}),
        ):
            for name in sorted(name for name in names if name):
                box.addItem(name, name)
        self._point_at(self._loading.entry)

    def _point_at(self, entry: Entry | None) -> None:
        if entry in self.models.entries:
            self.list.setCurrentIndex(self.filter.mapFromSource(self.models.index(self.models.entries.index(entry))))

    def _narrow(self) -> None:
        self.filter.narrow(self.search.text(), self.discipline.currentData(), self.procedure.currentData())
        self.nothing.setVisible(self.filter.rowCount() == 0)
        self.list.setVisible(self.filter.rowCount() > 0)
        words = self.search.text().strip()
        self.elsewhere.setVisible(bool(words))
        shown = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, WIDEST_WORDS)
        self.elsewhere.setText(f"Search Zenodo for “{shown.replace('&', '&&')}”")

    def _on_current(self, index: QModelIndex) -> None:
        entry = index.data(ENTRY)
        if entry is not None and entry is not self._loading.entry:
            self.facts.hide()
            self.message.clear()
            self._loading.choose(entry)

    def _on_cancel(self) -> None:
        if self._task is not None and self._loading.progress is None:
            self._task.cancel()
            self.progress.hide()
        self._loading.cancel()

    def _on_loading(self) -> None:
        loading, entry = self._loading, self._loading.entry
        self.more.setVisible(entry is not None)
        self.purpose.setText(first_sentence(entry.card.description) if entry else "")
        self._show_about(not self.about.isHidden())
        self._show_progress()
        offline = settings.current().offline
        self.offline.setVisible(offline)
        self.elsewhere.setEnabled(not offline)
        self.download.setEnabled(not offline)
        self.correct.setVisible(loading.model is not None and not loading.needs_settings and not entry.curated)  # type: ignore[union-attr]
        idle = entry is not None and loading.model is None and loading.progress is None
        self.download.setVisible(idle and not entry.here and loading.error is None)  # type: ignore[union-attr]
        if entry is not None:
            size = megabytes(entry.size)
            self.download.setText(f"Download ({size})" if size else "Download")
            self.download.setToolTip(
                tip(f"Download the model from {server_of(entry.card)} and keep it here. No image is ever sent.")
            )
            self._refresh(entry)
        if loading.error is not self._said:
            self._said = loading.error
            if loading.error is None or isinstance(loading.error, UndecidedOutputError):  # the form says it
                self.message.clear()
            elif isinstance(loading.error, SlowModelError):
                self.message.show_warning(loading.error)
            else:
                self.message.show_error(loading.error, retry=not loading.needs_settings)
            if isinstance(loading.error, ChangedModelError):
                ask_to_replace(self, loading.error, partial(loading.start, replace=True))
        if loading.needs_settings and entry is not None and self.facts.isHidden():
            self._ask()
        elif not loading.needs_settings:
            self.facts.hide()

    def _ask(self) -> None:
        loading = self._loading
        if loading.model is not None:
            self.facts.ask(loading.model)
        elif isinstance(loading.error, UndecidedOutputError):
            self.facts.ask_output(loading.error.outputs)
        else:
            self.facts.show()  # what was told was wrong, and is still there to be corrected

    def _show_progress(self) -> None:
        step = self._loading.progress
        if step is None:
            self.progress.hide()
            return
        words = step.waiting or STAGES[step.stage]
        if step.done and not step.waiting:
            words += f": {megabytes(step.done)}" + (f" of {megabytes(step.total)}" if step.total else "")
        self.progress.tell(words, step.done, step.total, self._loading.seconds_left)

    def _show_about(self, shown: bool) -> None:
        entry = self._loading.entry
        self.about.setText(about(entry.card) if shown and entry else "")
        self.about.setVisible(shown and entry is not None)
        self.purpose.setVisible(not shown and bool(self.purpose.text()))
        self.more.setText("Less" if shown else "About")

    def _on_told(self, told: dict[str, object]) -> None:
        assert self._loading.entry is not None
        self._loading.entry.told |= told
        self.facts.hide()
        self._loading.start()

    def _on_add(self) -> None:
        dialog = AddModel(self)
        dialog.accepted.connect(lambda: self.add_model(dialog.reference()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_elsewhere(self) -> None:
        self._show_zenodo(True)
        self.zenodo.search(self.search.text().strip())

    def _show_zenodo(self, shown: bool) -> None:
        self.zenodo.setVisible(shown)
        self.catalogue.setVisible(not shown)

    def _on_wanted(self, entry: Entry) -> None:
        self._show_zenodo(False)
        self._on_added(Added((entry,)))
        if self._loading.entry is not None and not self._loading.entry.here:
            self._loading.start()

    def _on_kept(self) -> None:
        dialog = KeptModels(self._theme, self)
        dialog.changed.connect(self._on_kept_changed)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_kept_changed(self) -> None:
        """Look at the catalogue anew: models came or went, or the network was switched."""
        self._task = Task(listed())
        self._task.done.connect(self._on_listed_again)
        self._task.failed.connect(self.message.show_error)
        self._task.start()

    def _on_listed_again(self, entries: list[Entry]) -> None:
        chosen, used = self._loading.entry, self._loading.model or self._loading.error
        self._on_catalogue(merged(self.models.entries, entries))
        if chosen is not None and chosen not in self.models.entries:
            self._loading.choose(None)
        elif chosen is not None and used is not None and not chosen.here:
            self._loading.choose(chosen)
        else:
            self._on_loading()

    def add_model(self, reference: str | Path, *, replace: bool = False) -> None:
        """Put a model from elsewhere into the list and choose it; a server is asked about it first.

        All models of a bundle are put on this machine and into the list; the user is asked before they take the place
        of others.
        """
        self.message.clear()
        name = reference.name if isinstance(reference, Path) else reference
        self.progress.tell(f"Looking up {name}")
        self._task = Task(look_up(reference, replace=replace))
        self._task.events.connect(self._on_importing)
        self._task.done.connect(self._on_added)
        self._task.failed.connect(partial(self._on_not_found, reference))
        self._task.start()

    def _on_importing(self, steps: list[Download]) -> None:
        step = steps[-1]
        self.progress.tell(f"Reading: {megabytes(step.done)} of {megabytes(step.total)}", step.done, step.total)

    def _on_not_found(self, reference: str | Path, error: Exception) -> None:
        self.progress.hide()
        self.message.show_error(error)
        if isinstance(error, ChangedModelError):
            ask_to_replace(self, error, partial(self.add_model, reference, replace=True))

    def _on_remove(self, entry: Entry) -> None:
        """Take a model away as the user wants it, and look at what is left."""
        entry.listed = True  # so that it goes even if the list on the disk could not be written
        self._task = Task(cache_tasks.remove([entry.key]))
        self._task.done.connect(self._on_removed)
        self._task.failed.connect(self.message.show_error)
        self._task.start()

    def _on_removed(self, words: str) -> None:
        self._on_kept_changed()
        self.message.show_note(words)

    def _on_added(self, added: Added) -> None:
        self.progress.hide()
        for entry in added.entries:
            known = next((other for other in self.models.entries if other.key == entry.key), None)
            if known is None:
                self.models.add(entry)
                self._bench.entries = self.models.entries
                known = entry
            known.here = known.here or entry.here
            known.listed, known.gone = known.listed or entry.listed, False
        self.search.clear()
        self.discipline.setCurrentIndex(0)
        self.procedure.setCurrentIndex(0)
        self._point_at(known)
        if known is self._loading.entry and self._loading.error is not None:
            self._loading.choose(known)  # the file may be another one now
        if added.note:
            self.message.show_note(added.note, "Its classes, scaling and licence are taken from there.")


def _filter(everything: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.addItem(everything, None)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box

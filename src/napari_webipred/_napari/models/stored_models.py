"""The dialog for the models on this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_webipred import settings
from napari_webipred._napari.chosen_file import completed
from napari_webipred._napari.models import cache_tasks
from napari_webipred._napari.models.entry import megabytes
from napari_webipred._napari.models.stored_model import StoredModel, stored_lines
from napari_webipred._napari.models.which_model import WhichModel
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button, dialog_buttons
from napari_webipred._napari.widgets.delete_key import DeleteKey
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.question import Answer, ask, ask_to_replace
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import list_view
from napari_webipred._napari.widgets.two_line_list import ITEM, TwoLineList
from napari_webipred.errors import ChangedModelError, OptionError
from napari_webipred.formats import PATTERNS

if TYPE_CHECKING:
    from napari_webipred.cache.known_file import Proposal
    from napari_webipred.cache.store import Download

BUNDLES = "Bundles of models (*.zip)"
FILES = f"Bundles and models ({PATTERNS})"
VISIBLE = 6
WIDTH = 480
GIGABYTE = 10**9


class StoredModels(QDialog):
    """Lists, removes, exports and imports the models on this machine, frees up space, and switches the network off.

    Signals
    -------
    changed
        Models were added or removed, or the network was switched on or off.
    """

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models on this machine")
        self.setMinimumWidth(WIDTH)
        self._theme = theme
        self._task: Task | None = None
        self.folder_path = ElidedLabel()
        self.folder = Button("Open folder")
        self.stored: TwoLineList[StoredModel] = TwoLineList(stored_lines, self)
        self.list = list_view(theme, "Models on this machine", VISIBLE)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setModel(self.stored)
        self.empty = MutedLabel("No models yet. Downloaded models and your own models are listed here.")
        self.total = MutedLabel()
        self.export = Button("Export…")
        self.export.setToolTip("Export the selected models as a bundle: one file for a machine without a network")
        self.import_file = Button("Import…")
        self.import_file.setToolTip("Import a bundle, or a model file that you downloaded in a browser")
        self.remove = Button("Remove")
        self.remove.setToolTip(
            "Delete the selected models from this machine. You can download them again, or import their bundle.\n"
            "Your own models are only removed from the list. Their files are not deleted."
        )
        self.remove_all = Button("Remove all…")
        self.remove_all.setToolTip("Delete all downloaded models and all model settings. Asks first.")
        self.limit = QDoubleSpinBox()
        self.limit.setRange(0, 10_000)
        self.limit.setDecimals(1)
        self.limit.setSuffix(" GB")
        self.limit.setValue(5)
        self.limit.setAccessibleName("Maximum size of the cache")
        self.free_space = Button("Free up space")
        self.free_space.setToolTip("Delete the least recently used models until the cache is no larger than this")
        self.offline = QCheckBox("&Offline: do not use the network until napari is closed")
        self.offline.setToolTip("Only models on this machine can be used. Nothing is searched for or downloaded.")
        self.progress = ProgressLine("this task")
        self.message = Message(theme)
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Close)
        for button in self.buttons.buttons():
            button.setAutoDefault(False)
        self._lay_out()
        self.folder.clicked.connect(self._on_open)
        self.list.selectionModel().selectionChanged.connect(self._enable)
        self.export.clicked.connect(self._on_export)
        self.import_file.clicked.connect(self._on_import)
        self.remove.clicked.connect(self._on_remove)
        self.delete = DeleteKey(self.list, self._on_remove)
        self.remove_all.clicked.connect(self._on_remove_all)
        self.free_space.clicked.connect(self._on_free_space)
        self.offline.setChecked(settings.current().offline)
        self.offline.toggled.connect(self._on_offline)
        self.progress.cancelled.connect(self._on_cancel)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_cancel)
        self._refresh()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.folder_path, 1)
        top.addWidget(self.folder)
        actions = QHBoxLayout()
        for button in (self.export, self.import_file):
            actions.addWidget(button)
        actions.addStretch()
        for button in (self.remove, self.remove_all):
            actions.addWidget(button)
        space = QHBoxLayout()
        words = QLabel("&Keep at most")
        words.setBuddy(self.limit)
        space.addWidget(words)
        space.addWidget(self.limit)
        space.addWidget(self.free_space)
        space.addStretch()
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(top)
        for widget in (self.list, self.empty, self.total):
            layout.addWidget(widget)
        layout.addLayout(actions)
        layout.addLayout(space)
        for widget in (self.offline, self.progress, self.message):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self.resize(WIDTH, layout.totalHeightForWidth(WIDTH))

    def chosen(self) -> list[StoredModel]:
        """Return the models that are chosen in the list."""
        return [index.data(ITEM) for index in self.list.selectionModel().selectedIndexes()]

    def _work(
        self, words: str, work: Generator[Any, None, str], failed: Callable[[Exception], None] | None = None
    ) -> None:
        """Do something in a background thread, show the result, and read the list again."""
        if self._task is not None:
            return
        self.message.clear()
        self._start(words, work, self._on_worked, failed)

    def _start(
        self,
        words: str,
        work: Generator[Any, None, Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._task = Task(work)
        self._task.events.connect(partial(self._on_events, words))
        self._task.done.connect(then)
        self._task.failed.connect(failed or self._on_failed)
        self._task.start()
        self._enable()

    def _refresh(self) -> None:
        self._start("", cache_tasks.snapshot(), self._on_snapshot)

    def _on_events(self, words: str, events: list[Any]) -> None:
        from napari_webipred.cache.store import Download  # the panel opens sooner without it

        if isinstance(step := events[-1], Download):
            of = f" of {megabytes(step.total)}" if step.total else ""
            self.progress.report(f"{words}: {megabytes(step.done)}{of}", step.done, step.total)

    def _on_worked(self, outcome: str) -> None:
        if outcome:
            self.message.show_note(outcome)
        self._refresh()
        self.changed.emit()

    def _on_snapshot(self, snapshot: cache_tasks.CacheSnapshot) -> None:
        self._task = None
        self.progress.hide()
        self.folder_path.setText(str(settings.current().cache_folder))
        self.stored.fill(snapshot.models)
        self.list.setVisible(bool(snapshot.models))
        self.empty.setVisible(not snapshot.models)
        count = sum(isinstance(model.reference, str) for model in snapshot.models)
        models = f"{count} downloaded model{'s' * (count != 1)}"
        self.total.setText(f"{models}, {megabytes(snapshot.usage)} including compiled models")
        self.total.setVisible(bool(snapshot.models))
        self._enable()

    def _on_failed(self, error: Exception) -> None:
        self.message.show_error(error)
        self._refresh()  # a part may be done
        self.changed.emit()

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task.cancelled.connect(self._on_cancelled)

    def _on_cancelled(self) -> None:
        self._task = None
        self._refresh()
        self.changed.emit()

    def _enable(self) -> None:
        ready, chosen = self._task is None, self.chosen()
        self.export.setEnabled(ready and bool(chosen) and not any(model.gone for model in chosen))
        self.remove.setEnabled(ready and bool(chosen))
        for widget in (self.import_file, self.free_space):
            widget.setEnabled(ready)
        self.remove_all.setEnabled(ready and bool(self.stored.items))

    def _on_open(self) -> None:
        folder = settings.current().cache_folder
        if not folder.is_dir():
            self.message.show_note(
                f"The folder {folder} does not exist yet.", "It is created when the first model is downloaded."
            )
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.message.show_note("The folder cannot be opened.", f"Open it in a file manager: {folder}")

    def _on_remove(self) -> None:
        if chosen := [model.reference for model in self.chosen()]:
            self._work("Removing", cache_tasks.remove(chosen))

    def _on_remove_all(self) -> None:
        ask(
            self,
            "Remove all models",
            "Remove all models from this machine?",
            "Downloaded models, compiled models and model settings are deleted. Your own models are only removed "
            "from the list. Their files are not deleted.",
            [Answer("Remove all", lambda: self._work("Removing", cache_tasks.wipe()), destroys=True)],
        )

    def _on_free_space(self) -> None:
        self._work("Freeing up space", cache_tasks.limit(round(self.limit.value() * GIGABYTE)))

    def _on_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export models", "models.zip", BUNDLES)
        if not name:
            return
        try:
            path = completed(Path(name), ".zip")
        except OptionError as error:
            self.message.show_error(error)
            return
        self._work("Exporting", cache_tasks.export([model.reference for model in self.chosen()], path))

    def _on_import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import models", "", f"{FILES};;All files (*)")
        if name and self._task is None:
            self.message.clear()
            self._start("Reading", cache_tasks.examine(Path(name)), partial(self._on_examined, Path(name)))

    def _on_examined(self, path: Path, proposals: list[Proposal]) -> None:
        """Import a bundle at once; for a model file, ask which model it is."""
        self._task = None
        self.progress.hide()
        if not proposals:
            self._import(partial(cache_tasks.import_bundle, path))
            return
        self._enable()
        dialog = WhichModel(path.name, proposals, self._theme, self)
        dialog.accepted.connect(lambda: self._import(partial(cache_tasks.import_as, path, dialog.chosen())))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _import(self, take: Callable[..., Generator[Download, None, str]], *, replace: bool = False) -> None:
        """Import a file; ask before models are replaced."""

        def on_failed(error: Exception) -> None:
            if not isinstance(error, ChangedModelError):
                self._on_failed(error)
                return
            self._task = None  # nothing has been imported
            self.progress.hide()
            self.message.show_error(error)
            self._enable()
            ask_to_replace(self, error, partial(self._import, take, replace=True))

        self._work("Importing", take(replace=replace), on_failed)

    def _on_offline(self, offline: bool) -> None:
        settings.set_offline(offline)
        if settings.current().offline and not offline:
            self.offline.setChecked(True)
            self.message.show_note(
                "Offline is on in the preferences, or the environment variable NAPARI_WEBIPRED_OFFLINE is set.",
                "To use the network, turn it off there, or start napari without the variable.",
            )
        self.changed.emit()

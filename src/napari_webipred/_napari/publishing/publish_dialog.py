"""The form that makes a folder of a model that is ready for Zenodo."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFileDialog, QVBoxLayout, QWidget

from napari_webipred._napari.models.entry import Entry
from napari_webipred._napari.publishing.check_list import CheckList
from napari_webipred._napari.publishing.fields import KINDS, Fields, texts_of
from napari_webipred._napari.publishing.folder_row import FolderRow
from napari_webipred._napari.publishing.making import Asked, Made, making, opening, place_in
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard, PartialCard
from napari_webipred.catalogue.local_model import UNNAMED
from napari_webipred.errors import OptionError
from napari_webipred.publishing.checklist import Item, listed
from napari_webipred.publishing.published_card import published_card
from napari_webipred.publishing.said import said_in

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.publishing.material import Material

WIDTH, HEIGHT, NARROWEST = 460, 720, 300
WHAT = (
    "Makes a folder that is ready for Zenodo: network, card, metrics, charts and README, as WebIPred's records are. "
    "Names of your files and of this computer are left out. Nothing is uploaded."
)
NOT_YET = "The numbers are compared when the folder is made."


class PublishDialog(QDialog):
    """Asks for what is missing, makes the folder, and opens it. The window goes on meanwhile.

    Parameters
    ----------
    entry : Entry
        The model, which is on this machine.
    model : Model or None
        The same, if it is open.
    """

    def __init__(self, entry: Entry, model: Model | None, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Publish a model")
        self.setMinimumWidth(NARROWEST)
        self.resize(WIDTH, HEIGHT)
        self._entry = entry
        self._task: Task | None = None
        self._made: Path | None = None
        self._material: Material | None = None
        self._known: dict[str, str] = {}
        self._missing: set[str] = set()
        self.name = ElidedLabel(entry.name)
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.check_list = CheckList(theme)
        self.fields = Fields(theme)
        self.all_fields = QCheckBox("Show all &fields")
        self.all_fields.setToolTip("Show also the fields that the card of the model fills already")
        self.evaluation = FolderRow(
            "&Evaluation…",
            "Folder that an evaluation was saved to",
            "Metrics and charts of an evaluation that you have saved; names of images in it are not read",
            "no evaluation of your own",
        )
        self.verify = QCheckBox("&Compare the numbers")
        self.verify.setToolTip(
            "Compare the numbers with those of TensorFlow and TensorFlow.js, where they are installed; each runs in a "
            "process of its own"
        )
        self.verify.setChecked(True)
        self.packages = FolderRow(
            "&TensorFlow.js…",
            "Folder with TensorFlow.js",
            "Folder in which you ran npm install @tensorflow/tfjs",
            "where NODE_PATH says",
        )
        self.progress = ProgressLine("making the folder")
        self.message = Message(theme)
        self.make = MainButton("Make folder…", theme)
        self.close_button = Button("Close")
        self._lay_out()
        self.all_fields.toggled.connect(self._show_fields)
        self.fields.changed.connect(self._refresh)
        self.evaluation.changed.connect(self._refresh)
        self.verify.toggled.connect(self._refresh)
        self.make.clicked.connect(self._on_make)
        self.close_button.clicked.connect(self.reject)
        self.progress.cancelled.connect(self._cancel)
        self.message.accepted.connect(self._open_folder)
        self.finished.connect(lambda _: self._cancel())
        self.form.hide()
        self._start(opening(entry, model), self._on_opened, "Opening the model")

    def _lay_out(self) -> None:
        inside = QWidget()
        self.scroll, column = scrolling_column(inside, "Publish a model", 8)
        self.form = QWidget()
        form = QVBoxLayout(self.form)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(8)
        for widget in (self.check_list, self.fields, self.all_fields, self.evaluation, self.verify, self.packages):
            form.addWidget(widget)
        for widget in (self.name, MutedLabel(WHAT), self.form):
            column.addWidget(widget)
        column.addStretch(1)
        buttons = QDialogButtonBox()
        buttons.addButton(self.close_button, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(self.make, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(inside, 1)
        for widget in (self.progress, self.message, buttons):
            layout.addWidget(widget)

    def _on_opened(self, material: Material) -> None:
        """Show what is known of the model, and fields for what is missing."""
        self._material = material
        own = self._published(PartialCard())
        self._known = texts_of(own, "" if own.name == UNNAMED else own.name)
        # What the user calls the model in the list counts.
        self.fields.fill({**self._known, **({"name": self._entry.title} if self._entry.title else {})})
        self._missing = {item.field for item in self._items() if item.state != "there"}
        self.form.show()
        self._show_fields()
        self._refresh()

    def _published(self, said: PartialCard) -> ModelCard:
        """Return the card as it would be published."""
        assert self._material is not None
        model = self._material.model
        return published_card(model.card, model.path, said)

    def _said(self) -> PartialCard:
        """Return what the user has said."""
        return said_in(None, self.fields.values(self._known))

    def _items(self) -> tuple[Item, ...]:
        unverified = [NOT_YET] if self.verify.isChecked() else ["The numbers are not compared."]
        card = self._published(self._said())
        return listed(card, (), unverified, measured=self.evaluation.path is not None or bool(card.metrics))

    def _refresh(self) -> None:
        """Say anew what is missing."""
        self.packages.setVisible(self.verify.isChecked())
        if self._material is None:
            return
        try:
            items = self._items()
        except OptionError as error:
            self.message.show_error(error)
            self.make.setEnabled(False)
            return
        if self._task is None:
            self.message.clear()
            self.make.setEnabled(True)
        self.check_list.show_items(items)

    def _show_fields(self) -> None:
        everything = self.all_fields.isChecked()
        self.fields.show_only(lambda field: everything or field in self._missing)
        self.all_fields.setVisible(everything or not set(KINDS) <= self._missing)

    def _on_make(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose an empty folder, or one to make the folder in")
        if chosen:
            self._make(place_in(Path(chosen), self._published(self._said()).name))

    def _make(self, folder: Path, *, overwrite: bool = False) -> None:
        if not overwrite and folder.exists() and any(folder.iterdir()):
            ask(
                self,
                "Replace the folder",
                f"Replace the deposit in “{folder.name}”?",
                "Its files are deleted, also those that you have changed.",
                [Answer("Replace it", lambda: self._make(folder, overwrite=True), destroys=True)],
            )
            return
        assert self._material is not None
        more = (self.evaluation.path, self.verify.isChecked(), self.packages.path, overwrite)
        self._start(making(self._material, Asked(folder, self._said(), *more)), self._on_made, "Making the folder")

    def _start(self, work: Generator[str, None, Any], then: Callable[[Any], None], words: str) -> None:
        """Do work in the background, and show what is being done."""
        self.message.clear()
        self.make.setEnabled(False)
        self.progress.report(words)
        self._task = Task(work)
        self._task.events.connect(lambda events: self.progress.report(events[-1]))
        self._task.done.connect(lambda result: self._on_done(then, result))
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _on_done(self, then: Callable[[Any], None], result: object) -> None:
        self._end()
        then(result)

    def _on_made(self, made: Made) -> None:
        self._made = made.folder
        self.check_list.show_items(made.items)
        missing = sum(item.state == "missing" for item in made.items)
        hint = "Look at it before you upload it to Zenodo." if not missing else "Complete it before you publish it."
        counted = f" {missing} thing{'s are' if missing > 1 else ' is'} missing." if missing else ""
        self.message.show_note(f"{made.files} files written to {made.folder.name}.{counted}", hint, "Open folder")
        self._open_folder()

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self.message.show_error(error)

    def _open_folder(self) -> None:
        if self._made is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._made)))

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._end()

    def _end(self) -> None:
        self._task = None
        self.progress.hide()
        self.make.setEnabled(self._material is not None)

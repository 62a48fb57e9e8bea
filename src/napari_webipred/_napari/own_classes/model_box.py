"""The name of the user's own model, and what can be done with it: use it, save it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_webipred._napari.chosen_file import extended
from napari_webipred._napari.own_classes.model_making import making
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import OptionError
from napari_webipred.fitting.project import LONGEST
from napari_webipred.names import readable

FILTER = "Models (*.zip)"
MAKING = "Writing the model"


class ModelBox(QWidget):
    """Makes a model beside the window; it comes into the list of models, or into a file of the user.

    Attributes
    ----------
    made : bool
        Whether a model was made here.
    """

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._own: OwnClasses = session.own_classes
        self._task: Task | None = None
        self._name, self._used = "", False  # of the model that is being written
        self.made = False
        self.name = QLineEdit(self._own.name)
        self.name.setMaxLength(LONGEST)
        self.name.setAccessibleName("Name of the model")
        self.use = MainButton("Use this model", theme)
        self.use.setToolTip("Put the model into the list of models and choose it, so that all images can be classified")
        self.save = Button("Save model…")
        self.save.setToolTip("Write the model as a zip archive that this program, WebIPred and others open")
        self.progress = ProgressLine("writing the model")
        self.message = Message(theme)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Name", self.name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(form)
        buttons = QHBoxLayout()
        for button in (self.use, self.save):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        self.use.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.name.textChanged.connect(self._on_name)
        self.use.clicked.connect(lambda: self._make(None))
        self.save.clicked.connect(self._on_save)
        self.progress.cancelled.connect(self.cancel)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether a model is being written."""
        return self._task is not None

    def refresh(self) -> None:
        """Offer what is possible now."""
        learned = self._own.learning.learned
        ready = learned is not None and learned.head is not None and self._own.base.model is not None
        self.setVisible(ready or self.busy)
        for button in (self.use, self.save):
            button.setEnabled(ready and not self.busy and bool(self.name.text().strip()))

    def save_to(self, path: Path) -> None:
        """Write the model to a file of the user."""
        try:
            self._make(path if path.suffix.lower() == ".zip" else extended(path, ".zip"))
        except OptionError as error:
            self.message.show_error(error)

    def cancel(self) -> None:
        """Write no model."""
        if self._task is not None:
            self._task.cancel()

    def _on_name(self, name: str) -> None:
        self._own.name = name
        self.refresh()

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save model", f"{self.name.text().strip()}.zip", FILTER)
        if name:
            self.save_to(Path(name))

    def _make(self, path: Path | None) -> None:
        wanted = self._own.wanted()
        if wanted is None or self.busy:
            return
        self._name, self._used = wanted.name, path is None
        self.message.clear()
        self._own.base.hold()
        self.progress.report(MAKING)
        self._task = Task(making(wanted, path))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_made)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_end)
        self._task.start()
        self.refresh()

    def _on_events(self, events: list[Any]) -> None:
        done, total = events[-1]
        self.progress.report("Computing how good the model is" if total else MAKING, done, total)

    def _on_made(self, path: Path) -> None:
        self.made = True
        self._on_end()
        if not self._used:
            self.message.show_note(
                f"Saved as {readable(path.name)}.", "Open it with “Add model…” wherever you need it."
            )
            return
        loading, catalogue = self._session.loading, self._session.catalogue
        if loading.entry is not None and loading.entry.reference == path:
            loading.choose(loading.entry)  # the file is another one now
        else:
            catalogue.add(path)
        self.message.show_note(
            f"“{self._name}” is in the list of models and chosen.",
            "Classify all images with it in step 3 of the panel.",
        )

    def _on_failed(self, error: Exception) -> None:
        self._on_end()
        self.message.show_error(error)

    def _on_end(self) -> None:
        self._task = None
        self.progress.hide()
        self.refresh()

"""The dialog that makes a report of rows and saves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_webipred._napari.reports.report_file import Asked, Saved, saving
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.imaging.source import Source
from napari_webipred.reports.report import SUFFIXES
from napari_webipred.results.session_table import Entries, Entry, RunDetails

KINDS = {"html": "Page for people (HTML)", "sr": "DICOM structured reports (SR)", "fhir": "FHIR R4 transaction"}
FILTERS = {"html": "HTML (*.html)", "sr": "DICOM (*.dcm)", "fhir": "FHIR (*.json)"}
WIDTH = 460
_NAMED = "name, date of birth, sex"
_IDENTIFIED = "patient ID, accession number, date and identifiers of the study"


class ReportDialog(QDialog):
    """Asks what kind of report is wanted and what may be in it, and saves it.

    Parameters
    ----------
    entries : Entries
        At least one row; of several runs, the user chooses one.
    sources_of : callable
        Returns the images of a run, by its number; None stands for one that is gone.

    Signals
    -------
    saved : str, str
        A report was saved: what, and what of the patient is in it.
    """

    saved = Signal(str, str)

    def __init__(
        self, entries: Entries, sources_of: Callable[[int], Sequence[Source | None]], theme: Theme, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Save report")
        self.setMinimumWidth(WIDTH)
        self._entries = entries
        self._sources_of = sources_of
        self._task: Task | None = None
        self.kind = choice("Kind of report")
        for kind, words in KINDS.items():
            self.kind.addItem(words, kind)
        self.run = choice("Run")
        for run in _runs(entries):
            self.run.addItem(f"{run.number}: {run.card.name}", run.number)
        self.run.setCurrentIndex(self.run.count() - 1)
        self.pictures = QCheckBox("Show the &images")
        self.name = QCheckBox("Write the patient's &name, date of birth and sex")
        self.reader, self.organisation = QLineEdit(), QLineEdit()
        self.reader.setPlaceholderText("Rita Reader")
        self.organisation.setPlaceholderText("where the reader works")
        self.content = MutedLabel()
        self.message = Message(theme)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.save = self.buttons.addButton("Save…", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setDefault(True)
        self._lay_out()
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._cancel)
        for changed in (self.kind.currentIndexChanged, self.run.currentIndexChanged, self.name.toggled):
            changed.connect(self._show)
        self.pictures.toggled.connect(self._show)
        self.resize(WIDTH, self.sizeHint().height())
        self._show()

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        for words, field in (
            ("&Kind:", self.kind),
            ("R&un:", self.run),
            ("", self.pictures),
            ("", self.name),
            ("&Reader:", self.reader),
            ("&Organisation:", self.organisation),
        ):
            self._form.addRow(words, field)
        self._layout = layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(self._form)
        layout.addWidget(self.content)
        layout.addWidget(self.message)
        layout.addStretch(1)
        layout.addWidget(self.buttons)

    def _rows(self) -> list[Entry]:
        """Return the rows of the chosen run."""
        return [entry for entry in self._entries if entry.run.number == self.run.currentData()]

    def _show(self) -> None:
        """Show the fields that count, and say what will be in the report."""
        rows = self._rows()
        kind, read = self.kind.currentData(), any(entry.reading for entry in rows)
        self._form.setRowVisible(self.run, self.run.count() > 1)
        self._form.setRowVisible(self.pictures, kind == "html")
        for field in (self.reader, self.organisation):
            self._form.setRowVisible(field, read)
        named, record = self.name.isChecked(), kind != "html"
        patient = [*([_NAMED] if named else []), *([_IDENTIFIED] if record or named else [])]
        parts = [
            f"{len(rows):,} row{'s' * (len(rows) != 1)} with the probabilities of each class",
            *(["what the reader says"] if read else []),
            "the model and how it was run",
            *([] if record else ["the names of the images"]),
            *(["the images"] if kind == "html" and self.pictures.isChecked() else []),
        ]
        of_patient = f"Of the patient: {', '.join(patient)}." if patient else "Nothing of the patient."
        self.content.setText(f"In it: {', '.join(parts)}. {of_patient} Nothing is sent.")
        self.message.clear()
        self._fit()

    def _fit(self) -> None:
        """Make room for what is shown."""
        height = self._layout.totalHeightForWidth(self.width())
        self.resize(self.width(), max(height, self._layout.totalMinimumSize().height()))

    def _save(self) -> None:
        if self._task is not None:
            return
        rows = self._rows()
        kind = self.kind.currentData()
        path = self._path(kind, len({entry.row.image for entry in rows}))
        if path is None:
            return
        asked = Asked(
            kind,
            path,
            self.pictures.isChecked() and kind == "html",
            self.name.isChecked(),
            self.reader.text(),
            self.organisation.text(),
        )
        sources = [source for source in self._sources_of(self.run.currentData()) if source is not None]
        self.save.setEnabled(False)
        self.message.show_note("Making the report…")
        self._task = Task(saving(rows, sources, asked))
        self._task.done.connect(self._on_saved)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _path(self, kind: str, images: int) -> Path | None:
        """Ask for a file, or for a folder if there are several documents."""
        if kind == "sr" and images > 1:
            name = QFileDialog.getExistingDirectory(self, "Folder for the reports, one for each image or series")
        else:
            suggested = f"report-{datetime.now():%Y-%m-%d}{SUFFIXES[kind]}"
            name, _ = QFileDialog.getSaveFileName(self, "Save report", suggested, FILTERS[kind])
        return Path(name) if name else None

    def _on_saved(self, saved: Saved) -> None:
        files = saved.files[0].name if len(saved.files) == 1 else f"{len(saved.files)} reports"
        of_patient = ", ".join(saved.attributes) or "nothing"
        hint = f"In it of the patient: {of_patient}."
        self.saved.emit(f"Saved {files}.", hint)
        self.accept()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.save.setEnabled(True)
        self.message.show_error(error)
        self._fit()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _runs(entries: Entries) -> list[RunDetails]:
    """Return the runs that the rows are of."""
    return list({entry.run.number: entry.run for entry in entries}.values())

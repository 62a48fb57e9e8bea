"""The dialog that makes a report of rows, and saves or sends it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

from napari_webipred._napari.reports.report_file import Asked, Given, Saved, made, saving
from napari_webipred._napari.reports.sending import posting, storing
from napari_webipred._napari.reports.target_fields import TargetFields
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.button import dialog_buttons
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import SecretError, WebIPredError
from napari_webipred.reports.report import SUFFIXES
from napari_webipred.results.session_table import Entries, Entry, RunDetails

if TYPE_CHECKING:
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.reports.report import Report

KINDS = {"html": "Page for people (HTML)", "sr": "DICOM structured reports (SR)", "fhir": "FHIR R4 transaction"}
FILTERS = {"html": "HTML (*.html)", "sr": "DICOM (*.dcm)", "fhir": "FHIR (*.json)"}
WIDTH = 460
_NAMED = "name, date of birth, sex"
_IDENTIFIED = "patient ID, accession number, date and identifiers of the study"


class ReportDialog(QDialog):
    """Asks what kind of report is wanted, what may be in it and where it goes, and saves or sends it.

    Parameters
    ----------
    entries : Entries
        At least one row; of several runs, the user chooses one.
    sources_of : callable
        Returns the images of a run, by its number; None stands for one that is gone.

    Signals
    -------
    saved : str, str
        A report was saved or sent: what, and what of the patient is in it.
    """

    saved = Signal(str, str)

    def __init__(
        self, entries: Entries, sources_of: Callable[[int], Sequence[Given]], theme: Theme, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Report")
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
        self.reader, self.organisation, self.patient_system = QLineEdit(), QLineEdit(), QLineEdit()
        self.patient_system.setPlaceholderText("if the images do not say it: urn:oid:1.2.3")
        self.patient_system.setToolTip("Address of the system that has given the numbers of patients")
        self.reader.setPlaceholderText("Rita Reader")
        self.organisation.setPlaceholderText("where the reader works")
        self.content = MutedLabel()
        self.message = Message(theme)
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Cancel)
        self.save = self.buttons.addButton("Save…", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setDefault(True)
        self._lay_out()
        self.target = TargetFields(self._form, self)
        self.buttons.accepted.connect(self._start)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._cancel)
        for changed in (self.kind.currentIndexChanged, self.run.currentIndexChanged, self.name.toggled):
            changed.connect(self._show)
        self.pictures.toggled.connect(self._show)
        self.target.changed.connect(self._say_what)
        self.target.failed.connect(self._on_failed)
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
            ("&Patient system:", self.patient_system),
        ):
            if words:
                self._form.addRow(words, field)
            else:
                self._form.addRow(field)
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
        """Show the fields that count."""
        kind, read = self.kind.currentData(), any(entry.reading for entry in self._rows())
        self._form.setRowVisible(self.run, self.run.count() > 1)
        self._form.setRowVisible(self.pictures, kind == "html")
        self._form.setRowVisible(self.patient_system, kind == "fhir")
        for field in (self.reader, self.organisation):
            self._form.setRowVisible(field, read)
        self.target.show_kind(kind)
        self._say_what()

    def _say_what(self) -> None:
        """Say what will be in the report, and where it goes."""
        rows, kind = self._rows(), self.kind.currentData()
        read = any(entry.reading for entry in rows)
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
        host = self.target.host
        sent = f"It goes to {host}, once you have agreed." if host else "Nothing is sent."
        self.content.setText(f"In it: {', '.join(parts)}. {of_patient} {sent}")
        self.save.setText("Save…" if self.target.is_file else "Send…")
        self.message.clear()
        self._fit()

    def _fit(self) -> None:
        """Make room for what is shown."""
        height = self._layout.totalHeightForWidth(self.width())
        self.resize(self.width(), max(height, self._layout.totalMinimumSize().height()))

    def _start(self) -> None:
        if self._task is not None:
            return
        rows = self._rows()
        kind = self.kind.currentData()
        asked = Asked(
            kind,
            self.pictures.isChecked() and kind == "html",
            self.name.isChecked(),
            self.reader.text(),
            self.organisation.text(),
            self.patient_system.text().strip() if kind == "fhir" else "",
        )
        sources = self._sources_of(self.run.currentData())
        if not self.target.is_file:
            self._make_to_send(made(rows, sources, asked))
        elif (path := self._path(kind, len({entry.row.source for entry in rows}))) is not None:
            self._run(saving(rows, sources, asked, path), "Making the report…", self._on_saved)

    def _make_to_send(self, making: Generator[int, None, Report]) -> None:
        """Make the report, and ask before it is sent; a wrong address is told before."""
        archive = self.target.archive
        try:
            way = self.target.server() if archive is None else archive
        except WebIPredError as error:
            self._on_failed(error)
            return
        self._run(making, "Making the report…", partial(self._on_made, way))

    def _run(self, steps: Generator[Any, None, Any], words: str, done: Callable[[Any], None]) -> None:
        self.save.setEnabled(False)
        self.message.show_note(words)
        self._task = Task(steps)
        self._task.done.connect(done)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _on_made(self, way: Connection, report: Report) -> None:
        """Say what is about to leave this computer, and to which one, and ask whether it may."""
        self._end()
        count, size = len(report.documents), sum(map(len, report.documents))
        documents = f"{count} document{'s' * (count != 1)} ({max(round(size / 1000), 1):,} kB)"
        of_patient = f"Of the patient: {', '.join(report.attributes) or 'nothing'}."
        question = "\n\n".join(
            [f"Send {documents} to {way.host}?", f"In it: {'; '.join(report.holds)}.", of_patient, *report.notes]
        )
        send = partial(self._send, way, report)
        ask(self, "Send report", question, "Nothing goes to anybody else.", [Answer("Send", send)])

    def _send(self, way: Connection, report: Report) -> None:
        if report.kind == "sr":
            steps = storing(report, way, self.target.password.text())
        else:
            self.target.keep_address()
            steps = posting(report, way, self.target.token.text())
        self._run(steps, f"Sending to {way.host}…", partial(self._on_sent, report))

    def _on_sent(self, report: Report, words: str) -> None:
        self.saved.emit(words, f"Of the patient: {', '.join(report.attributes) or 'nothing'}.")
        self.accept()

    def _end(self) -> None:
        self._task = None
        self.save.setEnabled(True)
        self.message.clear()
        self._fit()

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
        self._end()
        self.message.show_error(error)
        if isinstance(error, SecretError):
            self.target.ask_for_secret()
        self._fit()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _runs(entries: Entries) -> list[RunDetails]:
    """Return the runs that the rows are of."""
    return list({entry.run.number: entry.run for entry in entries}.values())

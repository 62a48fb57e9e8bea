"""The fields to search an archive by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QWidget

if TYPE_CHECKING:
    from napari_webipred.pacs.query import Query

FIELDS = {  # attribute of a query: label, example
    "patient_name": ("Patient name", "beginning, such as Doe^J"),
    "patient_id": ("Patient ID", "* stands for anything"),
    "date": ("Date", "2026-01-01..2026-01-31"),
    "modality": ("Modality", "CT"),
    "accession_number": ("Accession number", ""),
}


class SearchForm(QWidget):
    """Asks what to search for, in two columns.

    Signals
    -------
    submitted
        Return was pressed in a field.
    """

    submitted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.fields: dict[str, QLineEdit] = {}
        for place, (name, (text, example)) in enumerate(FIELDS.items()):
            field = QLineEdit()
            field.setPlaceholderText(example)
            field.setAccessibleName(text)
            field.returnPressed.connect(self.submitted)
            label = QLabel(text)
            label.setBuddy(field)
            row, column = place // 2, place % 2 * 2
            layout.addWidget(label, row, column)
            layout.addWidget(field, row, column + 1)
            self.fields[name] = field

    def value(self) -> Query:
        """Return what is searched for."""
        from napari_webipred.pacs.query import Query

        return Query(**{name: field.text() for name, field in self.fields.items()})

"""Labels that the user gives to rows, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableView, QVBoxLayout, QWidget

from napari_webipred._napari.results.result_columns import UNSURE
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel, tip
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.names import readable
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.reading import Reading, now
from napari_webipred.results.session_table import Numbers, RunDetails

NOWHERE = QModelIndex()
MOST_BUTTONS = 9  # as many as there are keys
ROWS = 7
HOW = "Choose a row, then click its class or press its number. The next row follows."
HOW_SEVERAL = "Choose a row, then click its classes or press their numbers. Delete removes them."
LONGEST = 24


class LabelModel(QAbstractTableModel):
    """The rows of a run and the answers of the reader."""

    def __init__(self, session: ViewerSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.numbers: Numbers = np.empty(0, np.intp)

    def show_rows(self, numbers: Numbers) -> None:
        """Show these rows of the session's table."""
        self.beginResetModel()
        self.numbers = numbers
        self.endResetModel()

    def label(self, place: int) -> str:
        """Return what the reader says of a row, as text."""
        found = self.reading(place)
        return "" if found is None else UNSURE if found.unsure else as_cell(found.classes)

    def reading(self, place: int) -> Reading | None:
        """Return what the reader says of a row."""
        return self._session.table.readings.get(int(self.numbers[place]))

    def answer(self, place: int, classes: tuple[str, ...]) -> None:
        """Give a row these classes; none take the answer back."""
        before = self.reading(place)
        comment = before.comment if before else ""
        self._session.read(int(self.numbers[place]), Reading(classes, comment, now()) if classes else None)

    def show_answer(self, number: int) -> None:
        """Show that a row of the session's table has another answer."""
        for place in np.flatnonzero(self.numbers == number).tolist():
            self.dataChanged.emit(self.index(place, 0), self.index(place, 1))

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.numbers)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else 2

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        if index.column() == 1:
            text = self.label(index.row())
        else:
            row = self._session.table.rows[int(self.numbers[index.row()])]
            place = " ".join(f"{axis} {at}" for axis, at in row.position.items())
            text = " · ".join(part for part in (row.image, place, row.region) if part)
        return readable(text) if role == Qt.ItemDataRole.DisplayRole else tip(text)

    def headerData(self, section: int, side: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if side == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Image", "Label")[section]
        return None


class _LabelView(QTableView):
    """The table; a number gives the current row a class."""

    pressed_number = Signal(int)
    cleared = Signal()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.text().isdigit() and event.text() != "0":
            self.pressed_number.emit(int(event.text()) - 1)
        elif event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.cleared.emit()
        else:
            super().keyPressEvent(event)


class LabelTable(QWidget):
    """A table of the rows of a run, and a button for each class.

    Signals
    -------
    changed
        A row has another label.
    """

    changed = Signal()

    def __init__(self, session: ViewerSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._classes: tuple[str, ...] = ()
        self._several = False
        self.model = LabelModel(session, self)
        self.view = _LabelView()
        self.view.setModel(self.model)
        self.view.setAccessibleName("Labels of rows")
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        height = self.view.fontMetrics().height() + 8
        self.view.verticalHeader().setDefaultSectionSize(height)
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.view.setFixedHeight((ROWS + 1) * height + 6)
        self.how = MutedLabel()
        self._buttons = QWidget()
        self.many = QComboBox()
        self.many.setAccessibleName("Class of the chosen row")
        self.many.activated.connect(self.give)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        for widget in (self.how, self.view, self._buttons, self.many):
            self._layout.addWidget(widget)
        self.view.pressed_number.connect(self.give)
        self.view.cleared.connect(self.clear)
        self.view.selectionModel().currentRowChanged.connect(self._on_current)

    def show_run(self, run: RunDetails) -> None:
        """Show the rows of a run that are not deleted."""
        table = self._session.table
        kept = table.numbers
        numbers = kept[table.run_numbers[kept] == run.number]
        several = run.card.task == "multi-label"
        if (run.classes, several) != (self._classes, self._several):
            self._classes, self._several = run.classes, several
            self._make_buttons()
        if not np.array_equal(numbers, self.model.numbers):
            self.model.show_rows(numbers)
            if len(numbers):
                self.view.setCurrentIndex(self.model.index(0, 0))

    def _make_buttons(self) -> None:
        self.how.setText(HOW_SEVERAL if self._several else HOW)
        few = len(self._classes) <= MOST_BUTTONS
        self._layout.removeWidget(self._buttons)
        self._buttons.deleteLater()
        self._buttons = QWidget()
        self._layout.insertWidget(2, self._buttons)
        self._buttons.setVisible(few)
        self.many.setVisible(not few)
        self.many.clear()
        self.many.addItems([readable(name) for name in self._classes])
        buttons: list[QWidget] = []
        for index, name in enumerate(self._classes[:MOST_BUTTONS] if few else ()):
            button = Button(f"{index + 1}  {readable(name)[:LONGEST]}".replace("&", "&&"))
            button.setToolTip(tip(f"Label the chosen row {name}"))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(partial(self._on_button, index))
            buttons.append(button)
        row = WrappingRow(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        self._buttons.setLayout(row)

    def _on_button(self, index: int, checked: bool = False) -> None:
        self.give(index)

    def give(self, index: int) -> None:
        """Give the current row a class, and go to the next one; of several classes, add or remove it."""
        place = self.view.currentIndex().row()
        if not (0 <= index < len(self._classes) and 0 <= place < self.model.rowCount()):
            return
        before = self.model.reading(place)
        self.model.answer(
            place, labelled(before.classes if before else (), self._classes, index, several=self._several)
        )
        if not self._several and place + 1 < self.model.rowCount():
            self.view.setCurrentIndex(self.model.index(place + 1, 0))

    def clear(self) -> None:
        """Take the label of the current row away."""
        place = self.view.currentIndex().row()
        if 0 <= place < self.model.rowCount():
            self.model.answer(place, ())

    def show_read(self, number: int) -> None:
        """Show that a reader has answered about a row of the session's table."""
        self.model.show_answer(number)
        self.changed.emit()

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid() and self.view.isVisible():
            self._session.rows_wanted.emit([int(self.model.numbers[index.row()])])

    @property
    def labels(self) -> Mapping[int, tuple[str, ...]]:
        """The classes that the reader gives, by the numbers of their rows; an unsure one gives none."""
        readings = self._session.table.readings
        found = {number: readings[number] for number in self.model.numbers.tolist() if number in readings}
        known = ((number, reading.labels(self._classes)) for number, reading in found.items())
        return {number: classes for number, classes in known if classes is not None}


def labelled(before: tuple[str, ...], classes: tuple[str, ...], index: int, *, several: bool) -> tuple[str, ...]:
    """Return an answer with this class: instead of the one before or, of several, in addition, or no longer."""
    if not several:
        return (classes[index],)
    known = {*before} ^ {classes[index]}
    return tuple(name for name in classes if name in known)

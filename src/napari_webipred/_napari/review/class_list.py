"""The classes that a reader can answer with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QFont, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_webipred._napari.review.review_keys import MOST_DIGITS
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.list_table import as_list
from napari_webipred.card import ModelCard
from napari_webipred.names import readable
from napari_webipred.results.row import Row

NOWHERE = QModelIndex()
KEY, NAME, NUMBER = range(3)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
MOST_ROWS = 9
Role = Qt.ItemDataRole


class ClassModel(QAbstractTableModel):
    """A line for each class of a model: its key, its name, and what the model says unless that is hidden.

    Attributes
    ----------
    ticked : frozenset of int
        The classes that are part of the answer.
    several : bool
        Whether an answer can have several classes.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._card: ModelCard | None = None
        self._names: list[str] = []
        self._numbers: NDArray[np.float32] | None = None
        self._assigned: tuple[int, ...] = ()
        self._decimals = 2
        self._bold = QFont()
        self._bold.setBold(True)
        self.ticked: frozenset[int] = frozenset()
        self.several = False

    def show(self, card: ModelCard, ticked: frozenset[int], said: Row | None, decimals: int) -> None:
        """Show the classes of a model, with what it has said of a row; None hides that."""
        changed = card is not self._card
        if changed:
            self.beginResetModel()
            self._card, self._names = card, card.class_names
            self.several = card.task == "multi-label"
        self.ticked, self._decimals = ticked, decimals
        self._numbers = None if said is None else said.probabilities
        self._assigned = () if said is None else said.assigned
        if changed:
            self.endResetModel()
        else:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._names) - 1, NUMBER))

    def toggle(self, index: int) -> None:
        """Tick a class, or take the tick away."""
        self.ticked ^= {index}
        self.dataChanged.emit(self.index(index, 0), self.index(index, NUMBER))

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else 3

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        if not index.isValid() or self._card is None:
            return None
        place, column = index.row(), index.column()
        if role == Role.DisplayRole:
            return self._text(place, column)
        if role == Role.FontRole and place in self._assigned:
            return self._bold
        if role == Role.TextAlignmentRole and column == NUMBER:
            return RIGHT
        if role == Role.ToolTipRole:
            return tip(": ".join(filter(None, (self._names[place], self._card.classes[place].label))))
        return self._name_for_readers(place) if role == Role.AccessibleTextRole and column == NAME else None

    def _text(self, place: int, column: int) -> str:
        if column == KEY:
            return str(place + 1) if place < MOST_DIGITS else ""
        if column == NAME:
            return f"{self._mark(place)}{readable(self._names[place])}"
        if self._numbers is None or np.isnan(self._numbers[place]):  # of own classes, one may have no number yet
            return ""
        return f"{self._numbers[place]:.{self._decimals}f}"

    def _mark(self, place: int) -> str:
        """Mark what is ticked; the boxes of Qt can hardly be seen on a dark ground."""
        if self.several:
            return "☑ " if place in self.ticked else "☐ "
        return "✓ " if place in self.ticked else ""

    def _name_for_readers(self, place: int) -> str:
        """Say all that a line shows, for those who hear it."""
        ticked = "ticked" if place in self.ticked else ""
        parts = (readable(self._names[place]), ticked, self._text(place, NUMBER), f"key {self._text(place, KEY)}")
        return ", ".join(part for part in parts if part not in ("", "key "))


class ClassList(QTableView):
    """Shows the classes; a click, or Space, chooses one.

    Signals
    -------
    chosen : int
        The user has chosen the class with this index.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes = ClassModel(self)
        self.setModel(self.classes)
        self.setAccessibleName("Classes")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        as_list(self)
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.clicked.connect(lambda index: self.chosen.emit(index.row()))
        self.classes.modelReset.connect(self._fit)

    def go_to(self, index: int) -> None:
        """Show a class, and let the arrow keys go on from it."""
        self.setCurrentIndex(self.classes.index(index, NAME))

    @property
    def overflows(self) -> bool:
        """Whether there are more classes than are seen at once."""
        return self.classes.rowCount() > MOST_ROWS

    def _fit(self) -> None:
        """Be as high as all classes, within bounds."""
        metrics = self.fontMetrics()
        row = metrics.height() + 8
        self.verticalHeader().setDefaultSectionSize(row)
        self.setColumnWidth(KEY, metrics.horizontalAdvance("0") + 16)
        self.setColumnWidth(NUMBER, metrics.horizontalAdvance("0.00000") + 12)
        self.setFixedHeight(min(self.classes.rowCount(), MOST_ROWS) * row + 2 * self.frameWidth() + 2)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take the keys that go through the list, and leave all others to the review."""
        if event is None:
            return
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex().row())
        elif event.key() in _WITHIN:
            super().keyPressEvent(event)
        else:
            event.ignore()


_WITHIN = {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown}

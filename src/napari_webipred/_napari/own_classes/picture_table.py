"""All pictures with their labels, and what the head says of each; it changes while the user labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QFont, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_webipred._napari.own_classes.learning import assigned
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.results.result_columns import UNSURE
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.list_table import as_list
from napari_webipred.fitting.project import Picture
from napari_webipred.fitting.suggestion import uncertainty
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.reading import NONE

NOWHERE = QModelIndex()
PICTURE, LABEL, MODEL, NUMBER = range(4)
HEADINGS = ("Image", "Label", "Model", "")
HEADING_TIPS = (
    "Click to sort by name",
    "What you have said. Click to sort",
    "What the model says now. Click to sort",
    "The probability. Click to sort by how unsure the model is",
)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
ROWS = 8
SHARES = {PICTURE: 0.42, LABEL: 0.29, MODEL: 0.29}  # of the width
Role = Qt.ItemDataRole


class PictureModel(QAbstractTableModel):
    """A line for each picture."""

    def __init__(self, own: OwnClasses, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self._order: NDArray[np.intp] = np.empty(0, np.intp)
        self._places: NDArray[np.intp] = np.empty(0, np.intp)
        self._sorted: tuple[int, bool] | None = None
        self._bold = QFont()
        self._bold.setBold(True)

    def arrange(self) -> None:
        """Show other pictures."""
        self.beginResetModel()
        self._arrange()
        self.endResetModel()

    def refresh(self) -> None:
        """Show the same pictures with what is known of them now; their order stays."""
        if len(self._order) != len(self._own.items):
            self.arrange()
        elif len(self._order):
            self.dataChanged.emit(self.index(0, LABEL), self.index(len(self._order) - 1, NUMBER))

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by what is known now; -1 shows the pictures as they came."""
        self._sorted = (column, order == Qt.SortOrder.DescendingOrder) if column >= 0 else None
        self.arrange()

    def picture(self, place: int) -> Picture:
        """Return the picture of a line."""
        return self._own.pictures[int(self._order[place])]

    def place(self, picture: Picture | None) -> int | None:
        """Return the line of a picture, if it has one."""
        row = None if picture is None else self._own.rows.get(picture)
        return int(self._places[row]) if row is not None and row < len(self._places) else None

    def _arrange(self) -> None:
        count = len(self._own.items)
        self._order = np.arange(count)
        if self._sorted is not None:
            column, descending = self._sorted
            keys = self._doubts() if column == NUMBER else [self._text(row, column) for row in range(count)]
            self._order = np.array(sorted(range(count), key=keys.__getitem__, reverse=descending), np.intp)
        self._places = np.argsort(self._order)

    def _doubts(self) -> list[float]:
        """Return how sure the head is of each picture; the least sure ones first."""
        learned = self._own.learning.learned
        if learned is None or learned.head is None or not learned.probabilities.shape[1]:
            return [0.0] * len(self._own.items)
        known = np.isfinite(learned.probabilities[:, 0])
        sure = np.full(len(known), 2.0)
        sure[known] = 1 - uncertainty(learned.probabilities[known])
        return [float(each) for each in sure]

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        return {Role.DisplayRole: HEADINGS[section], Role.ToolTipRole: HEADING_TIPS[section]}.get(Role(role))

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = int(self._order[index.row()]), index.column()
        if role == Role.DisplayRole:
            return self._text(row, column)
        if role == Role.TextAlignmentRole and column == NUMBER:
            return RIGHT
        if role == Role.FontRole and column == LABEL:
            return self._bold
        if role == Role.ToolTipRole:
            fault = self._own.features.faults.get(row, "")
            return tip(fault or self._own.pictures[row].image)
        return None

    def _text(self, row: int, column: int) -> str:
        if column == PICTURE:
            return self._own.items[row].name
        if column == LABEL:
            answer = self._own.project.labels.get(self._own.pictures[row])
            return "" if answer is None else as_cell(answer) or UNSURE
        if row in self._own.features.faults:
            return "cannot be read" if column == MODEL else ""
        return self._said(row, column)

    def _said(self, row: int, column: int) -> str:
        learned = self._own.learning.learned
        if learned is None or learned.head is None or row >= len(learned.probabilities):
            return ""
        numbers = learned.probabilities[row]
        if np.isnan(numbers[0]):
            return ""
        if column == NUMBER:
            return f"{numbers.max():.2f}"
        names = learned.head.classes
        return as_cell(names[index] for index in assigned(numbers, learned.given.several)) or NONE


class PictureTable(QTableView):
    """Shows the pictures; a click goes to one, a click on a heading sorts.

    Signals
    -------
    chosen : Picture
        The user wants to see this picture.
    """

    chosen = Signal(object)

    def __init__(self, own: OwnClasses, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self.pictures = PictureModel(own, self)
        self.setModel(self.pictures)
        self.setAccessibleName("Images")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        as_list(self)
        header = self.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSortingEnabled(True)
        self.clicked.connect(lambda index: self.chosen.emit(self.pictures.picture(index.row())))
        self.activated.connect(lambda index: self.chosen.emit(self.pictures.picture(index.row())))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give names most of the width."""
        super().resizeEvent(event)
        left = self.viewport().width() - self.columnWidth(NUMBER)
        for column, share in SHARES.items():
            self.setColumnWidth(column, int(share * left))

    def show_current(self) -> None:
        """Select the picture that gets its label now."""
        place = self.pictures.place(self._own.walk.picture)
        if place is None:
            self.clearSelection()
        elif self.currentIndex().row() != place or not self.selectionModel().isSelected(self.currentIndex()):
            self.selectRow(place)

    def fit(self) -> None:
        """Be as high as all pictures, within bounds."""
        metrics = self.fontMetrics()
        height = metrics.height() + 8
        self.verticalHeader().setDefaultSectionSize(height)
        self.setColumnWidth(NUMBER, metrics.horizontalAdvance("0.00") + 22)
        lines = min(max(self.pictures.rowCount(), 2), ROWS)
        self.setFixedHeight(lines * height + self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth() + 2)

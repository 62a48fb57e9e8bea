"""The rows of a run, as Qt sees them."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QFont

from napari_webipred import limits
from napari_webipred._napari.bars import written
from napari_webipred._napari.label import tip
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.names import readable
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import Entry, RunDetails

NOWHERE = QModelIndex()
SORT_KEY = Qt.ItemDataRole.UserRole + 1
REMARK = "⚠"  # stands before the class of a row that has one
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ResultTable(QAbstractTableModel):
    """A row per image or plane: its name, axes of stacks, the assigned class, a probability per class.

    Of very many classes the first `limits.SHOWN_CLASSES` have a column.
    """

    def __init__(self, session: ViewerSession, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._run: RunDetails | None = None
        self._headings: list[str] = []
        self._numbers: list[int] = []
        session.run_changed.connect(self._show_run)
        session.rows_added.connect(self._on_rows_added)
        session.rows_changed.connect(self._show_run)
        self._show_run()

    def _show_run(self) -> None:
        self.beginResetModel()
        table = self._session.table
        self._run = run = table.runs[-1] if table.runs else None
        self._headings = _headings(run) if run else []
        self._numbers = [int(i) for i in table.numbers if run and table.run_numbers[i] == run.number]
        self.endResetModel()

    def number(self, index: QModelIndex) -> int:
        """Return which row of the table of the session is at an index."""
        number: int = self._numbers[index.row()]
        return number

    def entry(self, index: QModelIndex) -> Entry:
        """Return the row at an index."""
        return self._session.table.entry(self.number(index))

    def index_of(self, number: int) -> QModelIndex:
        """Return where a row is; invalid if it is not shown."""
        return self.index(self._numbers.index(number), 0) if number in self._numbers else NOWHERE

    def headings(self) -> list[str]:
        """Name the columns."""
        return list(self._headings)

    @property
    def class_column(self) -> int:
        """Number of the column with the assigned classes; hidden for a model that gives values."""
        return 1 + len(self._run.axes) if self._run else -1

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._numbers)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or self._run is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        number = section - 2 - len(self._run.axes)
        if role == Qt.ItemDataRole.ToolTipRole:
            label = self._run.card.classes[number].label if number >= 0 else None
            return tip(f"{self._headings[section]}: {label}" if label else self._headings[section])
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or self._run is None:
            return None
        row = self.entry(index).row
        axes = len(self._run.axes)
        column = index.column()
        if column == 0:
            return _text(row.image, role)
        if column <= axes:
            return _number(row.position.get(self._run.axes[column - 1]), role)
        if column == axes + 1:
            if role == Qt.ItemDataRole.ForegroundRole and row.failed:
                return self._theme.readable("error", "foreground")
            if role == Qt.ItemDataRole.ToolTipRole and row.remark:
                return tip(row.remark)
            text = readable(row.error or row.prediction or "none")
            return f"{REMARK} {text}" if row.remark and role == Qt.ItemDataRole.DisplayRole else _text(text, role)
        return self._probability(row, column - axes - 2, role)

    def _probability(self, row: Row, number: int, role: int) -> Any:
        assert self._run is not None
        if row.probabilities is None:
            if (
                self._run.card.task == "regression" and number == 0
            ):  # there is no column of classes to show the error in
                if role == Qt.ItemDataRole.ForegroundRole:
                    return self._theme.readable("error", "foreground")
                if role != SORT_KEY:
                    return _text(row.error, role)
            return -math.inf if role == SORT_KEY else None
        p = float(row.probabilities[number])
        if role == Qt.ItemDataRole.DisplayRole:
            return written(p) if self._run.card.has_probabilities else f"{p:.6g}"
        if role == SORT_KEY:
            return p
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(f"{self._run.classes[number]}: {row.probabilities[number]}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT
        if role in (Qt.ItemDataRole.BackgroundRole, Qt.ItemDataRole.FontRole) and number in row.assigned:
            if role == Qt.ItemDataRole.BackgroundRole:
                return self._theme.colour("current", 0.55)
            if role == Qt.ItemDataRole.FontRole:
                font = QFont()
                font.setBold(True)
                return font
        return None

    def _on_rows_added(self, first: int, last: int) -> None:
        self.beginInsertRows(NOWHERE, len(self._numbers), len(self._numbers) + last - first)
        self._numbers.extend(range(first, last + 1))
        self.endInsertRows()


def _headings(run: RunDetails) -> list[str]:
    classes = run.card.classes[: limits.SHOWN_CLASSES]
    names = [f"{entry.name} ({entry.unit})" if entry.unit else entry.name for entry in classes]
    return ["Image", *run.axes, "Class", *names]


def _text(text: str, role: int) -> Any:
    if role == Qt.ItemDataRole.DisplayRole:
        return readable(text)
    if role == SORT_KEY:
        return text.casefold()
    return tip(text) if role == Qt.ItemDataRole.ToolTipRole else None


def _number(number: int | None, role: int) -> Any:
    if role == Qt.ItemDataRole.DisplayRole:
        return number
    if role == SORT_KEY:
        return -1 if number is None else number
    return RIGHT if role == Qt.ItemDataRole.TextAlignmentRole else None

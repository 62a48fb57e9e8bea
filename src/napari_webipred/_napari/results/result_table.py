"""The rows of all runs, as Qt sees them."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QFont

from napari_webipred import settings
from napari_webipred._napari.results.measures import measured
from napari_webipred._napari.results.result_columns import (
    ColumnChoice,
    cell,
    class_index,
    class_names,
    heading,
    label,
    shown_columns,
    text_of,
)
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.names import readable
from napari_webipred.results.ranges import words
from napari_webipred.results.session_table import Entry, Numbers, RunDetails
from napari_webipred.results.table_columns import MEASURES, Column, TableColumns
from napari_webipred.results.table_filter import EVERYTHING, Filter, ordered, shown

NOWHERE = QModelIndex()
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMBERS = {"axis", "probability", "class", "run", *MEASURES}
Role = Qt.ItemDataRole


class ResultTable(QAbstractTableModel):
    """Shows those rows of the session's table that the filter lets through, sorted.

    Rows that come while the table is sorted stand at the end until `arrange` is called.

    Attributes
    ----------
    filter : Filter
        Which rows are shown.
    sorted_by : Column or None, and descending : bool
        By what they are sorted; None: as they came.
    numbers : ndarray of intp
        The numbers of the shown rows in the session's table, from top to bottom.
    columns : list of Column
        The columns from left to right.
    runs : list of RunDetails
        The runs of these rows.
    class_count : int
        How many classes the models of these runs have; equal names count once.
    """

    def __init__(
        self, session: ViewerSession, choice: ColumnChoice, theme: Theme, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self.choice = choice
        self.filter: Filter = EVERYTHING
        self.sorted_by: Column | None = None
        self.descending = False
        self.source = TableColumns(session.table)
        self.numbers: Numbers = np.empty(0, np.intp)
        self.columns: list[Column] = []
        self.decimals = 0
        self.read_decimals()
        self.runs: list[RunDetails] = []
        self._last: tuple[int, int, Entry] | None = None  # a row with its number and the version of the table
        self._bold = QFont()
        self._bold.setBold(True)
        self.arrange()

    def _find_runs(self) -> list[RunDetails]:
        """Return the runs of the shown rows; while there are none, the last one that the filter lets through."""
        runs = self._session.table.runs
        there = np.unique(self._session.table.run_numbers[self.numbers])
        found = [runs[number - 1] for number in there]
        return found or [run for run in runs if not self.filter.runs or run.number in self.filter.runs][-1:]

    def read_decimals(self) -> None:
        """Read how many decimals the user prefers; that takes too long for each cell."""
        self.decimals = settings.preferred().decimals

    def arrange(self) -> None:
        """Filter and sort all rows, and choose the columns."""
        self.beginResetModel()
        numbers = shown(self.source, self.filter, self._session.table.numbers)
        if self.sorted_by is not None:
            numbers = ordered(self.source, numbers, self.sorted_by, self.descending)
        self.numbers = numbers
        self.runs = self._find_runs()
        self.class_count = len(class_names(self.source, self.runs))
        self.columns = shown_columns(self.source, self.runs, numbers, self.choice) if self.runs else []
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; by -1: show the rows as they came."""
        self.sorted_by = self.columns[column] if 0 <= column < len(self.columns) else None
        self.descending = order == Qt.SortOrder.DescendingOrder
        self.arrange()

    def append(self, first: int, last: int) -> bool:
        """Show new rows at the end; return False if they need other columns, so that the table has to be arranged."""
        self.source.extend()
        new = shown(self.source, self.filter, np.arange(first, last + 1))
        if not len(new):
            return True
        if not len(self.numbers) or self._session.table.run_numbers[first] not in {run.number for run in self.runs}:
            return False
        if self.source.has_regions and Column("region") not in {*self.columns, *self.choice.hidden}:
            return False
        self.beginInsertRows(NOWHERE, len(self.numbers), len(self.numbers) + len(new) - 1)
        self.numbers = np.concatenate([self.numbers, new])
        self.endInsertRows()
        return True

    def entry(self, row: int) -> Entry:
        """Return the result in a row of what is shown."""
        number, version = int(self.numbers[row]), self._session.table.version
        if self._last is None or self._last[:2] != (number, version):  # Qt asks for each cell several times
            self._last = number, version, self._session.table.entry(number)
        return self._last[2]

    def place(self, number: int) -> int | None:
        """Return in which row of what is shown a row of the session's table is."""
        found = np.flatnonzero(self.numbers == number)
        return int(found[0]) if len(found) else None

    def headings(self) -> list[str]:
        """Name the columns."""
        return [readable(heading(self.source, column, self.runs)) for column in self.columns]

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.numbers)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Role.DisplayRole:
            return readable(heading(self.source, column, self.runs))
        if role == Role.ToolTipRole:
            name, meaning = heading(self.source, column, self.runs), label(self.source, column, self.runs)
            return tip(f"{name}: {meaning}" if meaning else name)
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and self.columns[index.column()].kind == "comment":
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        if role != Role.EditRole or not index.isValid() or self.columns[index.column()].kind != "comment":
            return False
        self._session.comment(int(self.numbers[index.row()]), str(value).strip())
        return True

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        if not index.isValid():
            return None
        column = self.columns[index.column()]
        if role == Role.TextAlignmentRole:
            return RIGHT if column.kind in NUMBERS else None
        if role not in (Role.DisplayRole, Role.EditRole, Role.ToolTipRole, *_COLOURED):
            return None
        entry = self.entry(index.row())
        if role == Role.EditRole:
            return text_of(column, entry)
        if role == Role.DisplayRole:
            return cell(self.source, column, entry, self.decimals)
        return self._tip(column, entry) if role == Role.ToolTipRole else self._look(column, entry, role)

    def _tip(self, column: Column, entry: Entry) -> str:
        index = class_index(self.source, column, entry.run)
        if index is not None and entry.row.probabilities is not None:
            return tip(f"{column.name}: {entry.row.probabilities[index]}")
        if column.kind in MEASURES and not isnan(number := measured(self.source, column, entry)):
            return tip(f"{heading(self.source, column, self.runs)}: {number:.6g}")
        if column.kind == "prediction" and entry.row.remark:
            return tip(entry.row.remark)
        text = text_of(column, entry) or cell(self.source, column, entry, self.decimals)
        used = words(entry.row.intensity_range) if column.kind == "image" else ""
        return tip(f"{text}; {used}" if used else text)

    def _look(self, column: Column, entry: Entry, role: int) -> Any:
        """Mark the assigned classes and errors."""
        index = class_index(self.source, column, entry.run)
        if entry.row.failed:
            says_why = column.kind == "prediction" or (entry.run.card.task == "regression" and index == 0)
            return self._theme.readable("error", "foreground") if says_why and role == Role.ForegroundRole else None
        if index is None or index not in entry.row.assigned or role == Role.ForegroundRole:
            return None
        return self._theme.colour("current", 0.55) if role == Role.BackgroundRole else self._bold


_COLOURED = (Role.ForegroundRole, Role.BackgroundRole, Role.FontRole)

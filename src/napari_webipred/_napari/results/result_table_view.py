"""The view of the table of results."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QAction, QFont, QFontMetrics, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QAbstractItemDelegate, QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_webipred._napari.charts.bars import written
from napari_webipred._napari.results.result_table import NUMBERS, ResultTable
from napari_webipred.results.prediction import SEPARATOR
from napari_webipred.results.session_table import Numbers, RunDetails
from napari_webipred.results.table_columns import Column

IMAGE_WIDTH = 120
MOST_WIDTH = 240
SPACE = 14
UNBOUNDED = "-1.23457e+06"  # how wide numbers become that are not probabilities
MOMENT = "2000-00-00 00:00"
MOST_NAMES = 200  # are measured
MOST_RANGES = 1000  # of selected rows are selected again; more take seconds
MOST_ROWS = 200  # that a panel is high enough for
FEWEST_ROWS = 6


class ResultTableView(QTableView):
    """Shows one row per image or plane; a click on a heading sorts.

    Actions that are added to it are in its context menu, and their shortcuts work while it has the focus.

    Signals
    -------
    columns_moved : list of Column
        The user has changed the order of the columns.
    """

    columns_moved = Signal(list)

    def __init__(self, model: ResultTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fitting = False
        self.results = model
        self.setModel(model)
        self.setAccessibleName("Table of results")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self._show_font()
        header = self.horizontalHeader()
        # To paint a heading, Qt would ask each row of the selection whether it can be selected.
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.sectionMoved.connect(self._on_moved)
        header.sectionResized.connect(self._on_resized)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._show_font()
            self.fit_columns()

    def _show_font(self) -> None:
        """Make rows as high as the text, whose size the user can choose in napari."""
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)

    def fit_columns(self) -> None:
        """Make columns as wide as their headings and values, within bounds, or as the user has made them."""
        self.results.read_decimals()
        header = self.horizontalHeader()
        metrics, headings = header.fontMetrics(), self.results.headings()
        if not headings:
            return
        # Asking Qt for the width of each of a thousand columns takes ten times as long.
        around = header.sectionSizeHint(0) - metrics.horizontalAdvance(headings[0]) + 4
        self._fitting = True
        for section, (column, heading) in enumerate(zip(self.results.columns, headings, strict=True)):
            width = min(metrics.horizontalAdvance(heading[:MOST_WIDTH]) + around, MOST_WIDTH)
            width = max(width, self._needed(column, self.results.runs))
            header.resizeSection(section, self.results.choice.widths.get(column, width))
        self._fitting = False

    def _needed(self, column: Column, runs: list[RunDetails]) -> int:
        """Return how wide the values of a column are."""
        bold = QFont(self.font())
        bold.setBold(True)  # like the assigned class
        metrics = QFontMetrics(bold)
        if column.kind in ("comment", "remark", "reader_class", "reader_comment"):
            return IMAGE_WIDTH
        if column.kind in ("begun", "reader_time"):
            return int(metrics.horizontalAdvance(MOMENT) + SPACE)
        if column.kind in NUMBERS:
            unbounded = any(not run.card.has_probabilities for run in runs)
            return int(metrics.horizontalAdvance(UNBOUNDED if unbounded else written(0.0)) + SPACE)
        names = [run.card.name for run in runs]
        if column.kind != "model":
            names = self.results.source.codes(column)[1]
        if column.kind == "prediction":  # errors may be very long
            known = {name for run in runs for name in run.classes}
            names = [name for name in names if name in known or known.issuperset(name.split(SEPARATOR))]
        widest = max(map(metrics.horizontalAdvance, names[:MOST_NAMES]), default=0)
        return min(widest + SPACE, IMAGE_WIDTH)

    def show_height(self) -> None:
        """Take the space of all rows if there is so much, and of a few at least."""
        count = self.results.rowCount()
        row, few = self.verticalHeader().defaultSectionSize(), min(max(count, 2), FEWEST_ROWS)
        frame = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height() + 4
        self.setMinimumHeight(few * row + frame)
        self.setMaximumHeight(min(max(count, 2), MOST_ROWS) * row + frame)

    def selected_numbers(self) -> Numbers:
        """Return the selected rows of the session's table, in the order in which they are shown."""
        ranges = self.selectionModel().selection()
        places = [np.arange(part.top(), part.bottom() + 1) for part in ranges]
        chosen = np.unique(np.concatenate(places)) if places else np.empty(0, np.intp)
        numbers: Numbers = self.results.numbers[chosen]
        return numbers

    def select(self, numbers: Numbers, current: int | None) -> None:
        """Select rows of the session's table as far as they are shown, and make one of them the current one."""
        flags = QItemSelectionModel.SelectionFlag
        place = None if current is None else self.results.place(current)
        if place is None:
            return
        selection = QItemSelection()
        chosen = np.flatnonzero(np.isin(self.results.numbers, numbers))
        parts = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1) if len(chosen) else []
        last = self.results.columnCount() - 1
        for part in parts if len(parts) <= MOST_RANGES else []:
            selection.select(self.results.index(int(part[0]), 0), self.results.index(int(part[-1]), last))
        index = self.results.index(place, 0)
        self.selectionModel().select(selection, flags.ClearAndSelect | flags.Rows)
        self.selectionModel().setCurrentIndex(index, flags.Select | flags.Rows)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Let the current row stay visible in a table that becomes lower."""
        super().resizeEvent(event)
        row = self.currentIndex().row()
        if event is not None and 0 <= self.rowViewportPosition(row) < event.oldSize().height():
            self.make_visible(row)

    def make_visible(self, place: int) -> None:
        """Scroll to a row, and leave the columns where they are."""
        across = self.horizontalScrollBar().value()
        self.scrollTo(self.results.index(place, 0))
        self.horizontalScrollBar().setValue(across)

    def edit_comment(self) -> None:
        """Edit the comment of the current row."""
        row, comment = self.currentIndex().row(), Column("comment")
        if row < 0:
            return
        if comment not in self.results.columns:
            self.results.choice.show(comment, True)
            self.results.arrange()
            row = self.currentIndex().row()
        index = self.results.index(row, self.results.columns.index(comment))
        self.scrollTo(index)
        self.edit(index)

    def closeEditor(self, editor: QWidget | None, hint: QAbstractItemDelegate.EndEditHint) -> None:
        hints = QAbstractItemDelegate.EndEditHint
        if hint in (hints.EditNextItem, hints.EditPreviousItem):  # Tab: a row has nothing else to edit
            hint = hints.SubmitModelCache
        super().closeEditor(editor, hint)
        if hint == hints.SubmitModelCache:
            self.setFocus()  # the comment has arranged the table anew, after which Qt knows the editor no more

    @property
    def editing(self) -> bool:
        """Whether a comment is being edited."""
        return bool(self.state() == QAbstractItemView.State.EditingState)

    def event(self, event: QEvent | None) -> bool:
        """Take the keys of the actions, whatever shortcuts the window has."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and self._meant(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        if (action := self._meant(event)) is not None:
            action.trigger()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.results.rowCount():
            self._go_to_end(event)
        else:
            super().keyPressEvent(event)

    def _go_to_end(self, event: QKeyEvent) -> None:
        """Choose the first or last row, with Shift all up to it; Qt would go to the first or last column."""
        last = self.results.rowCount() - 1
        index = self.results.index(0 if event.key() == Qt.Key.Key_Home else last, 0)
        flags = QItemSelectionModel.SelectionFlag
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self.currentIndex().isValid():
            here = self.currentIndex().siblingAtColumn(0)
            ends = sorted((here, index), key=QModelIndex.row)
            self.selectionModel().select(QItemSelection(*ends), flags.Select | flags.Rows)
            self.selectionModel().setCurrentIndex(index, flags.Select | flags.Rows)
        else:
            self.setCurrentIndex(index)

    def _meant(self, event: QKeyEvent) -> QAction | None:
        if self.editing:  # Return that ends a comment must not begin another
            return None
        keys = QKeySequence(event.keyCombination())
        return next((action for action in self.actions() if keys in action.shortcuts() and action.isEnabled()), None)

    def _on_moved(self) -> None:
        if self._fitting:
            return
        header, columns = self.horizontalHeader(), self.results.columns
        order = [columns[header.logicalIndex(place)] for place in range(len(columns))]
        self._fitting = True
        for place in range(len(columns)):  # the model itself has this order now
            header.moveSection(header.visualIndex(place), place)
        self._fitting = False
        self.columns_moved.emit(order)

    def _on_resized(self, section: int, before: int, width: int) -> None:
        if not self._fitting and section < len(self.results.columns):
            self.results.choice.widths[self.results.columns[section]] = width

"""The results: the table, the chosen row, and what can be done with the rows."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred import limits
from napari_webipred._napari.label import ElidedLabel, MutedLabel
from napari_webipred._napari.result_actions import ResultActions
from napari_webipred._napari.result_detail import ResultDetail
from napari_webipred._napari.result_table import SORT_KEY, ResultTable
from napari_webipred._napari.result_table_view import ResultTableView
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.results.session_table import Entries, Entry

MOST_VISIBLE_ROWS = 6


class ResultsView(QWidget):
    """A table of all rows and a chart of the selected one.

    Signals
    -------
    chosen : Entry
        The user has selected this row.
    """

    chosen = Signal(object)

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._selecting = False
        self.model = ResultTable(session, theme, self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT_KEY)
        self.table = ResultTableView()
        self.table.setModel(self.sorted)
        self.origin = ElidedLabel()
        self.shown_classes = MutedLabel()
        self.detail = ResultDetail(session, theme)
        self.buttons = ResultActions(session, self.visible_entries, self.selected_entries, theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.origin, self.table, self.shown_classes, self.detail, self.buttons):
            layout.addWidget(widget)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.table.clicked.connect(self._on_clicked)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.buttons.copy_rows)
        session.run_changed.connect(self._show_run)
        session.rows_added.connect(self._on_rows_added)
        session.rows_changed.connect(self._on_rows_changed)
        session.run_ended.connect(self._on_rows_added)
        self._show_run()

    def _show_run(self) -> None:
        runs = self._session.table.runs
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.detail.show_entry(None)
        self.shown_classes.setVisible(bool(runs) and len(runs[-1].classes) > limits.SHOWN_CLASSES)
        values = bool(runs) and runs[-1].card.task == "regression"
        for column in range(self.model.columnCount()):
            hidden = values and column == self.model.class_column
            if self.table.isColumnHidden(column) != hidden:
                self.table.setColumnHidden(column, hidden)
        if runs:
            self.origin.setText(f"Model: {runs[-1].card.name}")
            self.shown_classes.setText(_shown_classes(len(runs[-1].classes)))
            self.table.fit_columns(runs[-1], self.model.headings())
            self._on_rows_added()

    @property
    def chosen_entry(self) -> Entry | None:
        """The row that the chart shows."""
        index = self.table.currentIndex()
        return self.model.entry(self.sorted.mapToSource(index)) if index.isValid() else None

    def selected_entries(self) -> Entries:
        """Return the selected rows in the order in which they are shown."""
        return self._entries(self.table.selectionModel().selectedRows())

    def visible_entries(self) -> Entries:
        """Return the rows in the order in which they are shown."""
        return self._entries([self.sorted.index(i, 0) for i in range(self.sorted.rowCount())])

    def _entries(self, indices: list[QModelIndex]) -> Entries:
        numbers = [self.model.number(self.sorted.mapToSource(index)) for index in indices]
        return Entries(self._session.table, np.array(numbers, np.intp))

    def select_row(self, number: int) -> None:
        """Select a row that the viewer shows already."""
        index = self.sorted.mapFromSource(self.model.index_of(number))
        if not index.isValid() or index.row() == self.table.currentIndex().row():
            return
        self._selecting = True
        self.table.setCurrentIndex(index)
        self._selecting = False

    def _on_rows_added(self) -> None:
        rows = min(max(self.model.rowCount(), 2), MOST_VISIBLE_ROWS)
        height = self.table.verticalHeader().defaultSectionSize()
        frame = self.table.horizontalHeader().height() + self.table.horizontalScrollBar().sizeHint().height() + 4
        self.table.setFixedHeight(rows * height + frame)
        if self.sorted.rowCount() and not self.table.currentIndex().isValid():
            self._selecting = True
            self.table.setCurrentIndex(self.sorted.index(0, 0))
            self._selecting = False

    def _on_rows_changed(self) -> None:
        self._on_rows_added()
        self.detail.show_entry(self.chosen_entry)

    def _on_current(self, index: QModelIndex) -> None:
        self.detail.show_entry(self.chosen_entry)
        if self.chosen_entry is not None and not self._selecting:
            self.chosen.emit(self.chosen_entry)

    def _on_clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(self.chosen_entry)


def _shown_classes(classes: int) -> str:
    """Say which of very many classes are shown."""
    return (
        f"The model has {classes:,} classes. The table shows the first {limits.SHOWN_CLASSES:,}. "
        f"The chart shows those with the highest values. The CSV file has all classes."
    )

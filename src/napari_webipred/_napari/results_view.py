"""The results: table, chart, and buttons to save, copy and clear them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeySequence, QShortcut
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from napari_webipred import limits
from napari_webipred._napari.button import Button
from napari_webipred._napari.chart import Chart, ordered
from napari_webipred._napari.label import ElidedLabel, MutedLabel
from napari_webipred._napari.message import Message
from napari_webipred._napari.question import Answer, ask
from napari_webipred._napari.result_bars import bars_of
from napari_webipred._napari.result_files import tab_separated, write_csv
from napari_webipred._napari.result_table import SORT_KEY, ResultTable
from napari_webipred._napari.result_table_view import ResultTableView
from napari_webipred._napari.run import Run
from napari_webipred._napari.task import Task
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.errors import OptionError
from napari_webipred.results.row import Row

ORDERS = {"model": "Model order", "descending": "Descending", "ascending": "Ascending"}
MOST_VISIBLE_ROWS = 6
MOST_VISIBLE_BARS = 9


class ResultsView(QWidget):
    """A table of all rows and a chart of the selected one.

    Signals
    -------
    chosen : Row
        The user has selected this row.
    """

    chosen = Signal(object)

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        self._copying: Task | None = None
        self._saving: tuple[Run, Callable[[], None]] | None = None
        self._selecting = False
        self.model = ResultTable(session, theme, self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT_KEY)
        self.table = ResultTableView()
        self.table.setModel(self.sorted)
        self.origin = ElidedLabel()
        self.shown_classes = MutedLabel()
        self.name = ElidedLabel()
        self.order = QComboBox()
        for order, words in ORDERS.items():
            self.order.addItem(words, order)
        self.order.setToolTip("Order of the bars. The table always has the order of the model.")
        self.order.setAccessibleName("Order of the bars")
        self.chart = Chart(theme)
        self.chart_area = QScrollArea()
        self.chart_area.setWidget(self.chart)
        self.chart_area.setWidgetResizable(True)
        self.chart_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.chart_area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.error = Message(theme)
        self.remark = Message(theme)
        self.message = Message(theme)
        self.save = Button("Save CSV…")
        self.save.setToolTip("Save all rows as a CSV file, with a run record (.csv.json)")
        self.copy = Button("Copy")
        self.copy.setToolTip("Copy all rows for a spreadsheet")
        self.clear = Button("Clear")
        self.clear.setToolTip("Discard these results. Asks first if they are not saved.")
        self._lay_out()
        self.order.currentIndexChanged.connect(self._show_row)
        self.save.clicked.connect(lambda: self._save(_nothing))
        self.copy.clicked.connect(self._on_copy)
        self.clear.clicked.connect(lambda: self.discard_rows(self._session.clear_run))
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.table.clicked.connect(self._on_clicked)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self._on_copy)
        session.run_changed.connect(self._show_run)
        session.rows_added.connect(self._on_rows_added)
        session.run_ended.connect(self._on_rows_added)
        self._show_run()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.name, 1)
        top.addWidget(self.order)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save, 2)
        buttons.addWidget(self.copy, 1)
        buttons.addWidget(self.clear, 1)
        self.detail = QWidget()
        detail = QVBoxLayout(self.detail)
        detail.setContentsMargins(0, 0, 0, 0)
        detail.setSpacing(4)
        detail.addLayout(top)
        detail.addWidget(self.chart_area)
        detail.addWidget(self.error)
        detail.addWidget(self.remark)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.origin, self.table, self.shown_classes, self.detail):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self.message)

    def _show_run(self) -> None:
        run = self._session.run
        self.message.clear()
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.detail.hide()
        self.shown_classes.setVisible(run is not None and len(run.classes) > limits.SHOWN_CLASSES)
        values = run is not None and run.card.task == "regression"
        for column in range(self.model.columnCount()):
            hidden = values and column == self.model.class_column
            if self.table.isColumnHidden(column) != hidden:
                self.table.setColumnHidden(column, hidden)
        if run is not None:
            self.origin.setText(f"Model: {run.card.name}")
            self.shown_classes.setText(_shown_classes(len(run.classes)))
            self.table.fit_columns(run, self.model.headings())
            self._on_rows_added()

    @property
    def chosen_row(self) -> Row | None:
        """The row that the chart shows."""
        index = self.table.currentIndex()
        return self.model.row(self.sorted.mapToSource(index)) if index.isValid() else None

    def select_row(self, row: Row) -> None:
        """Select a row that the viewer shows already."""
        run = self._session.run
        if run is None or row is self.chosen_row:
            return
        index = self.sorted.mapFromSource(self.model.index(run.rows.index(row), 0))
        self._selecting = True
        self.table.setCurrentIndex(index)
        self._selecting = False

    def _on_rows_added(self) -> None:
        run = self._session.run
        if run is None:
            return
        rows = min(max(len(run.rows), 2), MOST_VISIBLE_ROWS)
        height = self.table.verticalHeader().defaultSectionSize()
        frame = self.table.horizontalHeader().height() + self.table.horizontalScrollBar().sizeHint().height() + 4
        self.table.setFixedHeight(rows * height + frame)
        for button in (self.save, self.copy, self.clear):
            button.setEnabled(not run.running and bool(run.rows))
        if run.rows and not self.table.currentIndex().isValid():
            self._selecting = True
            self.table.setCurrentIndex(self.sorted.index(0, 0))
            self._selecting = False

    def _on_current(self, index: QModelIndex) -> None:
        self._show_row()
        row = self.chosen_row
        if row is not None and not self._selecting:
            self.chosen.emit(row)

    def _on_clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(self.model.row(self.sorted.mapToSource(index)))

    def _show_row(self) -> None:
        run, row = self._session.run, self.chosen_row
        self.detail.setVisible(row is not None)
        if run is None or row is None:
            return
        place = ", ".join(f"{axis} {i}" for axis, i in row.position.items())
        self.name.setText(f"{row.image} · {place}" if place else row.image)
        self.chart_area.setVisible(not row.failed)
        self.order.setVisible(not row.failed)
        self.error.clear()
        self.remark.clear()
        if row.probabilities is None:
            self.error.show_error(OptionError(row.error))
            return
        if row.remark:
            self.remark.show_note(row.remark)
        bars = bars_of(run, row)
        self.order.setVisible(len(bars) > 1)
        self.chart.show_bars(ordered(bars, self.order.currentData()))
        lines = min(len(bars), MOST_VISIBLE_BARS) + 1
        self.chart_area.setFixedHeight(lines * self.chart.line_height() + 4)

    def _on_copy(self) -> None:
        run = self._session.run
        if run is None:
            return
        rows = [run.rows[self.sorted.mapToSource(self.sorted.index(i, 0)).row()] for i in range(self.sorted.rowCount())]
        self._copying = Task(tab_separated(rows, run))
        self._copying.done.connect(QGuiApplication.clipboard().setText)
        self._copying.failed.connect(self.message.show_error)
        self._copying.start()

    def discard_rows(self, then: Callable[[], None]) -> None:
        """Call `then`, which discards the rows; ask first if they are not saved.

        The answer is not waited for. Rows that the user wants to save are discarded only when they are saved.
        """
        run = self._session.run
        if run is None or not run.unsaved:
            then()
            return
        if self._saving is not None:  # the user has chosen to save; `then` waits for that
            self._saving = run, then
            return
        count = "1 row is" if len(run.rows) == 1 else f"{len(run.rows)} rows are"
        answers = [Answer("Save…", lambda: self._save(then)), Answer("Discard", then, destroys=True)]
        ask(self, "Results not saved", f"{count} not saved.", "Save the results before discarding them?", answers)

    def _save(self, then: Callable[[], None]) -> None:
        """Ask for a file, write all rows in a background thread, and call `then` if that succeeds."""
        run = self._session.run
        if run is None or self._saving is not None:
            return
        suggested = f"{run.card.id}-{datetime.now():%Y-%m-%d}.csv"
        name, _ = QFileDialog.getSaveFileName(self, "Save results", suggested, "CSV (*.csv)")
        if not name:
            return
        self._saving = run, then
        self._task = Task(write_csv(Path(name), run))
        self._task.done.connect(self._on_saved)
        self._task.failed.connect(self._on_not_saved)
        self._task.start()

    def _on_saved(self, path: Path) -> None:
        assert self._saving is not None
        (run, then), self._saving = self._saving, None
        run.saved = True
        self.message.show_note(f"Saved {path.name}.", f"{path.name}.json contains the run record.")
        then()

    def _on_not_saved(self, error: Exception) -> None:
        self._saving = None
        self.message.show_error(error)


def _shown_classes(classes: int) -> str:
    """Say which of very many classes are shown."""
    return (
        f"The model has {classes:,} classes. The table shows the first {limits.SHOWN_CLASSES:,} and the chart the "
        f"{limits.SHOWN_CLASSES:,} with the highest values. The CSV file has all classes."
    )


def _nothing() -> None:
    """Leave the rows where they are."""

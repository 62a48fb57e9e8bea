"""What can be done with the rows: save, copy, clear; and the messages about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from qtpy.QtGui import QAction, QGuiApplication
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_webipred._napari.results.result_files import FILTER, copied, save_rows
from napari_webipred._napari.results.save_menu import SaveMenu
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.question import Answer, ask
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.results.session_table import Entries, Entry


class ResultActions(QWidget):
    """Buttons below the table.

    Parameters
    ----------
    shown, selected : callable
        Return the rows that the table shows, and those of them that are selected, in the order of the table.
    autosave : QAction
        See `SaveMenu`.
    """

    def __init__(
        self,
        session: ViewerSession,
        shown: Callable[[], Entries],
        selected: Callable[[], Entries],
        autosave: QAction,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = shown
        self._selected = selected
        self._theme = theme
        self._task: Task | None = None
        self._copying: Task | None = None
        self._saving: tuple[Entries, Callable[[], None]] | None = None
        self._changed_since = False
        self.message = Message(theme)
        self.save = Button("Save…")
        self.save.setToolTip("Save rows as CSV, TSV or Excel, with a run record")
        self.menu = SaveMenu(self.save, autosave)
        self.evaluate = Button("Evaluate…")
        self.evaluate.setToolTip("Compare the rows with their true classes: metrics, intervals and figures")
        self.review = Button("Review…")
        self.review.setToolTip("Look at one image after the other, and say whether its class is right")
        self.copy = Button("Copy")
        self.copy.setToolTip("Copy all rows that are shown, with a header, for a spreadsheet. Ctrl+C: selected rows")
        self.clear = Button("Clear")
        self.clear.setToolTip("Delete all rows. “Undo” brings them back")
        buttons = WrappingRow([self.save, self.review, self.evaluate, self.copy, self.clear])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        self.menu.opening.connect(self._count)
        self.menu.all.triggered.connect(lambda: self._save(self._all()))
        self.menu.selected.triggered.connect(lambda: self._save(selected()))
        self.menu.shown.triggered.connect(lambda: self._save(shown()))
        self.menu.report.triggered.connect(lambda: self._report(shown()))
        self.menu.copy.triggered.connect(lambda: self._copy(selected(), header=True))
        self.copy.clicked.connect(lambda: self._copy(shown(), header=True))
        session.run_changed.connect(self.message.clear)
        session.rows_changed.connect(self._on_rows_changed)
        session.row_read.connect(self._on_rows_changed)
        for signal in (session.run_changed, session.rows_added, session.rows_changed, session.run_ended):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        rows = len(self._session.table.numbers) > 0
        self.save.setEnabled(rows)
        self.copy.setEnabled(rows)
        self.review.setEnabled(rows)
        self.evaluate.setEnabled(rows)
        self.clear.setEnabled(rows and not self._session.running)

    def _count(self) -> None:
        self.menu.count(len(self._session.table.numbers), len(self._selected()), len(self._shown()))

    def _all(self) -> Entries:
        return Entries(self._session.table, self._session.table.numbers)

    @property
    def is_saving(self) -> bool:
        """Whether rows are being saved."""
        return self._saving is not None

    def copy_rows(self) -> None:
        """Copy the selected rows for a spreadsheet, without a header."""
        self._copy(self._selected(), header=False)

    def _copy(self, entries: Entries, header: bool) -> None:
        if not entries:
            return
        self._copying = Task(copied(entries, header))
        self._copying.done.connect(QGuiApplication.clipboard().setText)
        self._copying.failed.connect(self.message.show_error)
        self._copying.start()

    def discard_rows(self, then: Callable[[], None]) -> None:
        """Call `then`, which discards the rows; ask first if they are not saved.

        The answer is not waited for. Rows that the user wants to save are discarded only when they are saved.
        """
        if self._saving is not None:  # `then` waits for that
            self._saving = self._saving[0], partial(self.discard_rows, then)
            return
        unsaved = self._session.table.unsaved
        if not unsaved:
            then()
            return
        count = "1 row is" if unsaved == 1 else f"{unsaved} rows are"
        save = partial(self._save, self._all(), partial(self.discard_rows, then))
        answers = [Answer("Save…", save), Answer("Discard", then, destroys=True)]
        ask(self, "Results not saved", f"{count} not saved.", "Save the results before discarding them?", answers)

    def _save(self, entries: Entries, then: Callable[[], None] | None = None) -> None:
        """Ask for a file, write rows in a background thread, and call `then` if that succeeds."""
        if not entries or self._saving is not None:
            return
        name, kind = QFileDialog.getSaveFileName(self, "Save rows", _suggested(entries), FILTER)
        if not name:
            return
        self._saving = entries, then or _nothing
        self._changed_since = False
        self._task = Task(save_rows(Path(name), entries, dict(self._session.stopped), kind))
        self._task.done.connect(self._on_saved)
        self._task.failed.connect(self._on_not_saved)
        self._task.start()

    def _report(self, entries: Entries) -> None:
        """Open the dialog that saves or sends a report of these rows."""
        from napari_webipred._napari.reports.report_dialog import ReportDialog

        if not entries:
            return
        dialog = ReportDialog(entries, self._session.maps.sources.sources, self._theme, self.window())
        dialog.saved.connect(self.message.show_note)
        dialog.show()

    def _on_rows_changed(self) -> None:
        self._changed_since = True

    def _on_saved(self, path: Path) -> None:
        assert self._saving is not None
        (entries, then), self._saving = self._saving, None
        count = f"{len(entries)} row{'s' * (len(entries) != 1)}"
        if self._changed_since:  # they may be in the file as they were before
            self.message.show_note(f"Saved {count} to {path.name}.", "Rows were changed meanwhile. Save them again.")
            return
        self._session.mark_saved(entries.numbers)
        self.message.show_note(f"Saved {count} to {path.name}.", f"{path.name}.json contains the run record.")
        then()

    def _on_not_saved(self, error: Exception) -> None:
        self._saving = None
        self.message.show_error(error)


def _suggested(entries: Sequence[Entry]) -> str:
    """Propose a name for a file of these rows."""
    first, last = entries[0].run, entries[-1].run
    return f"{first.card.id if first.card.id == last.card.id else 'results'}-{datetime.now():%Y-%m-%d}.csv"


def _nothing() -> None:
    """Leave the rows where they are."""

"""What can be done with the rows: save, copy, clear; and the messages about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.button import Button
from napari_webipred._napari.message import Message
from napari_webipred._napari.question import Answer, ask
from napari_webipred._napari.result_files import tab_separated, write_csv
from napari_webipred._napari.task import Task
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.results.session_table import Entry


class ResultActions(QWidget):
    """Buttons below the table.

    Parameters
    ----------
    entries : callable
        Returns the rows in the order in which the table shows them.
    """

    def __init__(
        self,
        session: ViewerSession,
        entries: Callable[[], Sequence[Entry]],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._entries = entries
        self._task: Task | None = None
        self._copying: Task | None = None
        self._saving: tuple[list[int], Callable[[], None]] | None = None
        self.message = Message(theme)
        self.save = Button("Save CSV…")
        self.save.setToolTip("Save all rows as a CSV file, with a run record (.csv.json)")
        self.copy = Button("Copy")
        self.copy.setToolTip("Copy all rows for a spreadsheet")
        self.clear = Button("Clear")
        self.clear.setToolTip("Delete all rows. Asks first if they are not saved.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.save, 2)
        buttons.addWidget(self.copy, 1)
        buttons.addWidget(self.clear, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        self.save.clicked.connect(lambda: self._save(_nothing))
        self.copy.clicked.connect(self.copy_rows)
        self.clear.clicked.connect(lambda: self.discard_rows(self._delete_all))
        session.run_changed.connect(self.message.clear)
        for signal in (session.run_changed, session.rows_added, session.rows_changed, session.run_ended):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        run = self._session.run
        for button in (self.save, self.copy, self.clear):
            button.setEnabled(run is not None and not run.running and len(self._session.table.numbers) > 0)

    def copy_rows(self) -> None:
        """Copy all rows for a spreadsheet."""
        entries = self._entries()
        if not entries:
            return
        self._copying = Task(tab_separated(entries))
        self._copying.done.connect(QGuiApplication.clipboard().setText)
        self._copying.failed.connect(self.message.show_error)
        self._copying.start()

    def discard_rows(self, then: Callable[[], None]) -> None:
        """Call `then`, which discards the rows; ask first if they are not saved.

        The answer is not waited for. Rows that the user wants to save are discarded only when they are saved.
        """
        unsaved = self._session.table.unsaved
        if not unsaved:
            then()
            return
        if self._saving is not None:  # the user has chosen to save; `then` waits for that
            self._saving = self._saving[0], then
            return
        count = "1 row is" if unsaved == 1 else f"{unsaved} rows are"
        answers = [Answer("Save…", lambda: self._save(then)), Answer("Discard", then, destroys=True)]
        ask(self, "Results not saved", f"{count} not saved.", "Save the results before discarding them?", answers)

    def _save(self, then: Callable[[], None]) -> None:
        """Ask for a file, write all rows in a background thread, and call `then` if that succeeds."""
        numbers = self._session.table.numbers.tolist()
        if not numbers or self._saving is not None:
            return
        entries = [self._session.table.entry(number) for number in numbers]
        suggested = f"{entries[0].run.card.id}-{datetime.now():%Y-%m-%d}.csv"
        name, _ = QFileDialog.getSaveFileName(self, "Save results", suggested, "CSV (*.csv)")
        if not name:
            return
        self._saving = numbers, then
        run = self._session.run
        self._task = Task(write_csv(Path(name), entries, str(run.error) if run is not None and run.error else ""))
        self._task.done.connect(self._on_saved)
        self._task.failed.connect(self._on_not_saved)
        self._task.start()

    def _on_saved(self, path: Path) -> None:
        assert self._saving is not None
        (numbers, then), self._saving = self._saving, None
        self._session.mark_saved(numbers)
        self.message.show_note(f"Saved {path.name}.", f"{path.name}.json contains the run record.")
        then()

    def _delete_all(self) -> None:
        self._session.delete(self._session.table.numbers)

    def _on_not_saved(self, error: Exception) -> None:
        self._saving = None
        self.message.show_error(error)


def _nothing() -> None:
    """Leave the rows where they are."""

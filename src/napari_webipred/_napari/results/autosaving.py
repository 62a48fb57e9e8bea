"""Autosave in the menu: asks for a file, and says what becomes of the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import QObject
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.message import Message
from napari_webipred.names import readable

LONGEST = 30  # characters of a name that are shown
FILTER = "CSV (*.csv);;TSV, separated by tabs (*.tsv)"


class Autosaving(QObject):
    """Turns autosave on and off; the choice is kept for all runs of the viewer.

    Parameters
    ----------
    message : callable
        Returns where to say what becomes of the rows.

    Attributes
    ----------
    action : QAction
        Checked while autosave is on.
    """

    def __init__(self, session: ViewerSession, message: Callable[[], Message], parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._message = message
        self._parent = parent
        self.action = action = QAction(self)
        action.setToolTip("Save each row as soon as it is finished. Asks once for a file")
        self._told: Exception | None = None
        action.setCheckable(True)
        self._show_state()
        action.triggered.connect(self._on_triggered)
        session.rows_added.connect(self._on_rows)
        session.run_ended.connect(self._on_ended)

    def _on_triggered(self, wanted: bool) -> None:
        name = self._ask() if wanted else ""
        path = Path(name) if name else None
        if path is not None and not path.suffix:  # of the completed name, the dialog has not asked
            self._session.destination.choose(path.with_name(f"{path.name}.csv"), may_replace=False)
        else:
            self._session.destination.choose(path)
        self._show_state()
        path = self._session.destination.path
        if path is not None:
            hint = "Every row is written as soon as it is finished. Each further run gets its own file beside it."
            self._message().show_note(f"Autosave to {path.name} is on.", hint)
        elif not wanted:
            self._message().show_note("Autosave is off.", "Rows that are written already stay in their file.")

    def _show_state(self) -> None:
        path = self._session.destination.path
        name = "" if path is None else readable(path.name, LONGEST).replace("&", "&&")
        self.action.setText(f"Autosave to {name}" if name else "Autosave…")
        self.action.setChecked(path is not None)

    def _ask(self) -> str:
        suggested = f"autosave-{datetime.now():%Y-%m-%d}.csv"
        name, _ = QFileDialog.getSaveFileName(self._parent, "Autosave rows to", suggested, FILTER)
        return str(name)

    def _on_rows(self) -> None:
        """Say at once why rows cannot be written."""
        run = self._session.run
        if run is not None and run.autosave.error is not None and run.autosave.error is not self._told:
            self._told = run.autosave.error
            self._message().show_error(self._told)

    def _on_ended(self) -> None:
        self._on_rows()
        run = self._session.run
        if run is None or run.autosave.path is None or run.autosave.error is not None or not run.autosave.written:
            return
        count = f"{run.autosave.written} row{'s' * (run.autosave.written != 1)}"
        self._message().show_note(
            f"Autosaved {count} to {run.autosave.path.name}.", f"{run.autosave.path.name}.json contains the run record."
        )
        if run.autosave.written == len(run.rows):
            self._session.mark_unchanged_saved(run.details)

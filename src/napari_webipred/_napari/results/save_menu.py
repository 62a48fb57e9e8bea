"""The menu of the button *Save…*."""

from __future__ import annotations

from qtpy.QtCore import QObject, QPoint, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu

from napari_webipred._napari.widgets.button import Button


class SaveMenu(QObject):
    """Opens below a button, and stays open while the program goes on.

    Parameters
    ----------
    autosave : QAction
        Turns autosave on and off.

    Signals
    -------
    opening
        The menu is about to be shown: now is the time for `count`.
    """

    opening = Signal()

    def __init__(self, button: Button, autosave: QAction) -> None:
        super().__init__(button)
        self._button = button
        self.menu = QMenu(button)
        self.menu.setToolTipsVisible(True)
        self.all = self._add("Save all rows…", "Save the rows of all runs, also those that a filter hides")
        self.selected = self._add("Save selected rows…", "Save the rows that are selected in the table")
        self.shown = self._add("Save filtered rows…", "Save the rows that the filter shows, in the order of the table")
        self.autosave = autosave
        self.menu.addAction(autosave)
        self.report = self._add("Report…", "A page for people, or DICOM SR or FHIR for a patient's record")
        self.menu.addSeparator()
        self.save_session = self._add("Save session…", "Save all runs and settings, but no pixels, to go on later")
        self.open_session = self._add("Open session…", "Add the runs of a saved session to the table")
        self.menu.addSeparator()
        self.copy = self._add("Copy selected rows with header", "Copy them for a spreadsheet. Ctrl+C copies no header")
        self._code = self.menu.addMenu("Copy run as code")
        self._code.setToolTipsVisible(True)
        self.python_layers = self._add(
            "Python for the open layers", "Classifies the layers as this run did, in napari's console", self._code
        )
        self.python_files = self._add(
            "Python for the files", "Classifies the files of the layers, in a script or notebook", self._code
        )
        self.shell_files = self._add("Shell command for the files", "Classifies the files in a terminal", self._code)
        button.clicked.connect(self.open)

    def open(self) -> None:
        """Show the menu below its button."""
        self.opening.emit()
        self.menu.popup(self._button.mapToGlobal(QPoint(0, self._button.height())))

    def count(self, all_rows: int, selected: int, shown: int) -> None:
        """Say how many rows each item is about, and disable those that are about none or all."""
        for action, words, count in (
            (self.all, "Save all rows", all_rows),
            (self.selected, "Save selected rows", selected),
            (self.shown, "Save filtered rows", shown),
            (self.copy, "Copy selected rows with header", selected),
        ):
            dots = "" if action is self.copy else "…"
            action.setText(f"{words} ({count:,}){dots}" if count else f"{words}{dots}")
            action.setEnabled(count > 0 and (action is not self.shown or shown < all_rows))

    def _add(self, words: str, tip: str, menu: QMenu | None = None) -> QAction:
        action = (menu or self.menu).addAction(words)
        action.setToolTip(tip)
        return action

"""The progress of a task."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.tab_order import tab_in_place

STEPS = 1000


class ProgressLine(QWidget):
    """A progress bar with a text and a Cancel button; hidden while nothing is reported, and empty before.

    Signals
    -------
    cancelled
        The user has clicked Cancel.
    """

    cancelled = Signal()

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._what = what
        self.hide()

    def _fill(self) -> None:
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(f"Progress of {self._what}")
        self.words = MutedLabel()
        self.cancel = Button("Cancel")
        self.cancel.setToolTip(f"Stop {self._what}")
        self.cancel.clicked.connect(self.cancelled)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.bar, 1)
        line.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(line)
        layout.addWidget(self.words)
        tab_in_place(self)

    def report(self, words: str, done: int = 0, total: int | None = None, seconds_left: float | None = None) -> None:
        """Show the progress; with a total of None or 0, the bar is indeterminate."""
        if self.layout() is None:
            self._fill()
        self.bar.setUpdatesEnabled(False)  # else the whole window would be painted at once, and then again
        self.bar.setRange(0, STEPS if total else 0)
        self.bar.setValue(round(STEPS * done / total) if total else 0)
        self.bar.setUpdatesEnabled(True)
        self.words.setText(words if seconds_left is None else f"{words}, {duration(seconds_left)} left")
        self.show()


def duration(seconds: float) -> str:
    """Format a duration: ``about 5 s``, ``about 3 min``."""
    if seconds < 1:
        return "less than 1 s"
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"

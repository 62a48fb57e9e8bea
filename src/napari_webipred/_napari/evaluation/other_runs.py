"""The other runs that a run is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QCheckBox, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.wrapped_text import beside_words


class _RunBox(QCheckBox):
    """Shows as much of its words as there is space for: their beginning and their end."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self.setAccessibleName(words)
        self.setToolTip(tip(words))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        room = max(self.width() - beside_words(self), 0)
        shown = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideMiddle, room)
        self.setText(shown.replace("&", "&&"))


class OtherRuns(QWidget):
    """A check box for each.

    Signals
    -------
    changed
        Others are chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[int, _RunBox] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(3)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the chosen runs, the first run first."""
        return sorted(number for number, box in self.boxes.items() if box.isChecked())

    def offer(self, runs: Sequence[tuple[str, int]]) -> None:
        """Offer runs, each with its number; chosen ones stay chosen, and the first is if none was."""
        before = self.numbers
        for box in self.boxes.values():
            self._column.removeWidget(box)
            box.hide()
            box.deleteLater()
        self.boxes = {}
        chosen = [number for _, number in runs if number in before] or [number for _, number in runs[:1]]
        for words, number in runs:
            box = _RunBox(words)
            box.setChecked(number in chosen)
            box.toggled.connect(self.changed)
            self._column.addWidget(box)
            self.boxes[number] = box

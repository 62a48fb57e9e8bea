"""The field that finds one of many classes."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.widgets.class_search import ClassSearch


class FindClass(ClassSearch):
    """Return takes the first class that is found; Escape leaves the field. No key of it reaches the review.

    Signals
    -------
    left
        The keyboard is to go back to the review.
    """

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Find a class")
        self.setAccessibleName("Find a class")
        self.setToolTip("Type a part of a class name, then choose the class (F)")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        super().keyPressEvent(event)
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            event.accept()

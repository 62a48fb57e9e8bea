"""The comment of a reader on an image."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_webipred.results.session_schema import LONGEST


class CommentField(QLineEdit):
    """Return, Escape or leaving the field ends the comment; no key of it reaches the review.

    Signals
    -------
    ended : bool
        The comment is written; True if the keyboard is to go back to the review.
    """

    ended = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMaxLength(LONGEST)
        self.setPlaceholderText("Comment")
        self.setAccessibleName("Comment on this image")
        self.setToolTip("It is kept with your answer (C)")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            event.accept()
            self.ended.emit(True)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self.ended.emit(False)

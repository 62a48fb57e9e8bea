"""What is seen of the row under review, and its buttons."""

from __future__ import annotations

from typing import Protocol

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari.review.class_list import ClassList
from napari_webipred._napari.review.comment_field import CommentField
from napari_webipred._napari.review.find_class import FindClass
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow

HINT = "Keys: Enter or A agree, 1 to 9 class, U unsure, S skip, Left back, C comment, F find, Ctrl+Z undo, Esc leave"
ELSEWHERE = "The keyboard is elsewhere. Click here to review by keys again."


class View(Protocol):
    """What answers: `ReviewView`, and the view that labels for own classes."""

    def choose(self, index: int) -> None: ...
    def confirm(self) -> None: ...
    def unsure(self) -> None: ...
    def skip(self) -> None: ...
    def back(self) -> None: ...
    def undo(self) -> None: ...
    def setFocus(self) -> None: ...


class ReviewForm(QWidget):
    """The widgets of the review from top to bottom; what they do is in `ReviewView`."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.where = ElidedLabel()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Share of rows with an answer")
        self.progress.setFixedHeight(6)
        self.counts = MutedLabel()
        self.name = ElidedLabel()
        self.message = Message(theme)
        self.verdict = ElidedLabel()
        self.answer = ElidedLabel()
        self.find = FindClass()
        self.list = ClassList()
        self.agree = MainButton("Agree", theme)
        self.unsure = _button("Unsure", "I have looked and do not know (U)")
        self.skip = _button("Skip", "Go to the next row without an answer (S, right arrow)")
        self.back = _button("Back", "Go back to the row before (left arrow)")
        self.undo = _button("Undo", "Take back the last answer and go to its row (Ctrl+Z)")
        self.leave = _button("Leave", "Back to the table. All answers are kept (Esc)")
        self.comment = CommentField()
        self.hint = MutedLabel(HINT)
        self.end = MutedLabel()
        self.again = _button("Review skipped rows", "Go to the first row without an answer")
        self.row = QWidget()
        self._lay_out()

    def serve(self, view: View) -> None:
        """Let what is chosen and pressed do what the view has for it."""
        self.list.chosen.connect(view.choose)
        self.find.found.connect(view.choose)
        self.find.left.connect(view.setFocus)
        self.agree.clicked.connect(view.confirm)
        self.unsure.clicked.connect(view.unsure)
        self.skip.clicked.connect(view.skip)
        self.back.clicked.connect(view.back)
        self.undo.clicked.connect(view.undo)

    def _lay_out(self) -> None:
        top, row, below = QHBoxLayout(), QVBoxLayout(self.row), QVBoxLayout(self)
        top.addWidget(self.where, 1)
        top.addWidget(self.leave)
        for widget in (self.name, self.message, self.verdict, self.answer, self.find, self.list):
            row.addWidget(widget)
        self.agree.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row.addLayout(WrappingRow([self.agree, self.unsure], last_at_end=False))
        row.addWidget(self.comment)
        moves = WrappingRow([self.back, self.skip, self.undo, self.again], last_at_end=False)
        for layout in (row, below):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(5)
        below.addLayout(top)
        below.addWidget(self.progress)
        below.addWidget(self.counts)
        below.addWidget(self.row)
        below.addWidget(self.end)
        below.addLayout(moves)
        below.addWidget(self.hint)


def _button(words: str, tip: str) -> Button:
    button = Button(words)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keyboard with the review
    return button

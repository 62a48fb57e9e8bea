"""What is asked before a review begins."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from napari_webipred._napari.review.review_choice import ReviewChoice
from napari_webipred._napari.widgets.button import Button, MainButton
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapped_text import WrappedText
from napari_webipred._napari.widgets.wrapping_row import WrappingRow

MOST_SEED = 2**31 - 1


class ReviewStart(QWidget):
    """Says how many rows there are, and asks whether predictions are hidden and the order is shuffled.

    Signals
    -------
    started
        The review is to begin.
    left
        It is not.
    """

    started = Signal()
    left = Signal()

    def __init__(self, choice: ReviewChoice, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choice = choice
        self.words = ElidedLabel()
        self.why = MutedLabel(
            "Look at the images of the rows that the table shows, one after the other, and say which class each has. "
            "The review begins with the first row that has no answer."
        )
        self.blind = QCheckBox("Hide predictions until I have answered")
        WrappedText(self.blind)
        self.blind.setToolTip("Class, probabilities, name and maps of an image are hidden until it has an answer")
        self.shuffled = QCheckBox("Shuffle rows")
        self.shuffled.setToolTip("Show the rows in an order that tells nothing; the same seed gives the same order")
        self.seed = QSpinBox()
        self.seed.setRange(0, MOST_SEED)
        self.seed.setPrefix("seed ")
        self.seed.setAccessibleName("Seed of the order")
        self.start = MainButton("Start", theme)
        self.start.setToolTip("Begin with the first row that has no answer")
        self.leave = Button("Cancel")
        self.leave.setToolTip("Back to the table (Esc)")
        shuffling, buttons = WrappingRow([self.shuffled, self.seed], False), QHBoxLayout()
        buttons.addWidget(self.start)
        buttons.addWidget(self.leave)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in (self.words, self.why, self.blind):
            layout.addWidget(widget)
        layout.addLayout(shuffling)
        layout.addLayout(buttons)
        self.blind.toggled.connect(self._on_changed)
        self.shuffled.toggled.connect(self._on_changed)
        self.seed.valueChanged.connect(self._on_changed)
        self.start.clicked.connect(self.started)
        self.leave.clicked.connect(self.left)

    def show_count(self, rows: int, answered: int) -> None:
        """Say how many rows there are to review, and show what was chosen last."""
        choice = self._choice
        blind, shuffled, seed = choice.blind, choice.shuffled, choice.seed
        self.blind.setChecked(blind)
        self.shuffled.setChecked(shuffled)
        self.seed.setValue(seed)
        self.seed.setEnabled(shuffled)
        done = f" · {answered:,} with an answer" if answered else ""
        self.words.setText(f"Review {rows:,} row{'s' * (rows != 1)}{done}")
        self.start.setEnabled(rows > 0)

    def _on_changed(self) -> None:
        self._choice.blind = self.blind.isChecked()
        self._choice.shuffled = self.shuffled.isChecked()
        self._choice.seed = self.seed.value()
        self.seed.setEnabled(self.shuffled.isChecked())

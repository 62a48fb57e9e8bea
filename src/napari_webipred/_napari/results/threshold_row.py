"""The threshold of a run of a multi-label model, to be moved after the run."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred.card import ModelCard

STEPS = 100  # of the slider
NUMBER = 110  # pixels, to leave the slider some
BETWEEN = 40  # milliseconds from one assignment of all rows to the next


class ThresholdRow(QWidget):
    """A slider and a number. Classes that have a threshold in the model card are named below.

    Signals
    -------
    changed : float
        The user has chosen another threshold; sent a few times a second while the slider is dragged.
    """

    changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 10)
        self.slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.number = QDoubleSpinBox()
        self.number.setRange(0, 1)
        self.number.setDecimals(3)
        self.number.setSingleStep(1 / STEPS)
        self.number.setMaximumWidth(NUMBER)
        for control in (self.slider, self.number):
            control.setToolTip("A class is assigned from this probability on. Counts for all rows of this run.")
        self.slider.setAccessibleName("Threshold of this run")
        self.number.setAccessibleName("Threshold of this run as a number")
        self.of_card = MutedLabel()
        label = QLabel("Threshold")
        label.setBuddy(self.slider)
        line = QHBoxLayout()
        line.addWidget(label)
        line.addWidget(self.slider, 1)
        line.addWidget(self.number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(line)
        layout.addWidget(self.of_card)
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.setInterval(BETWEEN)
        self._waiting.timeout.connect(lambda: self.changed.emit(self.number.value()))
        self.slider.valueChanged.connect(lambda value: self.number.setValue(value / STEPS))
        self.number.valueChanged.connect(self._on_number)

    def show_threshold(self, card: ModelCard, threshold: float) -> None:
        """Show the threshold of a run; hide all if the model does not decide by one."""
        own = sum(entry.threshold is not None for entry in card.classes) if card.task == "multi-label" else 0
        counts = card.task == "multi-label" and own < len(card.classes)
        self.setVisible(card.task == "multi-label")
        for control in (self.slider, self.number):
            control.setEnabled(counts)
        if not self._waiting.isActive():  # the user is ahead of it
            self._set(threshold)
        self.of_card.setVisible(own > 0)
        if own:
            some = "1 class has" if own == 1 else f"{own:,} classes have" if counts else "All classes have"
            where = f"among “{card.thresholds}”" if card.thresholds else "in the model card"
            self.of_card.setText(f"{some} a threshold {where} (dotted). It counts instead.")

    def _on_number(self, value: float) -> None:
        self._set(value)
        if not self._waiting.isActive():
            self._waiting.start()

    def _set(self, threshold: float) -> None:
        for control, value in ((self.slider, round(threshold * STEPS)), (self.number, threshold)):
            before = control.blockSignals(True)
            control.setValue(value)
            control.blockSignals(before)

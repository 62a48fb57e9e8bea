"""Which intensities become black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QWidget

if TYPE_CHECKING:
    from napari_webipred.imaging.intensity import Intensity

LARGEST = 1e9


class IntensityChoice(QWidget):
    """Automatic, all that the data type can hold, or from one value to another.

    Signals
    -------
    changed
        Another range was chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = QComboBox()
        self.mode.addItem("Automatic", "auto")
        self.mode.addItem("Full range of the data type", "dtype")
        self.mode.addItem("Fixed range", "fixed")
        self.mode.setToolTip(
            "<qt>Which intensities become black and white for the model.<br>"
            "<b>Automatic</b>: 8-bit images as they are, all others from their smallest to their largest value."
            "<br>The contrast limits of the layer never change a result.</qt>"
        )
        self.mode.setAccessibleName("Intensity range")
        self.low = _value("Becomes black", 0)
        self.high = _value("Becomes white", 65535)
        label = QLabel("&Intensity")
        label.setBuddy(self.mode)
        self._to = QLabel("to")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(1, 1)
        layout.setColumnStretch(3, 1)
        layout.addWidget(label, 0, 0)
        layout.addWidget(self.mode, 0, 1, 1, 3)
        layout.addWidget(self.low, 1, 1)
        layout.addWidget(self._to, 1, 2)
        layout.addWidget(self.high, 1, 3)
        self.mode.currentIndexChanged.connect(self._on_mode)
        self.low.valueChanged.connect(self.changed)
        self.high.valueChanged.connect(self.changed)
        self._on_mode()

    def value(self) -> Intensity:
        """Return what was chosen, as the engine takes it."""
        mode = self.mode.currentData()
        return mode if mode != "fixed" else (self.low.value(), self.high.value())

    def _on_mode(self) -> None:
        for widget in (self.low, self._to, self.high):
            widget.setVisible(self.mode.currentData() == "fixed")
        self.changed.emit()


class _Value(QDoubleSpinBox):
    """Shows as many decimals as a value has."""

    def textFromValue(self, value: float) -> str:
        return f"{value:.10g}"


def _value(name: str, value: float) -> QDoubleSpinBox:
    box = _Value()
    box.setDecimals(6)
    box.setRange(-LARGEST, LARGEST)
    box.setValue(value)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setToolTip(name)
    box.setAccessibleName(name)
    return box

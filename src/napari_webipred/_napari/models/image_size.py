"""The size of a model's input, as a value of its settings."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_webipred.errors import OptionError

LARGEST = 8192
NARROWEST = 40  # pixels: four digits


class ImageSize(QWidget):
    """Width and height of the model's input.

    Signals
    -------
    value_changed : tuple of int
        Another size was chosen.
    """

    value_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.width_ = _pixels("Width of the model's input in pixels")
        self.height_ = _pixels("Height of the model's input in pixels")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.width_, 1)
        layout.addWidget(QLabel("×"))
        layout.addWidget(self.height_, 1)
        for box in (self.width_, self.height_):
            box.valueChanged.connect(lambda: self.value_changed.emit(self.value()))

    def value(self) -> tuple[int, int]:
        """Return width and height."""
        return self.width_.value(), self.height_.value()

    def set_value(self, size: tuple[int, int]) -> None:
        """Choose width and height."""
        sides = list(size) if isinstance(size, Sequence) else []
        if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= LARGEST for side in sides):
            raise OptionError(f"{size!r} is not an image size.", f"Give width and height, each from 1 to {LARGEST}.")
        self.width_.setValue(sides[0])
        self.height_.setValue(sides[1])


def _pixels(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, LARGEST)
    box.setValue(224)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setStyleSheet(f"min-width: {NARROWEST}px")  # napari's style asks for more than a narrow panel has
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box

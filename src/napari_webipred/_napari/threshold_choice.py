"""From which probability on a class is assigned, as a value of the form."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.widgets.number import Number
from napari_webipred.errors import OptionError
from napari_webipred.options import DEFAULTS

STEP, DECIMALS = 0.01, 6  # of what an arrow adds, and of the sum


class ThresholdChoice(Number):
    """A number from 0 to 1, which is not rounded.

    Signals
    -------
    value_changed : float
        Another number was chosen.
    """

    value_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(0, 1)
        self.setSingleStep(STEP)
        self.setValue(DEFAULTS.threshold)
        self.setToolTip("An image gets every class whose probability reaches this threshold")
        self.valueChanged.connect(self.value_changed)

    def set_value(self, threshold: float) -> None:
        """Choose a threshold.

        Raises
        ------
        OptionError
            It is not a number from 0 to 1.
        """
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise OptionError(f"{threshold!r} is not a threshold.", "Choose a number from 0 to 1.")
        self.setValue(threshold)

    def stepBy(self, steps: int) -> None:
        self.setValue(round(self.value() + steps * self.singleStep(), DECIMALS))

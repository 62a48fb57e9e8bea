"""A field for a number that keeps it as it is."""

from __future__ import annotations

from decimal import Decimal

from qtpy.QtCore import QLocale
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

DECIMALS = 30  # so many that a number does not change in the field


class Number(QDoubleSpinBox):
    """Shows as many decimals as a value has, with the decimal point of the user's language.

    What separates thousands there is neither shown nor taken: where it is a point, Qt would read 0.25 as 25.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDecimals(DECIMALS)
        language = self.locale()
        language.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
        self.setLocale(language)

    def textFromValue(self, value: float) -> str:
        exponent = Decimal(repr(value)).normalize().as_tuple().exponent
        return str(self.locale().toString(value, "f", max(0, -int(exponent))))

    def validate(self, text: str, at: int) -> tuple[QValidator.State, str, int]:
        if self.locale().groupSeparator() in text:
            return QValidator.State.Invalid, text, at
        state, text, at = super().validate(text, at)
        return state, text, at

"""Which intensities become black and white, as the value of the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari.intensity.range_slider import RangeSlider
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.number import Number
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.value_widget import choice_of, fit, literals, offer
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.errors import OptionError
from napari_webipred.imaging.intensity import WINDOW, Intensity, Named

FIXED = "fixed"  # with two numbers
WORDS = {
    "auto": "Automatic",
    "dtype": "Full range of the data type",
    "plane": "Range of each plane",
    "stack": "Range of the whole stack",
    "percentiles": "1st to 99th percentile",
    "limits": "Contrast limits of the layer",
    FIXED: "Fixed range",
}
EXPLANATIONS = {
    "auto": "8-bit images as they are, DICOM files as they say, others from the smallest to the largest value of each "
    "plane.",
    "dtype": "All values that the data type can hold, such as 0 to 65535 for 16 bits; 0 to 1 for floats.",
    "plane": "From the smallest to the largest value of each plane, also for 8-bit images.",
    "stack": "From the smallest to the largest value of all planes, the same for each plane.",
    "percentiles": "The darkest and the brightest hundredth of each plane become black and white.",
    "limits": "As the layer is shown: the contrast limits in the layer controls.",
    FIXED: "The same range for all images. Enter two numbers, or move the handles.",
}
OF_A_FILE = "This window of the DICOM file. Images without it are not classified."
NARROWEST = 80  # pixels
TIP = (
    "<qt>Which intensities the model sees as black and white.<br>"
    "The contrast limits of the layer change the results only if they are chosen here.</qt>"
)
LARGEST = 1e9


class IntensityChoice(QWidget):
    """A range with a name, or a fixed range that is typed or moved on a histogram.

    Signals
    -------
    value_changed : Intensity
        Another range was chosen.
    """

    value_changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = fit(choice_of(Named | Literal["fixed"], WORDS, "intensity", tooltip=TIP), letters=6)
        self.mode = self.choice.native
        self.mode.setAccessibleName("Intensity range")
        self.mode.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.explanation = MutedLabel()
        self.slider = RangeSlider(theme)
        self.low = _number("Lowest intensity (black)", 0)
        self.high = _number("Highest intensity (white)", 65535)
        label = QLabel("&Intensity")
        label.setBuddy(self.mode)
        self._to = QLabel("to")
        above, below = WrappingRow([label, self.mode], last_at_end=False), QHBoxLayout()
        below.addWidget(self.low, 1)
        below.addWidget(self._to)
        below.addWidget(self.high, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(above)
        layout.addWidget(self.explanation)
        layout.addWidget(self.slider)
        layout.addLayout(below)
        self.slider.hide()
        self._windows: tuple[str, ...] = ()
        self._own = False  # whether somebody has given the two numbers
        self.mode.currentIndexChanged.connect(self._on_mode)
        self.low.valueChanged.connect(self._on_number)
        self.high.valueChanged.connect(self._on_number)
        self.slider.moved.connect(lambda low, high: self.set_value((low, high)))
        self._show_numbers()

    def value(self) -> Intensity:
        """Return what was chosen, as the engine takes it."""
        return (self.low.value(), self.high.value()) if self.choice.value == FIXED else self.choice.value

    def offer_windows(self, names: Sequence[str]) -> None:
        """Offer the windows of a DICOM file, by their names or numbers; the first is the automatic one.

        One that is chosen stays.
        """
        chosen = self.choice.value
        offered = tuple(f"{WINDOW}{name}" for name in names[1:])
        if chosen not in (*WORDS, *offered):
            offered = (*offered, chosen)
        if offered != self._windows:
            self._offer(offered)

    def set_value(self, intensity: Intensity) -> None:
        """Choose a range by its name, or by two numbers.

        Raises
        ------
        OptionError
            It is not a range.
        """
        if isinstance(intensity, str) and intensity.startswith(WINDOW) and intensity not in self._windows:
            self._offer((*self._windows, intensity))
        if isinstance(intensity, str) and intensity in (*literals(Named), *self._windows):
            self.choice.value = intensity
            return
        before, self._own = self.value(), True
        self._enter(*_checked(intensity))
        was = self.mode.blockSignals(True)  # so that there is one change, of all that changes
        self.choice.value = FIXED
        self.mode.blockSignals(was)
        if self.value() != before:
            self._on_changed()

    def _offer(self, windows: tuple[str, ...]) -> None:
        self._windows = windows
        words = {each: f"Window of the file: {each.removeprefix(WINDOW)}" for each in windows}
        offer(self.choice, WORDS | words, self.choice.value)

    def _enter(self, low: float, high: float) -> None:
        for box, number in ((self.low, low), (self.high, high)):
            was = box.blockSignals(True)
            box.setValue(number)
            box.blockSignals(was)

    def _on_mode(self) -> None:
        """Begin a fixed range with the one that was used, unless there are numbers already."""
        if self.choice.value == FIXED and not self._own and self.slider.range is not None:
            self._enter(*self.slider.range)
        self._on_changed()

    def _on_number(self) -> None:
        self._own = True
        self._on_changed()

    def _on_changed(self) -> None:
        self._show_numbers()
        self.value_changed.emit(self.value())

    def _show_numbers(self) -> None:
        self.explanation.setText(EXPLANATIONS.get(self.choice.value, OF_A_FILE))
        for widget in (self.low, self._to, self.high):
            widget.setVisible(self.choice.value == FIXED)


class _Number(Number):
    def stepBy(self, steps: int) -> None:
        if self.value() == 0:  # from 0, the steps of Qt are as small as the decimals allow
            self.setValue(steps)
        else:
            super().stepBy(steps)


def _number(name: str, value: float) -> QDoubleSpinBox:
    box = _Number()
    box.setRange(-LARGEST, LARGEST)
    box.setValue(value)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setToolTip(name)
    box.setAccessibleName(name)
    return box


def _checked(intensity: object) -> tuple[float, float]:
    names = ", ".join(map(repr, literals(Named)))
    hint = f"Use one of {names}, or two numbers from {-LARGEST:g} to {LARGEST:g}, the smaller one first."
    try:
        low, high = map(float, () if isinstance(intensity, str) else intensity)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise OptionError(f"{intensity!r} is not an intensity range.", hint) from None
    if not -LARGEST <= low < high <= LARGEST:
        raise OptionError(f"The intensity range {low:g} to {high:g} cannot be used.", hint)
    return low, high

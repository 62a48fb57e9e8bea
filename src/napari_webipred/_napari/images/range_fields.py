"""Fields for some of the planes along an axis."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QWidget

from napari_webipred._napari.widgets.wrapping_row import WrappingRow

LONGEST = 10**6


class RangeFields(QWidget):
    """The first plane, the last one, and the step between those that are taken.

    Signals
    -------
    changed
        The user has entered another number.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._length = 1
        self.first = _number("First plane, counted from 0")
        self.last = _number("Last plane")
        self.step = _number("Take every n-th plane")
        self.step.setRange(1, LONGEST)
        named = (("from", self.first), ("to", self.last), ("step", self.step))
        layout = WrappingRow([_after(words, field) for words, field in named], last_at_end=False)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        for field in (self.first, self.last, self.step):
            field.valueChanged.connect(self.changed)

    def value(self) -> slice:
        """Return the places, as a slice; its end is open if the last plane is taken in."""
        last = self.last.value()
        step = self.step.value()
        stop = None if last >= self._length - 1 else last + 1
        return slice(self.first.value(), stop, None if step == 1 else step)

    def show_range(self, places: slice, length: int) -> None:
        """Show which of so many planes are taken, without a signal; none if the first is beyond the end."""
        self._length = max(length, 1)
        start, stop, step = places.indices(self._length)
        if places.start is not None:
            start = max(start, min(places.start, LONGEST))
        for field, value in ((self.first, start), (self.last, max(stop - 1, 0)), (self.step, step)):
            before = field.blockSignals(True)
            if field is not self.step:
                field.setRange(0, max(self._length - 1, value))
            field.setValue(value)
            field.blockSignals(before)


def _after(words: str, field: QSpinBox) -> QWidget:
    pair = QWidget()
    pair.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    layout = QHBoxLayout(pair)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(QLabel(words))
    layout.addWidget(field, 1)
    return pair


def _number(name: str) -> QSpinBox:
    field = QSpinBox()
    field.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    field.setToolTip(name)
    field.setAccessibleName(name)
    field.setKeyboardTracking(False)
    return field

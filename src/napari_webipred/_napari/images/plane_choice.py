"""Which planes of all stacks are classified, as the value of the form."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QLabel, QRadioButton, QVBoxLayout, QWidget

from napari_webipred._napari.images.range_fields import RangeFields
from napari_webipred._napari.images.understanding import Planes
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.errors import OptionError

WORDS = {"all": "All", "current": "Current", "range": "Some"}
TIPS = {
    "all": "Classify all planes of a stack, one row each",
    "current": "Classify only the plane that is shown",
    "range": "Classify some planes along z, or along the last axis that is left",
}
UNSEEN = "The viewer shows a stack from another side, or in 3D. The plane where its slider was is classified."


class PlaneChoice(QWidget):
    """All planes of a stack, the one that is shown, or some of them.

    Signals
    -------
    value_changed : Planes
        Other planes were chosen.
    """

    value_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slice = slice(None)
        self._length = 1
        self.buttons = {value: QRadioButton(words) for value, words in WORDS.items()}
        self.buttons["all"].setChecked(True)
        self._group = QButtonGroup(self)
        self.fields = RangeFields()
        for value, button in self.buttons.items():
            button.setToolTip(TIPS[value])
            button.setAccessibleName(f"{WORDS[value]} planes")
            self._group.addButton(button)
            button.toggled.connect(self._on_toggled)
        row = WrappingRow([QLabel("Planes"), *self.buttons.values()], last_at_end=False)
        row.setSpacing(10)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.fields)
        self.unseen = MutedLabel(UNSEEN)
        self.unseen.hide()
        layout.addWidget(self.unseen)
        self.fields.changed.connect(self._on_fields)
        self.fields.hide()

    def value(self) -> Planes:
        """Return ``"all"``, ``"current"``, or a slice of the places along an axis."""
        if self.buttons["range"].isChecked():
            return self._slice
        return "current" if self.buttons["current"].isChecked() else "all"

    def set_value(self, planes: Planes) -> None:
        """Choose the planes of all stacks.

        Raises
        ------
        OptionError
            It is not one of the choices.
        """
        if isinstance(planes, str) and planes in ("all", "current"):
            self.buttons[planes].setChecked(True)
            return
        before = self._slice
        self._slice = _checked(planes)
        self.fields.show_range(self._slice, self._length)
        if self.buttons["range"].isChecked():
            if before != self._slice:
                self.value_changed.emit(self.value())
        else:
            self.buttons["range"].setChecked(True)

    def show_length(self, length: int) -> None:
        """Say how many planes the longest stack has along the axis that a range counts along."""
        self._length = length
        self.fields.show_range(self._slice, length)

    def _on_toggled(self, on: bool) -> None:
        if on:  # the one that goes off says the same
            self.fields.setVisible(self.buttons["range"].isChecked())
            self.value_changed.emit(self.value())

    def _on_fields(self) -> None:
        self._slice = self.fields.value()
        self.value_changed.emit(self.value())


def _checked(planes: object) -> slice:
    hint = "Use 'all', 'current', or a slice such as slice(0, 60, 5)."
    if not isinstance(planes, slice):
        raise OptionError(f"{planes!r} is no choice of planes.", hint)
    try:
        _, _, step = planes.indices(1)
    except (TypeError, ValueError):
        step = 0
    if step < 1:
        raise OptionError(f"{planes!r} cannot be used.", f"{hint} Its step is 1 or more.")
    return planes

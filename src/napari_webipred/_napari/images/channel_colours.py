"""Which channels are merged, and the colour of each."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QWidget

from napari_webipred._napari.images.understanding import Axis, default_channels
from napari_webipred.imaging.selection import COLOURS, MOST_CHANNELS


class ChannelColours(QWidget):
    """A check box and a colour for each channel along an axis.

    Signals
    -------
    changed
        Other channels or colours were chosen.
    """

    changed = Signal()

    def __init__(self, axis: Axis, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: list[QCheckBox] = []
        self._colours: list[QComboBox] = []
        layout = QGridLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(3)
        layout.setColumnStretch(1, 1)
        if axis.length > MOST_CHANNELS:
            return
        given = dict(axis.channels)
        for number, default in default_channels(axis.length):
            box = QCheckBox(f"{axis.name} {number}")
            box.setChecked(number in given or not given)
            colours = QComboBox()
            colours.addItems(list(COLOURS))
            colours.setCurrentText(given.get(number, default))
            colours.setAccessibleName(f"Colour of channel {number}")
            layout.addWidget(box, number, 0)
            layout.addWidget(colours, number, 1)
            box.toggled.connect(self._on_toggled)
            colours.currentIndexChanged.connect(self.changed)
            self._boxes.append(box)
            self._colours.append(colours)

    def value(self) -> tuple[tuple[int, str], ...]:
        """Return the numbers of the chosen channels and the names of their colours."""
        pairs = enumerate(zip(self._boxes, self._colours, strict=True))
        return tuple((number, colour.currentText()) for number, (box, colour) in pairs if box.isChecked())

    def _on_toggled(self) -> None:
        chosen = [box for box in self._boxes if box.isChecked()]
        for box in self._boxes:
            box.setEnabled(len(chosen) > 1 or not box.isChecked())  # one channel at least
        self.changed.emit()

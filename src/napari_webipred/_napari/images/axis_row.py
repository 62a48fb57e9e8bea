"""The controls for one leading axis: its name, and what becomes of it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_webipred._napari.images.channel_colours import ChannelColours
from napari_webipred._napari.images.range_fields import RangeFields
from napari_webipred._napari.images.understanding import IN_PART, Axis, AxisChoice, Use

NAMES = ("z", "t", "c")
USES: dict[Use, str] = {
    "stack": "As all stacks",
    "all": "All planes",
    "current": "Current plane",
    "range": "Some planes",
    "max": "Maximum",
    "mean": "Mean",
    "rgb": "Red, green, blue",
    "merge": "In colours",
}


class AxisRow(QWidget):
    """A row for one axis, and below it what its use needs: a range, or colours.

    Parameters
    ----------
    axis : Axis
        How the axis is understood now.
    own_name : str
        The name that the layer itself gives it.
    uses : tuple of str
        What can become of it.

    Signals
    -------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, axis: Axis, own_name: str, uses: tuple[Use, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own_name = own_name
        self.length = axis.length
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.addItems(list(dict.fromkeys((axis.name, own_name, *NAMES))))
        self.name.setAccessibleName("Name of the axis")
        self.name.setToolTip("What the axis is: z for depth, t for time, c for channels, or any name")
        self.name.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.name.setMinimumContentsLength(2)
        self.use = QComboBox()
        for use in uses:
            self.use.addItem(USES[use], use)
        self.use.setCurrentIndex(self.use.findData(axis.use))
        self.use.setAccessibleName("What becomes of the axis")
        self.use.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.use.setMinimumContentsLength(4)
        self.range = RangeFields()
        self.range.show_range(slice(axis.places.start, axis.places.stop, axis.places.step), axis.length)
        self.colours = ChannelColours(axis)
        above = QHBoxLayout()
        above.setSpacing(4)
        above.addWidget(self.name)
        above.addWidget(QLabel(f"× {axis.length}"))
        above.addWidget(self.use, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(above)
        layout.addWidget(self.range)
        layout.addWidget(self.colours)
        self._show_details()
        self.name.lineEdit().editingFinished.connect(self.changed)
        self.name.activated.connect(self.changed)
        self.use.currentIndexChanged.connect(self._on_use)
        self.range.changed.connect(self.changed)
        self.colours.changed.connect(self.changed)

    @property
    def shown_name(self) -> str:
        """The name in the field."""
        return str(self.name.currentText().strip())

    def rename(self, name: str) -> None:
        """Show another name, without a signal."""
        before = self.name.blockSignals(True)
        self.name.setEditText(name)
        self.name.blockSignals(before)

    def choice(self) -> AxisChoice:
        """Return what is chosen for the axis."""
        name = self.shown_name
        use: Use = self.use.currentData()
        places = self.range.value() if use in IN_PART else slice(0, None, 1)
        return AxisChoice(
            "" if name == self._own_name else name,
            use,
            places.start or 0,
            places.stop,
            places.step or 1,
            self.colours.value() if use == "merge" else (),
        )

    def _on_use(self) -> None:
        self._show_details()
        self.changed.emit()

    def _show_details(self) -> None:
        use = self.use.currentData()
        self.range.setVisible(use in IN_PART)
        self.colours.setVisible(use == "merge")

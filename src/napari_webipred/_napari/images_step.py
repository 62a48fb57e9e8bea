"""Step 2: which images."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from napari_webipred._napari.intensity import IntensityChoice
from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.layer_list import LayerList
from napari_webipred._napari.layers import source_of
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.two_line_delegate import list_view
from napari_webipred.imaging.source import Source

HINT = (
    "No image is open yet. Drop image files onto the viewer, or try the samples: File › Open Sample › napari-webipred."
)
MOST_VISIBLE = 3


class ImagesStep(QWidget):
    """A list of the open image layers to tick, and how they are read.

    Signals
    -------
    changed
        Something else will be classified.
    """

    changed = Signal()

    def __init__(self, viewer: Any, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layers = LayerList(viewer, self)
        self.all = QCheckBox()
        self.all.setToolTip("Select all images, or none")
        self.list = list_view(theme, "Images", MOST_VISIBLE)
        self.list.setModel(self.layers)
        self.hint = MutedLabel(HINT)
        self.current = QRadioButton("Current plane")
        self.current.setToolTip("Classify only the plane of a stack that the viewer shows")
        self.planes = QRadioButton("All planes")
        self.planes.setToolTip("Classify every plane of a stack; each plane has its own row")
        self.planes.setChecked(True)
        self.stack = QWidget()
        row = QHBoxLayout(self.stack)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.planes)
        row.addWidget(self.current)
        above = QHBoxLayout()
        above.addWidget(self.all)
        above.addStretch()
        above.addWidget(self.stack)
        self.intensity = IntensityChoice()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.hint)
        layout.addLayout(above)
        layout.addWidget(self.list)
        layout.addWidget(self.intensity)
        self.all.clicked.connect(self._on_all)
        self.layers.changed.connect(self._on_layers)
        self.planes.toggled.connect(self.changed)
        self.intensity.changed.connect(self.changed)
        self._on_layers()

    def sources(self) -> tuple[list[Image], list[Source]]:
        """Return the ticked layers and how each is read; no pixel is touched."""
        layers = self.layers.ticked()
        point = None if self.planes.isChecked() else tuple(self._viewer.dims.point)
        return layers, [source_of(layer, point) for layer in layers]

    def count(self) -> int:
        """Count the planes that will be classified."""
        return sum(map(len, self.sources()[1]))

    @property
    def summary(self) -> str:
        """How many layers are ticked, in a few words."""
        return f"{len(self.layers.ticked())} of {self.layers.rowCount()} selected" if self.layers.rowCount() else ""

    def _on_all(self) -> None:
        self.layers.tick_all(len(self.layers.ticked()) < len(self.layers.usable()))

    def _on_layers(self) -> None:
        usable, ticked, rows = self.layers.usable(), self.layers.ticked(), self.layers.rowCount()
        self.hint.setVisible(rows == 0)
        self.intensity.setVisible(rows > 0)
        self.list.setVisible(rows > 0)
        self.all.setVisible(rows > 0)
        self.all.setText("All images")
        self.all.setCheckState(
            Qt.CheckState.Unchecked
            if not ticked
            else Qt.CheckState.Checked
            if len(ticked) == len(usable)
            else Qt.CheckState.PartiallyChecked
        )
        self.stack.setVisible(any(source_of(layer).axes for layer in ticked))
        if rows:
            height = self.list.sizeHintForRow(0)
            self.list.setFixedHeight(min(rows, MOST_VISIBLE) * height + 4)
        self.changed.emit()

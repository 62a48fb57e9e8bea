"""The list of image layers, as the value of the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.layer_list import LayerList
from napari_webipred._napari.layers import describe, name_of
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.two_line_delegate import list_view
from napari_webipred._napari.viewer_session import unwrapped
from napari_webipred.errors import OptionError
from napari_webipred.names import readable

HINT = (
    "No image is open yet. Drop image files onto the viewer, or try the samples: File > Open Sample > napari-webipred."
)
MOST_VISIBLE = 3


class ImageChoice(QWidget):
    """A list of the open image layers to tick.

    Signals
    -------
    value_changed : list of Image
        Layers came, went, were ticked or have other data.
    """

    value_changed = Signal(object)

    def __init__(self, viewer: Any, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layers = LayerList(viewer, self)
        self.all = QCheckBox("All images")
        self.all.setToolTip("Select all images, or none")
        self.list = list_view(theme, "Images", MOST_VISIBLE)
        self.list.setModel(self.layers)
        self.hint = MutedLabel(HINT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.hint)
        layout.addWidget(self.all, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.list)
        self.all.clicked.connect(self._on_all)
        self.layers.changed.connect(self._on_layers)
        self._show_layers()

    def value(self) -> list[Image]:
        """Return the ticked layers."""
        return self.layers.ticked()

    def set_value(self, layers: Sequence[Any]) -> None:
        """Tick these image layers of the viewer and no others.

        Raises
        ------
        OptionError
            One of them is not an image layer of this viewer, or cannot be classified.
        """
        if isinstance(layers, str) or not isinstance(layers, Sequence):
            raise OptionError(f"{layers!r} is not a list of layers.", self._possible())
        chosen = [unwrapped(layer) for layer in layers]
        for layer in chosen:
            if not any(layer is other for other in self.layers.items):
                raise OptionError(f"{_called(layer)} is not an image layer of this viewer.", self._possible())
            words, usable = describe(layer)
            if not usable:
                raise OptionError(f"{_called(layer)} cannot be classified: {words}", self._possible())
        self.layers.tick(chosen)

    def reset_choices(self) -> None:
        """Read the layers of the viewer again."""
        self.layers.refresh()

    def _possible(self) -> str:
        names = ", ".join(_called(layer) for layer in self.layers.usable())
        return f"Choose from these layers: {names}." if names else "Open an image first."

    def _on_all(self) -> None:
        usable = self.layers.usable()
        self.layers.tick(usable if len(self.layers.ticked()) < len(usable) else [])

    def _on_layers(self) -> None:
        self._show_layers()
        self.value_changed.emit(self.value())

    def _show_layers(self) -> None:
        usable, ticked, rows = self.layers.usable(), self.layers.ticked(), self.layers.rowCount()
        self.hint.setVisible(rows == 0)
        self.list.setVisible(rows > 0)
        self.all.setVisible(rows > 0)
        if not ticked:
            self.all.setCheckState(Qt.CheckState.Unchecked)
        else:
            every = len(ticked) == len(usable)
            self.all.setCheckState(Qt.CheckState.Checked if every else Qt.CheckState.PartiallyChecked)
        if rows:
            self.list.setFixedHeight(min(rows, MOST_VISIBLE) * self.list.sizeHintForRow(0) + 4)


def _called(layer: Any) -> str:
    name = getattr(layer, "name", None)
    return repr(layer) if name is None else f"“{readable(name_of(layer))}”"

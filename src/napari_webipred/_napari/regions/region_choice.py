"""Which layer holds the regions, and what becomes of the pixels outside them, as values of the form."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QWidget

from napari_webipred._napari.images.layers import name_of
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_layer import region_layers
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.errors import OptionError
from napari_webipred.imaging.region import Outside
from napari_webipred.names import readable

WHOLE = "None (whole images)"
TIP = "Classify only what the shapes or labels of this layer enclose, a row for each of them"
BLANK_TIP = "The model sees the box around each region. Pixels in the box and outside the region become black."


class RegionChoice(QWidget):
    """A box with the Shapes and Labels layers of the viewer, and none of them.

    Signals
    -------
    value_changed : Shapes, Labels or None
        Another layer was chosen, or the chosen one is gone.
    offered_changed
        There are other layers to choose from.
    """

    value_changed = Signal(object)
    offered_changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[weakref.ref[Any]] = []
        self._chosen: weakref.ref[Any] | None = None
        self.box = choice("Regions")
        self.box.setToolTip(TIP)
        label = QLabel("&Regions")
        label.setBuddy(self.box)
        layout = WrappingRow([label, self.box], last_at_end=False)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)
        self.box.currentIndexChanged.connect(self._on_chosen)
        self.reset_choices()

    @property
    def offered(self) -> list[Any]:
        """The layers to choose from."""
        return [layer for reference in self._layers if (layer := reference()) is not None]

    def value(self) -> Any | None:
        """Return the chosen layer."""
        return None if self._chosen is None else self._chosen()

    def set_value(self, layer: Any | None) -> None:
        """Choose a Shapes or Labels layer of the viewer, or None.

        Raises
        ------
        OptionError
            It is none of them.
        """
        self.reset_choices()
        chosen = unwrapped(layer)
        for place, other in enumerate([None, *self.offered]):
            if other is chosen:
                self.box.setCurrentIndex(place)
                return
        names = ", ".join(f"“{readable(name_of(other))}”" for other in self.offered)
        hint = f"Choose from these layers: {names}." if names else "Draw shapes, or paint labels, first."
        raise OptionError(f"{layer!r} is not a Shapes or Labels layer of this viewer.", hint)

    def reset_choices(self) -> None:
        """Read the layers of the viewer again; the chosen one stays chosen, whatever it is called."""
        layers, chosen = region_layers(self._viewer), self.value()
        self._layers = list(map(weakref.ref, layers))
        before = self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([WHOLE, *(readable(name_of(layer)) for layer in layers)])
        place = next((place for place, layer in enumerate(layers, 1) if layer is chosen), 0)
        self.box.setCurrentIndex(place)
        self.box.blockSignals(before)
        self._on_chosen(place)
        self.offered_changed.emit()

    def _on_chosen(self, place: int) -> None:
        before = self._chosen
        self._chosen = self._layers[place - 1] if place > 0 else None
        if before is not self._chosen and (before is None or self._chosen is None or before() is not self._chosen()):
            self.value_changed.emit(self.value())


class OutsideChoice(QCheckBox):
    """Whether pixels outside a region, in the box around it, become black.

    Signals
    -------
    value_changed : "keep" or "blank"
    """

    value_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Black outside the regions", parent)
        self.setToolTip(BLANK_TIP)
        self.toggled.connect(lambda: self.value_changed.emit(self.value()))

    def value(self) -> Outside:
        """Return what becomes of them, as `napari_webipred.classify` takes it."""
        return "blank" if self.isChecked() else "keep"

    def set_value(self, outside: Outside) -> None:
        """Choose what becomes of them.

        Raises
        ------
        OptionError
            It is neither "keep" nor "blank".
        """
        if outside not in ("keep", "blank"):
            raise OptionError(f"{outside!r} is not a way to treat what is outside.", "Choose keep or blank.")
        self.setChecked(outside == "blank")


def things(layer: Any, count: int) -> str:
    """Count the regions of a layer: ``1 shape``, ``12 labels``."""
    one = "shape" if isinstance(layer, Shapes) else "label"
    return f"{count:,} {one}{'s' * (count != 1)}"

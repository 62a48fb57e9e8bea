"""The open image layers with check boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from napari.layers import Image
from qtpy.QtCore import QModelIndex, QObject, Qt, Signal

from napari_webipred._napari.layers import describe, image_layers, name_of
from napari_webipred._napari.two_line_list import Lines, TwoLineList
from napari_webipred.names import readable

EVENTS = ("inserted", "removed", "moved", "reordered", "renamed")


class LayerList(TwoLineList[Image]):
    """Follows the layers of a viewer; ticks belong to the layers themselves, whatever they are called.

    Signals
    -------
    changed
        Layers came, went or were ticked.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(layer_lines, parent)
        self._viewer = viewer
        self._unticked: WeakSet[Image] = WeakSet()
        self.follow()

    def follow(self) -> None:
        """Listen to the viewer."""
        for name in EVENTS:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).connect(self.refresh)
        self.fill([])  # so that it listens to all of them again
        self.refresh()

    def leave(self) -> None:
        """Stop listening to the viewer."""
        for name in EVENTS:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).disconnect(self.refresh)
        for layer in self.items:
            layer.events.data.disconnect(self._on_data)

    def refresh(self, event: Any = None) -> None:
        """Read the layers again."""
        layers = image_layers(self._viewer)
        if layers == self.items:
            self.repaint()
        else:
            self.beginResetModel()
            for layer in self.items:
                layer.events.data.disconnect(self._on_data)
            for layer in layers:
                layer.events.data.connect(self._on_data)
            self.items = layers
            self.endResetModel()
        self.changed.emit()

    def usable(self) -> list[Image]:
        """Return the layers that can be classified."""
        return [layer for layer in self.items if describe(layer)[1]]

    def ticked(self) -> list[Image]:
        """Return the layers to classify."""
        return [layer for layer in self.usable() if layer not in self._unticked]

    def tick(self, layers: Iterable[Image]) -> None:
        """Tick these layers and no others."""
        self._unticked = WeakSet(self.items) - WeakSet(layers)
        self.repaint()
        self.changed.emit()

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        if not index.isValid() or not describe(self.items[index.row()])[1]:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return super().data(index, role)
        return Qt.CheckState.Unchecked if self.items[index.row()] in self._unticked else Qt.CheckState.Checked

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        layer = self.items[index.row()]
        if Qt.CheckState(value) == Qt.CheckState.Checked:
            self._unticked.discard(layer)
        else:
            self._unticked.add(layer)
        self.dataChanged.emit(index, index)
        self.changed.emit()
        return True

    def _on_data(self, event: Any = None) -> None:
        self.repaint()
        self.changed.emit()


def layer_lines(layer: Image) -> Lines:
    """Show a layer and how it is read."""
    name, words = readable(name_of(layer)), describe(layer)[0]
    return Lines(name, words, tip=f"{name}: {words}")

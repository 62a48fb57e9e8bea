"""The open image layers with check boxes, as Qt sees them."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from napari.layers import Image
from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal

from napari_webipred._napari.label import tip
from napari_webipred._napari.layers import image_layers, name_of, understanding
from napari_webipred._napari.two_line_delegate import SECOND_LINE
from napari_webipred.names import readable

NOWHERE = QModelIndex()
EVENTS = ("inserted", "removed", "moved", "reordered", "renamed")


class LayerList(QAbstractListModel):
    """Follows the layers of a viewer; ticks belong to the layers themselves, whatever they are called.

    Signals
    -------
    changed
        Layers came, went or were ticked.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._unticked: WeakSet[Image] = WeakSet()
        self.follow()

    def follow(self) -> None:
        """Listen to the viewer."""
        for name in EVENTS:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).connect(self.refresh)
        self.refresh()

    def leave(self) -> None:
        """Listen no more."""
        for name in EVENTS:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).disconnect(self.refresh)
        for layer in self._layers:
            layer.events.data.disconnect(self._on_data)

    def refresh(self, event: Any = None) -> None:
        """Look at the layers anew."""
        layers = image_layers(self._viewer)
        if layers == self._layers:
            self._show_again()
        else:
            self.beginResetModel()
            for layer in self._layers:
                layer.events.data.disconnect(self._on_data)
            for layer in layers:
                layer.events.data.connect(self._on_data)
            self._layers = layers
            self.endResetModel()
        self.changed.emit()

    def usable(self) -> list[Image]:
        """Return the layers that can be classified."""
        return [layer for layer in self._layers if understanding(layer)[1]]

    def ticked(self) -> list[Image]:
        """Return the layers to classify."""
        return [layer for layer in self.usable() if layer not in self._unticked]

    def tick_all(self, ticked: bool) -> None:
        """Tick all layers, or none."""
        self._unticked = WeakSet() if ticked else WeakSet(self._layers)
        self._show_again()
        self.changed.emit()

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._layers)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        if not index.isValid() or not understanding(self._layers[index.row()])[1]:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        layer = self._layers[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return readable(name_of(layer))
        if role == SECOND_LINE:
            return understanding(layer)[0]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            words = f"{readable(name_of(layer))}: {understanding(layer)[0]}"
            return tip(words) if role == Qt.ItemDataRole.ToolTipRole else words
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Unchecked if layer in self._unticked else Qt.CheckState.Checked
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        layer = self._layers[index.row()]
        if Qt.CheckState(value) == Qt.CheckState.Checked:
            self._unticked.discard(layer)
        else:
            self._unticked.add(layer)
        self.dataChanged.emit(index, index)
        self.changed.emit()
        return True

    def _show_again(self) -> None:
        if self._layers:
            self.dataChanged.emit(self.index(0), self.index(len(self._layers) - 1))

    def _on_data(self, event: Any = None) -> None:
        self._show_again()
        self.changed.emit()

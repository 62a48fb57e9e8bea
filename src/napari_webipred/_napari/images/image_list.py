"""The images of a viewer with check boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QModelIndex, QObject, Qt, Signal

from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.image_item import description, lines_of
from napari_webipred._napari.images.images import Images, Item
from napari_webipred._napari.images.layers import image_layers
from napari_webipred._napari.images.understanding import Planes
from napari_webipred._napari.widgets.two_line_delegate import ACTION
from napari_webipred._napari.widgets.two_line_list import TwoLineList

OF_THE_VIEWER = ("inserted", "removed", "moved", "reordered")
OF_A_LAYER = ("data", "name", "axis_labels", "contrast_limits", "colormap")
EDIT = "Edit"


class ImageList(TwoLineList[Item]):
    """Follows the image layers of a viewer, and lists the files and merged layers beside them.

    Ticks belong to the entries themselves, whatever they are called.

    Attributes
    ----------
    planes : "all", "current" or slice
        What is chosen for all stacks.

    Signals
    -------
    changed
        Entries came, went, were ticked, or are read in another way.
    """

    changed = Signal()

    def __init__(self, viewer: Any, images: Images, parent: QObject | None = None) -> None:
        super().__init__(lambda item: lines_of(item, images, self.planes), parent)
        self.images = images
        self.planes: Planes = "all"
        self._viewer = viewer
        self._layers: list[Image] = []
        self.follow()

    def follow(self) -> None:
        """Listen to the viewer."""
        for name in OF_THE_VIEWER:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).connect(self.refresh)
        self.images.changed.connect(self.refresh)
        self.refresh()

    def leave(self) -> None:
        """Stop listening to the viewer."""
        for name in OF_THE_VIEWER:
            if hasattr(self._viewer.layers.events, name):
                getattr(self._viewer.layers.events, name).disconnect(self.refresh)
        self.images.changed.disconnect(self.refresh)
        self._listen_to([])

    def refresh(self, event: Any = None) -> None:
        """Read the layers again."""
        layers = image_layers(self._viewer)
        self._listen_to(layers)
        entries = self.images.entries(layers)
        if len(entries) == len(self.items) and all(map(_same, entries, self.items)):
            self.repaint()
        else:
            self.beginResetModel()
            self.items = entries
            self.endResetModel()
        self.changed.emit()

    def _listen_to(self, layers: list[Image]) -> None:
        if len(layers) == len(self._layers) and all(map(_same, layers, self._layers)):
            return
        for layer in self._layers:
            for name in OF_A_LAYER:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).disconnect(self._on_layer)
        for layer in layers:
            for name in OF_A_LAYER:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).connect(self._on_layer)
        self._layers = layers

    def show_planes(self, planes: Planes) -> None:
        """Say what the choice for all stacks makes of each."""
        self.planes = planes
        self.repaint()
        self.changed.emit()

    def usable(self) -> list[Item]:
        """Return the entries that can be classified."""
        return [item for item in self.items if self.is_usable(item)]

    def is_usable(self, item: Item) -> bool:
        """Whether an entry can be classified."""
        return description(item, self.images, self.planes)[1]

    def ticked(self) -> list[Item]:
        """Return the entries to classify."""
        return [item for item in self.usable() if self.images.is_ticked(item)]

    def tick(self, items: Iterable[Item]) -> None:
        """Tick these entries and no others."""
        self.images.tick_only(items, self.items)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        item = self.items[index.row()]
        if self.is_usable(item):
            return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
        # A file that cannot be classified can be removed, and merged layers can be split.
        removable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return Qt.ItemFlag.NoItemFlags if isinstance(item, Image) else removable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item = self.items[index.row()]
        if role == ACTION:
            return "" if isinstance(item, ImageFiles) or not self.is_usable(item) else EDIT
        if role == Qt.ItemDataRole.CheckStateRole:
            if not isinstance(item, Image) and not self.is_usable(item):
                return None  # no box
            return Qt.CheckState.Checked if self.images.is_ticked(item) else Qt.CheckState.Unchecked
        return super().data(index, role)

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        self.images.tick([self.items[index.row()]], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def _on_layer(self, event: Any = None) -> None:
        self.repaint()
        self.changed.emit()


def _same(one: Any, other: Any) -> bool:
    return one is other

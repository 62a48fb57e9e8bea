"""The picture that gets its label, in the viewer."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.place import show
from napari_webipred._napari.own_classes.items import Item
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_layer import grid_of
from napari_webipred._napari.regions.region_view import corners_of
from napari_webipred._napari.review.plane_layer import PlaneLayer, plane_of
from napari_webipred._napari.review.region_frame import RegionFrame

NAME = "Image to label"
FRAME = "Region to label"


class PictureImage(QObject):
    """Goes to the layer of a picture; a file that is not open is shown in a layer that goes away with the next one.

    Signals
    -------
    failed : Exception
        The picture cannot be shown.
    """

    failed = Signal(object)

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._plane = PlaneLayer(viewer, NAME, self)
        self._plane.failed.connect(self.failed)
        self._frame = RegionFrame(viewer, FRAME)

    @property
    def busy(self) -> bool:
        """Whether a picture is being read."""
        return self._plane.busy

    def show(self, item: Item | None, others: list[Item]) -> None:
        """Show a picture, or take the last one away; layers of other pictures that lie over it are hidden."""
        self._plane.cancel()
        self._frame.remove()
        if item is None:
            self._plane.remove()
            return
        layers = list(map(unwrapped, self._viewer.layers))
        if any(layer in layers for layer in item.target.layers):
            self._plane.remove()
            over = {id(layer): layer for other in others for layer in other.target.layers}
            show(self._viewer, item.target, item.source.position(item.index), over.values())
            self._show_frame(item)
        elif item.target.source is not None:
            self._plane.show(plane_of(item.target.source, item.index))
        else:
            self._plane.remove()

    def _show_frame(self, item: Item) -> None:
        layers = item.target.layers
        if item.region is not None and layers:
            self._frame.show(corners_of(item.region.box, grid_of(layers[0], item.target.axes), item.index))

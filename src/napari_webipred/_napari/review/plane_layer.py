"""A plane of a file that is not open, in a layer that goes away with it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.dicom_layers import layer_data
from napari_webipred._napari.images.layers import MAP
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.task import Task
from napari_webipred.imaging.source import Index, Source

_SHOWN = ("rgb", "colormap", "contrast_limits")

Plane = tuple[Any, dict[str, Any]]  # pixels, and what napari's ``add_image`` takes beside them


class PlaneLayer(QObject):
    """Reads planes beside the window, and shows one at a time.

    Parameters
    ----------
    name : str
        Of the layer.

    Signals
    -------
    failed : Exception
        The plane cannot be read.
    """

    failed = Signal(object)

    def __init__(self, viewer: Any, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._name = name
        self._task: Task | None = None
        self._layer: Any | None = None
        self._before: Any | None = None

    @property
    def busy(self) -> bool:
        """Whether a plane is being read."""
        return self._task is not None

    def show(self, work: Generator[None, None, Plane]) -> None:
        """Show the plane that this returns, in place of the one that is shown."""
        self.cancel()
        self._task = Task(work)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def cancel(self) -> None:
        """Read nothing any more; what is shown stays."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def remove(self) -> None:
        """Take the layer away, and select what was selected before it."""
        layer, self._layer = self._layer, None
        layers = list(map(unwrapped, self._viewer.layers))
        if layer in layers:
            self._viewer.layers.remove(layer)
            if self._before in layers:
                self._viewer.layers.selection.active = self._before
        self._before = None

    def _on_read(self, plane: Plane) -> None:
        pixels, options = plane
        self._task = None
        layer = self._layer if self._layer in map(unwrapped, self._viewer.layers) else None
        if layer is not None and layer.rgb == options["rgb"] and len(options) == 1:
            same = layer.data.shape == pixels.shape
            layer.data = pixels
            layer.reset_contrast_limits()
        else:
            before = self._before if layer is not None else unwrapped(self._viewer.layers.selection.active)
            self.remove()
            self._before, same = before, False
            self._layer = unwrapped(
                self._viewer.add_image(pixels, name=self._name, metadata={MAP: "review"}, **options)
            )
        self._viewer.layers.selection.active = self._layer
        if not same:
            self._viewer.reset_view()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.remove()
        self.failed.emit(error)


def plane_of(source: Source, index: Index) -> Generator[None, None, Plane]:
    """Read one plane of a file, and say how it is to be shown."""
    from napari_webipred.imaging.readers import read

    if source.reader == "dicom":
        data, options, _ = layer_data(source)
        yield
        shown = {name: options[name] for name in _SHOWN if name in options}
        return np.asarray(data[index]), {**shown, "scale": options["scale"][-2:]}
    pixels = read(source, index)
    yield
    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4):
        pixels = pixels[..., 0]
    return pixels, {"rgb": pixels.ndim == 3}

"""The image of the row under review, in the viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.dicom_layers import layer_data
from napari_webipred._napari.images.layers import MAP
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.task import Task
from napari_webipred.errors import ImageError
from napari_webipred.imaging.source import Index, Source
from napari_webipred.results.session_table import Entry

NAME = "Image under review"
NOT_OPEN = "The image of this row is not open."
_SHOWN = ("rgb", "colormap", "contrast_limits")


class RowImage(QObject):
    """Goes to the layer of a row; a file that is not open is shown in a layer that goes away with the next row.

    Parameters
    ----------
    go_to : callable
        Shows the layers and the plane of a row.

    Signals
    -------
    failed : Exception
        The image cannot be shown.
    asked : Path
        The image would have to be read from this file, which a session file names; `allow` allows that.
    """

    failed = Signal(object)
    asked = Signal(object)

    def __init__(
        self, viewer: Any, places: RowPlaces, go_to: Callable[[Entry], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._places = places
        self._go_to = go_to
        self._task: Task | None = None
        self._layer: Any | None = None
        self._before: Any | None = None
        self._allowed: set[int] = set()

    def allow(self, run: int) -> None:
        """Let the files of a run, by its number, be read although only a session file names them."""
        self._allowed.add(run)

    @property
    def busy(self) -> bool:
        """Whether an image is being read."""
        return self._task is not None

    def show(self, entry: Entry | None) -> None:
        """Show the image of a row, or take the last one away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if entry is None:
            self.remove()
            return
        layers = list(map(unwrapped, self._viewer.layers))
        target = self._places.target(entry, layers)
        if any(layer in layers for layer in target.layers):
            self.remove()
            self._go_to(entry)
        elif target.source is not None:
            self._read(plane_of(target.source, tuple(entry.row.position.values())))
        else:
            self._show_named(entry)

    def _show_named(self, entry: Entry) -> None:
        """Show the image of a run that was opened from a session file, which may name any file of this machine."""
        path = _path(entry)
        if path is not None and entry.run.number in self._allowed:
            self._read(plane_of_file(path, entry.row.position))
            return
        self.remove()
        if path is not None:
            self.asked.emit(path)
        else:
            self.failed.emit(ImageError(NOT_OPEN, "Open it in napari and come back, or skip the row."))

    def _read(self, work: Generator[None, None, tuple[Any, dict[str, Any]]]) -> None:
        self._task = Task(work, self)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def remove(self) -> None:
        """Take the layer away, and select what was selected before it."""
        layer, self._layer = self._layer, None
        layers = list(map(unwrapped, self._viewer.layers))
        if layer in layers:
            self._viewer.layers.remove(layer)
            if self._before in layers:
                self._viewer.layers.selection.active = self._before
        self._before = None

    def _on_read(self, plane: tuple[Any, dict[str, Any]]) -> None:
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
            self._layer = unwrapped(self._viewer.add_image(pixels, name=NAME, metadata={MAP: "review"}, **options))
        self._viewer.layers.selection.active = self._layer
        if not same:
            self._viewer.reset_view()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.remove()
        self.failed.emit(error)


def _path(entry: Entry) -> Path | None:
    """Return the file whose planes are the rows of an image as they are, if there is one."""
    inputs = entry.run.inputs
    if inputs is None or entry.row.source >= len(inputs.images):
        return None
    image = inputs.images[entry.row.source]
    as_it_is = image.steps is not None and all(step[0] == "planes" for step in image.steps)
    return Path(image.path) if image.path is not None and as_it_is else None


def plane_of_file(path: Path, position: Mapping[str, int]) -> Generator[None, None, tuple[Any, dict[str, Any]]]:
    """Read a plane of a file that was classified before."""
    from napari_webipred.imaging.readers import file_source

    source = file_source(str(path))
    fits = len(source.axes) == len(position)
    if not fits or any(place >= length for place, length in zip(position.values(), source.shape, strict=True)):
        raise ImageError(f"{path.name} has other planes than when it was classified.", "Skip the row.")
    return (yield from plane_of(source, tuple(position.values())))


def plane_of(source: Source, index: Index) -> Generator[None, None, tuple[Any, dict[str, Any]]]:
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

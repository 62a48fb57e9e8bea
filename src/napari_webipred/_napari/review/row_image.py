"""The image of the row under review, in the viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.review.plane_layer import Plane, PlaneLayer, plane_of
from napari_webipred.errors import ImageError
from napari_webipred.results.session_table import Entry

NAME = "Image under review"
NOT_OPEN = "The image of this row is not open."


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
        self._shown = PlaneLayer(viewer, NAME, self)
        self._shown.failed.connect(self.failed)
        self._allowed: set[int] = set()

    def allow(self, run: int) -> None:
        """Let the files of a run, by its number, be read although only a session file names them."""
        self._allowed.add(run)

    @property
    def busy(self) -> bool:
        """Whether an image is being read."""
        return self._shown.busy

    def show(self, entry: Entry | None) -> None:
        """Show the image of a row, or take the last one away."""
        self._shown.cancel()
        if entry is None:
            self._shown.remove()
            return
        layers = list(map(unwrapped, self._viewer.layers))
        target = self._places.target(entry, layers)
        if any(layer in layers for layer in target.layers):
            self._shown.remove()
            self._go_to(entry)
        elif target.source is not None:
            self._shown.show(plane_of(target.source, tuple(entry.row.position.values())))
        else:
            self._show_named(entry)

    def _show_named(self, entry: Entry) -> None:
        """Show the image of a run that was opened from a session file, which may name any file of this machine."""
        path = _path(entry)
        if path is not None and entry.run.number in self._allowed:
            self._shown.show(plane_of_file(path, entry.row.position))
            return
        self._shown.remove()
        if path is not None:
            self.asked.emit(path)
        else:
            self.failed.emit(ImageError(NOT_OPEN, "Open it in napari and come back, or skip the row."))


def _path(entry: Entry) -> Path | None:
    """Return the file whose planes are the rows of an image as they are, if there is one."""
    image = entry.run.inputs.image(entry.row.source) if entry.run.inputs is not None else None
    if image is None:
        return None
    as_it_is = image.steps is not None and all(step[0] == "planes" for step in image.steps)
    return Path(image.path) if image.path is not None and as_it_is else None


def plane_of_file(path: Path, position: Mapping[str, int]) -> Generator[None, None, Plane]:
    """Read a plane of a file that was classified before."""
    from napari_webipred.imaging.readers import file_source

    source = file_source(str(path))
    fits = len(source.axes) == len(position)
    if not fits or any(place >= length for place, length in zip(position.values(), source.shape, strict=True)):
        raise ImageError(f"{path.name} has other planes than when it was classified.", "Skip the row.")
    return (yield from plane_of(source, tuple(position.values())))

"""Finds the regions of the chosen images in the background, and again whenever something changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterable
from typing import Any

from msgspec import Struct
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.regions.region_layer import Drawing, Grid, Painting, drawn, grid_of, shape_names
from napari_webipred._napari.regions.region_place import Search
from napari_webipred._napari.regions.region_search import search
from napari_webipred._napari.task import Task
from napari_webipred.errors import ImageError, OptionError, WebIPredError

PATIENCE = 150  # milliseconds without a change until it searches: while a shape is drawn, each move is one
LAYER_EVENTS = (
    "data",
    "paint",
    "labels_update",
    "features",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
)
IMAGE_EVENTS = ("data", "scale", "translate", "rotate", "shear", "affine")


class UsedRegions(Struct, frozen=True, eq=False):
    """What the regions of a run were, so that its rows can be brought back to them.

    Attributes
    ----------
    layer : weak reference to napari.layers.Shapes or Labels
    drawn : Drawing or Painting
        What it had drawn.
    grids, searches : tuple
        How each image of the run lay below it, and what was found there.
    """

    layer: weakref.ref[Any]
    drawn: Drawing | Painting
    grids: tuple[Grid, ...]
    searches: tuple[Search, ...]


class RegionFinder(QObject):
    """Knows the regions of images, a little after they were drawn.

    Attributes
    ----------
    error : WebIPredError or None
        Why there are none.

    Signals
    -------
    changed
        It searches, or it has found the regions.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.error: WebIPredError | None = None
        self._layer: Any = None
        self._images: list[tuple[Any, tuple[int, ...]] | None] = []
        self._blank = False
        self._drawn: Drawing | Painting | None = None
        self._grids: tuple[Grid, ...] = ()
        self._found: dict[Any, Search] | None = None
        self._task: Task | None = None
        self._then: Callable[[], None] | None = None
        self._heard: list[Any] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE)
        self._timer.timeout.connect(self._search)

    @property
    def searching(self) -> bool:
        """Whether the regions are not known yet."""
        return self._layer is not None and self._found is None and self.error is None

    def look(self, layer: Any, targets: Iterable[Target], blank: bool) -> None:
        """Find the regions that a layer draws on the images of these targets."""
        images = [(target.layers[0], target.axes) if target.layers else None for target in targets]
        if layer is self._layer and images == self._images and blank == self._blank:
            return
        self.leave()
        self._layer, self._images, self._blank = layer, images, blank
        self.follow()

    def follow(self) -> None:
        """Listen to the layers, and search."""
        if self._layer is None:
            return
        self._heard = [
            getattr(layer.events, name)
            for layer, names in (
                (self._layer, LAYER_EVENTS),
                *((image, IMAGE_EVENTS) for image, _ in self._on_layers()),
            )
            for name in names
            if hasattr(layer.events, name)
        ]
        for emitter in self._heard:
            emitter.connect(self._on_changed)
        self._begin(0)

    def leave(self) -> None:
        """Stop listening and searching."""
        for emitter in self._heard:
            emitter.disconnect(self._on_changed)
        self._heard = []
        self._stop()
        self._then = None

    def searches(self, count: int | None = None) -> list[Search]:
        """Return what was found on each target; nothing while it searches, or if there are not so many any more."""
        if self._found is None or count not in (None, len(self._images)):
            return [Search()] * (len(self._images) if count is None else count)
        return [self._found.get(grid.key, Search()) for grid in self._grids]

    def used(self) -> UsedRegions | None:
        """Return what was found, for a run."""
        if self._layer is None or self._drawn is None:
            return None
        return UsedRegions(weakref.ref(self._layer), self._drawn, self._grids, tuple(self.searches()))

    def when_found(self, then: Callable[[], None]) -> None:
        """Call a function when the regions are known: now, or later, unless something else is chosen before."""
        if self.searching:
            self._then = then
        else:
            then()

    def _on_changed(self, event: Any = None) -> None:
        if getattr(event, "type", "") == "features" and not self._renamed():
            return  # results were written, for example
        self._begin(PATIENCE)

    def _renamed(self) -> bool:
        """Tell whether shapes are called otherwise than before; labels are called by their numbers."""
        return isinstance(self._drawn, Drawing) and shape_names(self._layer) != self._drawn.names

    def _begin(self, patience: int) -> None:
        self._stop()
        self._timer.start(patience)
        self.changed.emit()

    def _stop(self) -> None:
        self._timer.stop()
        self._found, self.error = None, None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_layers(self) -> list[tuple[Any, tuple[int, ...]]]:
        return [image for image in self._images if image is not None]

    def _search(self) -> None:
        if None in self._images:
            self.error = OptionError(
                "Regions lie on layers, and some of the selected images are files.",
                "Open the files in napari, or choose no regions.",
            )
            self._tell()
            return
        self._drawn = drawn(self._layer)
        self._grids = tuple(grid_of(image, axes) for image, axes in self._on_layers())
        self._task = Task(_search_all(self._drawn, self._grids, self._blank), self)
        self._task.done.connect(self._on_found)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _on_found(self, found: dict[Any, Search]) -> None:
        self._task, self._found = None, found
        self._tell()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        if not isinstance(error, WebIPredError):  # labels may compute themselves when read, and fail in any way
            error = ImageError(f"The regions cannot be read ({type(error).__name__}: {error}).")
        self.error = error
        self._tell()

    def _tell(self) -> None:
        self.changed.emit()
        then, self._then = self._then, None
        if then is not None:
            then()


def _search_all(
    drawn: Drawing | Painting, grids: tuple[Grid, ...], blank: bool
) -> Generator[None, None, dict[Any, Search]]:
    found: dict[Any, Search] = {}
    for grid in grids:
        if grid.key not in found:
            found[grid.key] = yield from search(drawn, grid, blank)
    return found

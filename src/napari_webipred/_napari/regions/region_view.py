"""Shows the region of a row in the viewer, and finds the row of the region that the user selects there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_webipred._napari.images.place import grid, place_shown
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_finder import UsedRegions
from napari_webipred._napari.regions.region_layer import Drawing, Grid, drawing_of, grid_of, selection_events
from napari_webipred._napari.regions.region_results import places_now
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.results.run import Run
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.imaging.region import Region
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import Entry

HALF = 0.5
SHARE = 0.8  # of the canvas that a region fills which would not fit into it


def canvas_below(viewer: Any, theme: Theme) -> bool | None:
    """Tell whether the canvas is bright that layers lie on in grid view; None if they lie on each other."""
    return theme.colour("canvas").lightnessF() > HALF if grid(viewer).enabled else None


class RegionView:
    """The layer with the regions of the latest run.

    Parameters
    ----------
    viewer : napari.Viewer
    places : RowPlaces
        Of which layers rows are.
    on_selected : callable
        Called when the user selects a shape or a label.
    """

    def __init__(self, viewer: Any, places: RowPlaces, on_selected: Callable[..., None]) -> None:
        self._viewer = viewer
        self._places = places
        self._on_selected = on_selected
        self._heard: list[Any] = []
        self._run: Run | None = None
        self._rows: dict[str, list[int]] = {}
        self._counted = 0

    def follow(self, run: Run | None) -> None:
        """Listen to what is selected in the layer of a run."""
        self.leave()
        if run is not self._run:
            self._rows, self._counted = {}, 0
        self._run = run
        layer = self.layer()
        if layer is not None:
            events = selection_events(layer)
            events.connect(self._on_selected)
            self._heard = [events]

    def leave(self) -> None:
        """Stop listening."""
        for emitter in self._heard:
            emitter.disconnect(self._on_selected)
        self._heard = []

    def layer(self) -> Any | None:
        """Return the layer, if it is still in the viewer."""
        layer = None if self._run is None or self._run.regions is None else self._run.regions.layer()
        return layer if layer in list(map(unwrapped, self._viewer.layers)) else None

    def show(self, entry: Entry) -> None:
        """Select the region of a row and move the camera to it; the plane is shown already."""
        layer, row = self.layer(), entry.row
        if layer is None or not self.marks(entry):
            return
        assert self._run is not None
        used = self._run.regions
        assert used is not None
        self._viewer.layers.selection.active = layer
        if isinstance(layer, Labels):
            layer.selected_label = int(row.region)
        elif isinstance(used.drawn, Drawing):
            place = places_now(used.drawn, drawing_of(layer)).get(row.region)
            layer.selected_data = set() if place is None else {place}
        region = _region_of(row, used)
        if region is not None:
            centre_on(self._viewer, region.box, used.grids[row.source], tuple(row.position.values()))

    def marks(self, entry: Entry) -> bool:
        """Tell whether `show` selects the region of a row: only the layer of the latest run is known."""
        return self.layer() is not None and self._run is not None and entry.run.number == self._run.details.number

    def corners(self, entry: Entry) -> NDArray[np.float64] | None:
        """Return the corners of a box around the region of a row, in the world; None if they are not known."""
        run, row = self._run, entry.row
        if not row.region:
            return None
        place = tuple(row.position.values())
        if run is not None and run.regions is not None and entry.run.number == run.details.number:
            region = _region_of(row, run.regions)
            return None if region is None else corners_of(region.box, run.regions.grids[row.source], place)
        box = _box_of_input(entry)
        target = self._places.target(entry, map(unwrapped, self._viewer.layers))
        return (
            None if box is None or not target.layers else corners_of(box, grid_of(target.layers[0], target.axes), place)
        )

    def selected_row(self) -> int | None:
        """Return the number in its run of the row about the selected region, of several the one on the shown plane."""
        name = self._selected()
        if name is None or self._run is None:
            return None
        for number in range(self._counted, len(self._run.rows)):
            self._rows.setdefault(self._run.rows[number].region, []).append(number)
        self._counted = len(self._run.rows)
        numbers = self._rows.get(name, [])
        return next(filter(self._is_shown, numbers), next(iter(numbers), None))

    def _is_shown(self, number: int) -> bool:
        """Whether the viewer shows the plane of a row."""
        assert self._run is not None
        row = self._run.rows[number]
        target = self._run.targets[row.source]
        shown = [place_shown(layer, self._viewer.dims) for layer in target.layers[:1]]
        return all(
            place[axis] == i for place in shown for axis, i in zip(target.axes, row.position.values(), strict=True)
        )

    def _selected(self) -> str | None:
        """Return the name of the one region that is selected."""
        layer = self.layer()
        if layer is None:
            return None
        if isinstance(layer, Labels):
            return str(int(layer.selected_label))
        if len(layer.selected_data) != 1:
            return None
        assert self._run is not None
        used = self._run.regions
        assert used is not None
        assert isinstance(used.drawn, Drawing)
        (place,) = layer.selected_data
        names = {number: name for name, number in places_now(used.drawn, drawing_of(layer)).items()}
        return names.get(place)


def _region_of(row: Row, used: UsedRegions) -> Region | None:
    index = tuple(row.position.values())
    regions = used.searches[row.source].regions
    return next((region for region in regions if region.name == row.region and region.index in (None, index)), None)


def _box_of_input(entry: Entry) -> tuple[int, int, int, int] | None:
    """Return the box of the region of a row as its run has noted it for a session file."""
    row, inputs = entry.row, entry.run.inputs
    image = inputs.image(row.source) if inputs is not None else None
    index = tuple(row.position.values())
    regions = (image.parts.regions if image is not None and image.parts is not None else None) or ()
    return next((each.box for each in regions if each.name == row.region and each.index in (None, index)), None)


def centre_on(viewer: Any, box: tuple[int, int, int, int], lies: Grid, index: tuple[int, ...]) -> None:
    """Move the camera to a box on an image; zoom out if it would not fit.

    Parameters
    ----------
    viewer : napari.Viewer
    box : tuple of int
        (top, left, bottom, right) on the image.
    lies : Grid
        How the image lies in the world.
    index : tuple of int
        The place along its axes.
    """
    canvas = getattr(unwrapped(viewer), "canvas", None)  # since napari 0.9, and with it a scene
    if grid(viewer).enabled:
        return  # each image has a place of its own there
    displayed = _displayed(viewer, corners_of(box, lies, index))
    low, high = displayed.min(axis=0), displayed.max(axis=0)
    camera = viewer.camera if canvas is None else viewer.scene.camera
    camera.center = (0.0,) * (3 - len(low)) + tuple(map(float, (low + high) / 2))
    size = unwrapped(viewer)._canvas_size if canvas is None else canvas.size
    needed = float((high - low)[-2:].max() * camera.zoom / min(size))
    if needed > 1:
        camera.zoom *= SHARE / needed


def corners_of(box: tuple[int, int, int, int], lies: Grid, index: tuple[int, ...]) -> NDArray[np.float64]:
    """Return where the corners of a box on an image are in the world, (4, d); see `centre_on`."""
    top, left, bottom, right = box
    corners = np.zeros((4, len(lies.shape)))
    corners[:, list(lies.axes)] = index
    corners[:, -2:] = [(top, left), (top, right - 1), (bottom - 1, right - 1), (bottom - 1, left)]
    found: NDArray[np.float64] = corners @ lies.matrix[:-1, :-1].T + lies.matrix[:-1, -1]
    return found


def _displayed(viewer: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the coordinates along the axes that the viewer shows."""
    world = np.zeros((len(points), viewer.dims.ndim))
    world[:, viewer.dims.ndim - points.shape[1] :] = points
    return world[:, list(viewer.dims.displayed)]

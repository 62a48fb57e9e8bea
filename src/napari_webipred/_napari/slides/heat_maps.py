"""The heat maps of a session, and their layers in the viewer."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Shapes
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.slides.estimate import Wanted
from napari_webipred._napari.slides.heat_layer import HeatLayer
from napari_webipred._napari.slides.map_run import MapRun

if TYPE_CHECKING:
    from napari_webipred.results.inputs import ModelInput


class HeatMaps(QObject):
    """Makes one heat map at a time, and keeps them all until they are removed.

    Attributes
    ----------
    runs : list of MapRun
        The oldest first.

    tile_seconds : dict
        How long a tile takes, as far as it is known, by what it depends on.

    Signals
    -------
    changed
        A map has begun, was laid or has ended, or one was removed.
    grown
        The map that is computed has grown.
    class_changed
        The viewer shows another class.
    """

    changed = Signal()
    grown = Signal()
    class_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[MapRun] = []
        self.tile_seconds: dict[Any, float] = {}
        self._viewer: weakref.ref[Any] | None = None  # the session lives as long as the viewer, and no longer

    @property
    def running(self) -> MapRun | None:
        """The map that is computed now."""
        return next((run for run in self.runs if run.running), None)

    def of(self, layer: Any) -> MapRun | None:
        """Return the map that a layer shows, or the last one of a picture."""
        found = [run for run in self.runs if run.shown is not None and run.shown.layer is layer]
        return next(iter(found or [run for run in reversed(self.runs) if run.layer is layer]), None)

    def picture(self, layer: Any) -> Any:
        """Return the picture below the layer of a map, or else the layer itself."""
        run = self.of(layer)
        return layer if run is None or run.layer is None else run.layer

    def start(
        self, viewer: Any, layer: Image, wanted: Wanted, given: ModelInput, shapes: Shapes | None = None
    ) -> MapRun:
        """Begin a map.

        Parameters
        ----------
        viewer : napari.Viewer
        layer : napari.layers.Image
            The picture.
        wanted : Wanted
        given : ModelInput
            What opens the model again.
        shapes : napari.layers.Shapes, optional
            The layer of the region.
        """
        self._follow(viewer)
        run = MapRun(wanted, layer, given, shapes, self)
        run.laid.connect(partial(self.show, run))
        run.grown.connect(partial(self._on_grown, run))
        run.ended.connect(partial(self._on_ended, run))
        layer.events.data.connect(self._on_data)
        self.runs.append(run)
        run.begin()
        self.changed.emit()
        return run

    def resume(self, run: MapRun) -> None:
        """Go on with a map that was cancelled or has failed; its layer comes back if it was removed."""
        run.begin()
        if run.shown is None:
            self.show(run)
        self.changed.emit()

    def show_class(self, run: MapRun, number: int) -> None:
        """Move the slider of the viewer to a class."""
        viewer = None if self._viewer is None else self._viewer()
        if viewer is not None and run.shown is not None:
            viewer.dims.set_point(viewer.dims.ndim - run.shown.layer.ndim, number)

    def class_shown(self, run: MapRun) -> int:
        """Return the class at the slider of the viewer."""
        viewer = None if self._viewer is None else self._viewer()
        if viewer is None or run.shown is None or run.heat is None:
            return 0
        axis = viewer.dims.ndim - run.shown.layer.ndim
        return int(min(max(round(viewer.dims.point[axis]), 0), len(run.heat.classes) - 1)) if axis >= 0 else 0

    def _follow(self, viewer: Any) -> None:
        viewer = unwrapped(viewer)
        if self._viewer is None:
            self._viewer = weakref.ref(viewer)
            viewer.layers.events.removed.connect(self._on_removed)
            viewer.dims.events.current_step.connect(self._on_slider)

    def show(self, run: MapRun) -> None:
        """Put the layer of a map right above its picture and its region; what is selected stays so."""
        viewer, under = None if self._viewer is None else self._viewer(), run.layer
        if viewer is None or under is None or under not in viewer.layers:
            run.cancel()
            return
        assert run.heat is not None
        run.shown = HeatLayer(under, run.heat, run.wanted.index, run.wanted.axes)
        active = viewer.layers.selection.active
        below = [viewer.layers.index(layer) for layer in run.below if layer in viewer.layers]
        viewer.layers.insert(max(below) + 1, run.shown.layer)
        viewer.layers.selection.active = active
        self.show_class(run, 0)
        self.changed.emit()

    def _on_grown(self, run: MapRun) -> None:
        if run.shown is not None:
            run.shown.refresh()
        self.grown.emit()

    def _on_ended(self, run: MapRun) -> None:
        if run.shown is not None:
            run.shown.refresh(now=True)
        if run.heat is None and run.error is None and run in self.runs:
            self.runs.remove(run)  # nothing came of it
        self.changed.emit()

    def _on_slider(self, event: Any = None) -> None:
        for run in self.runs:
            if run.shown is not None:
                run.shown.show_class(self.class_shown(run))
        self.class_changed.emit()

    def _on_data(self, event: Any) -> None:
        self._part(event.source)

    def _on_removed(self, event: Any) -> None:
        gone = unwrapped(event.value)
        self._part(gone)
        for run in list(self.runs):
            if run.shown is not None and run.shown.layer is gone:
                run.shown.release()
                run.shown = None
                run.cancel()
                if run.layer is None:
                    self.runs.remove(run)
                self.changed.emit()

    def _part(self, picture: Any) -> None:
        """End what is about a picture that is gone or has other pixels; its maps stay where they are."""
        for run in self.runs:
            if run.layer is picture:
                if run.shown is not None:
                    run.shown.release()
                run.part()
                self.changed.emit()

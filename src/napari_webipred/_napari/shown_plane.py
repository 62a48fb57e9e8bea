"""Which plane of which layer the viewer shows, as it would be classified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.layers import describe, image_layers, position_shown, shown_range, source_of
from napari_webipred._napari.viewer_session import ViewerSession, unwrapped
from napari_webipred.imaging.region import Region
from napari_webipred.imaging.selection import one_plane
from napari_webipred.imaging.source import Index, Source
from napari_webipred.options import Options, preferred_intensity

LAYER_EVENTS = ("data", "contrast_limits", "rgb")


@dataclass(frozen=True, slots=True)
class Shown:
    """A plane of a layer, or a region of it.

    Attributes
    ----------
    layer : Image
    source : Source
        How the layer is read, as the form says if it has chosen the layer.
    index : tuple of int
        The plane along the axes of the source: the one that is shown, or the nearest that is classified.
    region : Region, optional
        The first one that is classified of that plane.
    options : Options
        How it is classified.
    """

    layer: Image
    source: Source
    index: Index
    region: Region | None
    options: Options


class ShownPlane(QObject):
    """Follows what a viewer shows: the active layer, or else the first that is to be classified.

    Signals
    -------
    changed
        Another plane is shown, or it is read or classified in another way.
    """

    changed = Signal()

    def __init__(self, viewer: Any, session: ViewerSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._session = session
        self._layer: Image | None = None
        self._following = False

    def follow(self) -> None:
        """Listen to the viewer and the panel."""
        if self._following:
            return
        self._following = True
        for emitter, callback in self._emitters():
            emitter.connect(callback)
        self._session.form_changed.connect(self._on_changed)
        self._on_changed()

    def leave(self) -> None:
        """Stop listening."""
        if not self._following:
            return
        self._following = False
        for emitter, callback in self._emitters():
            emitter.disconnect(callback)
        self._session.form_changed.disconnect(self._on_changed)
        self._listen_to(None)

    def now(self) -> Shown | None:
        """Return what is shown; None without an image layer.

        Raises
        ------
        ImageError
            The layer cannot be classified.
        """
        layer = self._layer_shown()
        if layer is None:
            return None
        form = self._session.form
        chosen = {} if form is None else {id(each): source for each, source in zip(*form.sources(), strict=True)}
        options = Options(intensity=preferred_intensity(layers=True)) if form is None else form.options()
        source = chosen.get(id(layer)) or source_of(layer)
        if options.intensity == "limits" and id(layer) not in chosen:
            source = replace(source, intensity_range=shown_range(layer))
        index = _index(source, dict(zip(source_of(layer).axes, position_shown(self._viewer, layer), strict=True)))
        region = next((region for _, region in one_plane(source, index).parts()), None)
        return Shown(layer, source, index, region, options)

    def _layer_shown(self) -> Image | None:
        layers = image_layers(self._viewer)
        active = unwrapped(self._viewer.layers.selection.active)
        if active in layers:
            return active
        form = self._session.form
        chosen = layers if form is None else form.images.value
        usable = [layer for layer in chosen if describe(layer)[1]]
        return usable[0] if usable else layers[0] if layers else None

    def _emitters(self) -> list[tuple[Any, Callable[..., None]]]:
        layers = self._viewer.layers
        names = ("inserted", "removed", "reordered")
        return [
            (self._viewer.dims.events.current_step, self._on_changed),
            (layers.selection.events.active, self._on_changed),
            *((getattr(layers.events, name), self._on_changed) for name in names),
        ]

    def _listen_to(self, layer: Image | None) -> None:
        if layer is self._layer:
            return
        for name in LAYER_EVENTS:
            for each, connect in ((self._layer, False), (layer, True)):
                emitter = getattr(each.events, name, None) if each is not None else None
                if emitter is not None:
                    (emitter.connect if connect else emitter.disconnect)(self._on_changed)
        self._layer = layer

    def _on_changed(self, event: Any = None) -> None:
        self._listen_to(self._layer_shown())
        self.changed.emit()


def _index(source: Source, place: dict[str, int]) -> Index:
    """Return the plane of a source at a place, or the nearest one that is taken."""
    taken = map(range, source.shape) if source.planes is None else source.planes
    return tuple(_nearest(places, place.get(axis, 0)) for axis, places in zip(source.axes, taken, strict=True))


def _nearest(places: range, place: int) -> int:
    return min(places, key=lambda each: abs(each - place))

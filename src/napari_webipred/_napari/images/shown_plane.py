"""Which plane of which image the viewer shows, as it would be classified."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.form import with_limits
from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.image_item import called, description, sources_of
from napari_webipred._napari.images.images import Item
from napari_webipred._napari.images.layers import image_layers
from napari_webipred._napari.images.place import Target, place_shown
from napari_webipred._napari.images.understanding import Planes
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_layer import selected_region, selection_events
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred.errors import OptionError
from napari_webipred.imaging.region import Region
from napari_webipred.imaging.selection import one_plane
from napari_webipred.imaging.source import Index, Source
from napari_webipred.options import Options, preferred_intensity

LAYER_EVENTS = ("data", "contrast_limits", "colormap", "axis_labels")


class Stack(Struct, frozen=True, eq=False):
    """All planes of a source, to see whether another one has the same pixels.

    Attributes
    ----------
    source : Source
    version : int
        How often layers were given other data until then; an array can be changed in its place.
    """

    source: Source
    version: int

    @property
    def planes(self) -> int:
        """How many planes it has, also those that are not taken."""
        return prod(self.source.shape)

    def same(self, other: Stack) -> bool:
        """Tell whether the pixels are the same."""
        return self.version == other.version and _same(self.source, other.source)


class Shown(Struct, frozen=True):
    """A plane, or a region of it.

    Attributes
    ----------
    item : Image, MergedLayers or ImageFiles
        The entry of the list of images.
    layers : list of Image
        The layers that show it; none of a file.
    source : Source
        How it is read.
    index : tuple of int
        The plane along the axes of the source: the one that is shown, or the nearest that is classified.
    region : Region, optional
        The selected one, which is that of the chosen row, or else the first one that is classified of that plane.
    options : Options
        How it is classified.
    stack : Stack
        All its planes.
    """

    item: Item
    layers: list[Image]
    source: Source
    index: Index
    region: Region | None
    options: Options
    stack: Stack


class ShownPlane(QObject):
    """Follows what a viewer shows: the image of the active layer, or else the first that is to be classified.

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
        self._layers: list[Image] = []
        self._selection: Any = None  # what tells of another region that is selected
        self._version = 0
        self._following = False

    def follow(self) -> None:
        """Listen to the viewer and the panel."""
        if self._following:
            return
        self._following = True
        for emitter, callback in self._emitters():
            emitter.connect(callback)
        for signal in (self._session.form_changed, self._session.images.changed):
            signal.connect(self._on_changed)
        self._on_changed()

    def leave(self) -> None:
        """Stop listening."""
        if not self._following:
            return
        self._following = False
        for emitter, callback in self._emitters():
            emitter.disconnect(callback)
        for signal in (self._session.form_changed, self._session.images.changed):
            signal.disconnect(self._on_changed)
        self._listen_to([])
        self._listen_to_selection(None)

    def now(self) -> Shown | None:
        """Return what is shown; None if there is no image.

        Raises
        ------
        WebIPredError
            It cannot be classified.
        """
        item = self._item()
        if item is None:
            return None
        form = self._session.form
        options = Options(intensity=preferred_intensity(layers=True)) if form is None else form.options()
        planes: Planes = "all" if form is None else form.planes.value
        pairs = sources_of(item, self._session.images, planes, self._viewer.dims)
        if not pairs or not len(pairs[0][1]):
            raise OptionError(f"No plane of {called(item)} is chosen.", "Choose planes that there are.")
        target, source = pairs[0]
        if options.intensity == "limits":
            source = with_limits(target, source)
        source = replace(source, regions=self._regions(target, source))
        index = self._index(target, source)
        region = self._region(one_plane(source, index))
        return Shown(item, target.layers, source, index, region, options, Stack(source, self._version))

    def _item(self) -> Item | None:
        images, layers = self._session.images, image_layers(self._viewer)
        entries = images.entries(layers)
        active = unwrapped(self._viewer.layers.selection.active)
        for item in entries:
            if any(layer is active for layer in _layers_of(item)):
                return item
        usable = [item for item in entries if images.is_ticked(item) and description(item, images, "all")[1]]
        return (usable or entries or [None])[0]

    def _regions(self, target: Target, source: Source) -> tuple[Region, ...] | None:
        """Return the regions that are classified of a source; None if whole planes are."""
        form = self._session.form
        if form is None or form.regions.value is None:
            return source.regions
        return next(
            (own.regions for each, own in zip(*form.sources(), strict=True) if each.layers == target.layers), None
        )

    def _region(self, plane: Source) -> Region | None:
        """Return the region of a plane that is selected in its layer, or else the first one."""
        chosen = None if self._session.form is None else selected_region(self._session.form.regions.value)
        regions = [region for _, region in plane.parts()]
        selected = (each for each in regions if each is not None and each.name == chosen)
        return next(selected, next(iter(regions), None))

    def _index(self, target: Target, source: Source) -> Index:
        """Return the plane of a source that is shown, or the nearest one that is taken."""
        taken = list(map(range, source.shape) if source.planes is None else source.planes)
        if not (target.layers and target.axes):
            return tuple(places[0] for places in taken)
        shown = place_shown(target.layers[0], self._viewer.dims)
        return tuple(_nearest(places, shown[axis]) for places, axis in zip(taken, target.axes, strict=True))

    def _emitters(self) -> list[tuple[Any, Callable[..., None]]]:
        layers = self._viewer.layers
        names = ("inserted", "removed", "reordered")
        return [
            (self._viewer.dims.events.current_step, self._on_changed),
            (layers.selection.events.active, self._on_changed),
            *((getattr(layers.events, name), self._on_changed) for name in names),
        ]

    def _listen_to(self, layers: list[Image]) -> None:
        for layer in self._layers:
            for name in LAYER_EVENTS:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).disconnect(self._on_changed)
        self._layers = layers
        for layer in layers:
            for name in LAYER_EVENTS:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).connect(self._on_changed)

    def _listen_to_selection(self, layer: Any | None) -> None:
        emitter = None if layer is None else selection_events(layer)
        if emitter is self._selection:
            return
        if self._selection is not None:
            self._selection.disconnect(self._on_changed)
        self._selection = emitter
        if emitter is not None:
            emitter.connect(self._on_changed)

    def _on_changed(self, event: Any = None) -> None:
        if self._following:
            self._listen_to_selection(None if self._session.form is None else self._session.form.regions.value)
        self._version += getattr(event, "type", "") == "data"
        item = self._item()
        layers = [] if item is None else _layers_of(item)
        if layers != self._layers:
            self._listen_to(layers)
        self.changed.emit()


def _layers_of(item: Item) -> list[Image]:
    return [] if isinstance(item, ImageFiles) else [item] if isinstance(item, Image) else item.layers


def _same(one: Source, other: Source) -> bool:
    """Tell whether two sources read the same pixels; those that are made of others are made anew each time."""
    if (one.reader, one.shape, one.details) != (other.reader, other.shape, other.details):
        return False
    parts = (each.location if isinstance(each.location, tuple) else (each.location,) for each in (one, other))
    return all(
        _same(a, b) if isinstance(a, Source) and isinstance(b, Source) else a is b for a, b in zip(*parts, strict=True)
    )


def _nearest(places: range, place: int) -> int:
    return min(places, key=lambda each: abs(each - place))

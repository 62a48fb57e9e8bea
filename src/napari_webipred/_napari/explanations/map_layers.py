"""Shows the maps of the chosen row in the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.explanations.map_layer import Look, MapLayer, map_array
from napari_webipred._napari.explanations.maps import Maps
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_look import is_bright
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred.errors import WebIPredError
from napari_webipred.results.session_table import Entry


class MapLayers(QObject):
    """One map layer over each layer whose rows are explained, made when it is first looked at.

    Signals
    -------
    failed : Exception
        The map of the chosen row cannot be shown.
    """

    failed = Signal(object)

    def __init__(self, viewer: Any, maps: Maps, places: RowPlaces, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._maps = maps
        self._places = places
        self._chosen: tuple[Entry, int] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)  # napari may be about to add or choose a layer
        self._timer.timeout.connect(self._show)
        maps.changed.connect(self._timer.start)
        self._following = False
        self.follow()

    @property
    def busy(self) -> bool:
        """Whether something is still to be shown."""
        return bool(self._timer.isActive())

    def follow(self) -> None:
        """Listen to the viewer."""
        if not self._following:
            self._following = True
            self._viewer.layers.events.removed.connect(self._on_removed)
            self._viewer.layers.events.inserted.connect(self._on_inserted)

    def leave(self) -> None:
        """Stop listening."""
        if self._following:
            self._following = False
            self._viewer.layers.events.removed.disconnect(self._on_removed)
            self._viewer.layers.events.inserted.disconnect(self._on_inserted)
            self._timer.stop()

    def choose(self, entry: Entry | None, number: int) -> None:
        """Show the maps of a row soon, if it has some."""
        self._chosen = None if entry is None else (entry, number)
        if self._maps.layers or len(self._maps):
            self._timer.start()

    def uncover(self) -> None:
        """Show the map of the chosen row even if the user has hidden it."""
        if (found := self._of_chosen()) is not None:
            found.hidden = True
        self._timer.start()

    def under(self, layer: Any) -> Any:
        """Return the layer below a map layer, or else the layer itself."""
        found = (each.under for each in self._maps.layers.values() if each.layer is layer)
        return next((under for under in found if under is not None), layer)

    @contextmanager
    def noting_hidden(self, target: Target) -> Iterator[list[Image]]:
        """Let the maps over other layers than those of a target be hidden, to show them again with their layers."""
        others = [each for layer, each in self._maps.layers.items() if layer not in target.layers]
        visible = [each for each in others if each.layer.visible]
        yield [each.layer for each in others]
        for each in visible:
            each.hidden = not each.layer.visible

    def keep(self) -> None:
        """Leave the map of the chosen row as it is; the next class comes as another layer."""
        kept = self._of_chosen()
        if kept is not None and (under := kept.under) is not None:
            kept.release()
            self._maps.layers.pop(under)

    def _layer(self, target: Target) -> Image | None:
        """Return the uppermost layer of a target."""
        layers = list(map(unwrapped, self._viewer.layers))
        return next((layer for layer in reversed(layers) if layer in target.layers), None)

    def _of_chosen(self) -> MapLayer | None:
        if self._chosen is None:
            return None
        layer = self._layer(self._places.target(self._chosen[0], map(unwrapped, self._viewer.layers)))
        return None if layer is None else self._maps.layers.get(layer)

    def _show(self) -> None:
        for each in list(self._maps.layers.values()):
            if not self._maps.of_image(each.look.image):
                self._viewer.layers.remove(each.layer)
        if self._chosen is None:
            return
        entry, number = self._chosen
        image = entry.run.number, entry.row.source
        target = self._places.target(entry, map(unwrapped, self._viewer.layers))
        layer = self._layer(target)
        if layer is None:
            return
        shown = self._maps.layers.get(layer)
        if self._maps.of_image(image) and (shown is None or shown.look.image == image or self._maps.of(number)):
            self._update(entry, number, target, layer)
        elif shown is not None and shown.layer.visible:
            shown.hidden, shown.layer.visible = True, False  # it tells of another run

    def _update(self, entry: Entry, number: int, target: Target, layer: Image) -> None:
        image = entry.run.number, entry.row.source
        shown, maps = self._maps.layers.get(layer), self._maps.of_image(image)
        look = self._look(entry, number, layer, shown)
        try:
            array = map_array(layer, target, maps, look.class_index)
        except WebIPredError as error:
            self.failed.emit(error)
            return
        if shown is None:
            self._add(layer, MapLayer(layer, array, look, self._maps.forget_layer))
            return
        shown.show(array, look)
        if shown.hidden:
            shown.hidden, shown.layer.visible = False, True

    def _look(self, entry: Entry, number: int, layer: Image, shown: MapLayer | None) -> Look:
        image = entry.run.number, entry.row.source
        index = self._maps.class_of(entry)
        same = shown is not None and shown.look.image == image
        scale = shown.look.scale if shown is not None and same else 1.0
        if self._maps.of(number) is not None:
            scale = self._maps.scale(number)
        bright = is_bright([layer]) if shown is None else shown.look.bright
        return Look(image, index, entry.run.card.class_names[index], scale, self._maps.signed, bright)

    def _add(self, layer: Image, added: MapLayer) -> None:
        layers = self._viewer.layers
        active = layers.selection.active
        self._maps.layers[layer] = added
        layers.insert(list(map(unwrapped, layers)).index(layer) + 1, added.layer)
        layers.selection.active = active

    def _on_inserted(self, event: Any) -> None:
        self._timer.start()

    def _on_removed(self, event: Any) -> None:
        gone = unwrapped(event.value)
        if gone in self._maps.layers:
            each = self._maps.layers.pop(gone)
            each.release()
            if each.layer in self._viewer.layers:
                self._viewer.layers.remove(each.layer)
            return
        for layer, each in list(self._maps.layers.items()):
            if each.layer is gone:
                each.release()
                self._maps.layers.pop(layer)

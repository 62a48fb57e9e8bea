"""The dock in which heat maps of large pictures are made."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from napari.layers import Image
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.images.layers import image_layers, name_of
from napari_webipred._napari.images.preview import ready_card
from napari_webipred._napari.images.understanding import Understanding
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.slides.drawn_region import drawn_on
from napari_webipred._napari.slides.estimate import Estimate, Wanted, estimated
from napari_webipred._napari.slides.map_view import MapView
from napari_webipred._napari.slides.picture_layer import axes_along, is_large, picture_of
from napari_webipred._napari.slides.request_form import RequestForm
from napari_webipred._napari.viewer_session import session_of
from napari_webipred._napari.widgets.button import MainButton
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.dock import InDock, set_connected
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.names import readable
from napari_webipred.options import Options, preferred_hardware, preferred_intensity

WIDTH, HEIGHT = 380, 460
SHARE = 0.5  # of the height of the window
LAYER_EVENTS = ("data", "scale", "units", "rotate", "shear", "affine", "translate")
LIMITS_EVENTS = ("contrast_limits",)
SHAPES_EVENTS = ("data", "scale", "rotate", "shear", "affine", "translate")


class HeatMapWidget(QWidget):
    """Makes heat maps: chooses a picture and how it is cut into tiles, and shows how far its map is.

    The model is the one that was chosen last, and the options are those of the panel where it is open. Maps are kept
    when the widget is closed.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._session = session_of(napari_viewer)
        self._maps = self._session.heat_maps
        self._theme = theme = Theme(napari_viewer)
        self._layers: list[weakref.ref[Image]] = []
        self._heard: list[Any] = []
        self.latest = Latest(self)
        self.picture = choice("Picture")
        self.picture.setToolTip("The image layer whose tiles are classified")
        self.form = RequestForm(self.picture)
        self.count = MutedLabel()
        self.remark = Message(theme)
        self.button = MainButton("Make heat map", theme)
        self.message = Message(theme)
        self.view = MapView(self._maps, theme)
        self._lay_out()
        self.picture.currentIndexChanged.connect(self._on_picture)
        self.form.changed.connect(self.look)
        self.form.region.currentIndexChanged.connect(self._hear)
        self.button.clicked.connect(self.make)
        self.latest.done.connect(self._on_estimate)
        self.latest.failed.connect(self._on_fault)
        self._busy = False
        self._dock = InDock(self, self._listen, SHARE)
        self._dock.listen(True)

    def _lay_out(self) -> None:
        self.view.align(self.form.label_width)
        self.scroll, layout = scrolling_column(self, "Heat map", 6)
        for widget in (self.form, self.count, self.remark, self.button, self.message, self.view):
            layout.addWidget(widget)
        layout.addStretch(1)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    @property
    def layer(self) -> Image | None:
        """The picture that is chosen."""
        place = self.picture.currentIndex()
        return self._layers[place]() if 0 <= place < len(self._layers) else None

    def make(self) -> None:
        """Make a heat map of the picture as it is chosen; say why if that cannot be."""
        self.message.clear()
        try:
            wanted, layer = self._wanted()
            if self._maps.running is not None:
                raise OptionError("Another heat map is being computed.", "Wait, or cancel it.")
        except WebIPredError as error:
            self.message.show_error(error)
            return
        given = self._session.loading.model_input()
        self._maps.start(self._viewer, layer, wanted, given, self.form.shapes)

    def look(self, *_: Any) -> None:
        """Count the tiles, or say what is missing."""
        self.message.clear()
        try:
            wanted, _layer = self._wanted()
        except WebIPredError as error:
            self.latest.stop()
            self._on_fault(error)
            return
        from napari_webipred.slides.mapping import OFF_LABEL

        if wanted.model.card.tile_ok:
            self.remark.clear()
        else:
            remark, hint = OFF_LABEL.split(". ", 1)
            self.remark.show_note(f"{remark}.", hint)
        if self._maps.running is not None:  # which needs all that counting the tiles needs
            self.button.setEnabled(False)
            self.latest.stop()
            if self._maps.running is not self.view.run:
                self.count.setText("Tiles are counted when the other heat map is done.")
            return
        self.button.setEnabled(True)
        self.count.setText("Counting the tiles…")
        self.latest.ask(lambda: estimated(wanted, self._maps.tile_seconds.get(_pace_key(wanted))))
        self._asked = wanted

    def reset_choices(self, *_: Any) -> None:
        """List the layers again; napari calls it when some come, go or are renamed, even after the dock was closed."""
        if not self._dock.listening:
            return
        chosen = self.layer
        layers = image_layers(self._viewer)
        active = self._maps.picture(unwrapped(self._viewer.layers.selection.active))
        if not any(layer is chosen for layer in layers):
            large = [layer for layer in layers if is_large(layer)]
            chosen = next((layer for layer in layers if layer is active), next(iter([*large, *layers]), None))
        self._layers = list(map(weakref.ref, layers))
        before = self.picture.blockSignals(True)
        self.picture.clear()
        self.picture.addItems([readable(name_of(layer)) for layer in layers])
        self.picture.setCurrentIndex(next((i for i, layer in enumerate(layers) if layer is chosen), -1))
        self.picture.blockSignals(before)
        self.form.list_layers(self._viewer)
        self._on_picture()

    def _wanted(self) -> tuple[Wanted, Image]:
        """Return what a click would make, and of which layer."""
        ready_card(self._session)
        layer, model, form = self.layer, self._session.loading.model, self._session.form
        if layer is None or model is None:
            raise OptionError("No image is open.", "Open a picture in napari first.")
        hardware = preferred_hardware()
        options = (
            Options(preferred_intensity(layers=True), device=hardware.device, precision=hardware.precision)
            if form is None
            else form.options()
        )
        options = replace(options, views=None, reference=False, identify=False)  # as in the shell and in Python
        understanding = self._understanding(layer)
        limits = options.intensity == "limits"
        picture, index = picture_of(layer, self._viewer.dims, understanding, limits=limits)
        shapes = self.form.shapes
        drawn = None if shapes is None else drawn_on(shapes, layer)
        axes = axes_along(layer, understanding)
        return Wanted(model, picture, index, axes, self.form.request(), drawn, options), layer

    def _understanding(self, layer: Image) -> Understanding:
        return self._session.images.understanding(layer)

    def _on_picture(self, *_: Any) -> None:
        layer = self.layer
        try:
            found = None if layer is None else picture_of(layer, self._viewer.dims, self._understanding(layer))[0]
        except WebIPredError:
            found = None  # `look` says why
        self.form.show_picture(found)
        self._hear()
        self._show_run()
        self.look()

    def _on_estimate(self, estimate: Estimate) -> None:
        self._maps.tile_seconds[_pace_key(self._asked)] = estimate.tile_seconds
        self.count.setText(estimate.words)

    def _on_fault(self, error: Exception) -> None:
        """Say why no map can be made; a click would say it, too."""
        self.count.setText("")
        self.remark.clear()
        self.button.setEnabled(False)
        if isinstance(error, WebIPredError):
            self.message.show_note(error.message, error.hint)
        else:
            self.message.show_error(error)

    def _on_active(self, event: Any = None) -> None:
        """Choose the picture of the active layer."""
        active = unwrapped(self._viewer.layers.selection.active)
        picture = self._maps.picture(active)
        place = next((i for i, layer in enumerate(self._layers) if layer() is picture), None)
        if place is not None and place != self.picture.currentIndex():
            self.picture.setCurrentIndex(place)
        self._show_run()

    def _show_run(self) -> None:
        """Show the map whose layer is active, or else the last one of the picture."""
        active, layer = unwrapped(self._viewer.layers.selection.active), self.layer
        run = self._maps.of(active)
        if run is None or (layer is not None and run.layer is not None and run.layer is not layer):
            run = None if layer is None else self._maps.of(layer)
        self.view.show_run(run)
        running = self._maps.running
        self.button.setVisible(running is None or running is not self.view.run)

    def _on_maps(self) -> None:
        """Show that a map has begun or ended."""
        self._show_run()
        run = self.view.run
        if run is not None and not run.running:
            self.view.end()
            if (seconds := run.tile_seconds) is not None:
                self._maps.tile_seconds[_pace_key(run.wanted)] = seconds
        if (busy := self._maps.running is not None) is not self._busy:
            self._busy = busy
            self.look()
            QTimer.singleShot(0, self._scroll_to_map)  # when it has its place

    def _scroll_to_map(self) -> None:
        self.scroll.ensureWidgetVisible(self.view)

    def _listen(self, listening: bool) -> None:
        set_connected(self._heard_always(), listening)
        if listening:
            self._show_focus()
            self.reset_choices()
        else:
            self.latest.stop()
            self._hear()

    def _heard_always(self) -> list[tuple[Any, Callable[..., None]]]:
        session, maps = self._session, self._maps
        return [
            (self._viewer.events.theme, self._show_focus),
            (self._viewer.layers.selection.events.active, self._on_active),
            (session.model_changed, self.look),
            (session.form_changed, self.look),
            (session.images.changed, self._on_picture),
            (maps.changed, self._on_maps),
            (maps.grown, self.view.grow),
            (maps.class_changed, self.view.show_class),
        ]

    def _hear(self, *_: Any) -> None:
        """Listen to the picture and to the shapes that are chosen now."""
        set_connected(self._heard, connected=False)
        self._heard = []
        if not self._dock.listening:
            return
        for layer, names, callback in (
            (self.layer, LAYER_EVENTS, self._on_picture),
            (self.layer, LIMITS_EVENTS, self.look),  # which change what is read, not what can be chosen
            (self.form.shapes, SHAPES_EVENTS, self.look),
        ):
            if layer is not None:
                self._heard += [(layer.events[name], callback) for name in names if name in layer.events.emitters]
        if self.form.shapes is not None:
            self._heard.append((self.form.shapes.selected_data.events.items_changed, self.look))
        for emitter, callback in self._heard:
            emitter.connect(callback)

    def _show_focus(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))


def _pace_key(wanted: Wanted) -> tuple[Any, ...]:
    """Return what the speed of a run depends on."""
    options, request = wanted.options, wanted.request
    how = options.device, options.precision, options.workers
    return wanted.model.checksum, wanted.picture.name, request.tile, request.level, request.microns_per_pixel, *how

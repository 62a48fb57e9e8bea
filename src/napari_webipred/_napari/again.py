"""The command that classifies the active layer with the model and the settings that were used last."""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_webipred._napari.images.layers import image_layers
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.remedies import hint_of
from napari_webipred.errors import WebIPredError

NO_IMAGE = "Select one image layer in the list of layers, and try again."
NO_MODEL = (
    "No model was used before, or it is not on this machine any more. Choose one in the panel, and click Classify."
)
NOT_HERE = "The chosen model is not on this machine yet. Click Download in the panel first."


def classify_layer(viewer: Viewer) -> None:
    """Open the panel, and classify the active image layer as the last run did; say what to do if that cannot be."""
    layer = unwrapped(viewer.layers.selection.active)
    dock, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    dock.show()
    dock.raise_()
    if layer not in image_layers(viewer):
        show_info(NO_IMAGE)
        return
    panel.memory.when_restored(lambda: _classify(panel, layer))


def _classify(panel: Any, layer: Any) -> None:
    entry = panel.model.chosen_entry
    if entry is None or not entry.here:
        show_info(NO_MODEL if entry is None else NOT_HERE)
        return
    try:
        panel.form.images.value = [layer]
        panel.form()
    except WebIPredError as error:
        show_info(f"{error.message} {hint_of(error)}".strip())

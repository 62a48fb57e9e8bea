"""Grey layers that are classified as one colour image."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, final

from napari.layers import Image

from napari_webipred._napari.images.layers import (
    colour_of,
    grey_source,
    name_of,
    names_of_axes,
    pixels_of,
    projected,
    shape_of,
    shown_range,
    size_of,
    with_planes,
)
from napari_webipred._napari.images.place import place_shown
from napari_webipred._napari.images.understanding import Axis, Planes, Understanding, in_words, taken, understood_planes
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.selection import MOST_CHANNELS, Channel, colour_name, merge
from napari_webipred.imaging.source import Source


@final
class MergedLayers:
    """Several grey layers of the same size as the channels of one image, in the colours and limits that they show.

    Parameters
    ----------
    layers : sequence of napari.layers.Image
        Held weakly.
    """

    def __init__(self, layers: Sequence[Image]) -> None:
        self._layers = [weakref.ref(layer) for layer in layers]

    @property
    def layers(self) -> list[Image]:
        """The layers that are still there."""
        return [layer for reference in self._layers if (layer := reference()) is not None]

    def keep(self, layers: Sequence[Image]) -> None:
        """Forget those of the layers that are not among these."""
        self._layers = [reference for reference in self._layers if any(reference() is layer for layer in layers)]

    @property
    def name(self) -> str:
        """What the image is called."""
        return " + ".join(map(name_of, self.layers))

    def axes(self, understanding: Understanding) -> list[Axis]:
        """Return how the leading axes of all layers are understood: as planes or projected."""
        return understood_planes(names_of_axes(self.layers), shape_of(self.layers[0])[:-2], understanding)

    def source(self, understanding: Understanding, planes: Planes, dims: Any = None) -> Source:
        """Describe the image for the engine, with the colours and contrast limits of now.

        Raises
        ------
        WebIPredError
            The layers cannot be merged.
        """
        fault = fault_of_merging(self.layers)
        if fault is not None:
            raise fault
        axes = self.axes(understanding)
        names = [axis.name for axis in axes]
        channels = [
            Channel(projected(grey_source(layer, names), axes), colour_of(layer), shown_range(layer))
            for layer in self.layers
        ]
        current = None if dims is None else place_shown(self.layers[0], dims)
        return with_planes(merge(self.name, channels), taken(axes, planes, current))

    def describe(self, understanding: Understanding, planes: Planes) -> tuple[str, bool]:
        """Describe how the image is made, or why it cannot be classified; and return whether it can."""
        try:
            self.source(understanding, planes)
        except WebIPredError as error:
            return error.message, False
        first = self.layers[0]
        colours = ", ".join(colour_name(colour_of(layer)) for layer in self.layers)
        words = (colours, *in_words(self.axes(understanding), planes), pixels_of(first), size_of(first))
        return " · ".join(words), True

    def why(self) -> str:
        """Say which layer has which colour and contrast limits."""
        parts = [
            f"{name_of(layer)} in {colour_name(colour_of(layer))}, {low:g} to {high:g}"
            for layer in self.layers
            for low, high in (shown_range(layer),)
        ]
        return f"Merged with the colours and contrast limits of the layers: {'; '.join(parts)}."


def fault_of_merging(layers: Sequence[Image]) -> WebIPredError | None:
    """Return why these layers cannot be merged; None if they can."""
    if not 2 <= len(layers) <= MOST_CHANNELS:
        return OptionError(f"{len(layers)} layers cannot be merged.", f"Select 2 to {MOST_CHANNELS} layers.")
    for layer in layers:
        if layer.rgb:
            return OptionError(f"“{name_of(layer)}” has colours of its own.", "Merge only layers that are grey.")
        if shape_of(layer) != shape_of(layers[0]):
            sizes = " and ".join(" × ".join(map(str, shape_of(each))) for each in (layers[0], layer))
            return OptionError(f"The layers have different sizes: {sizes}.", "Merge only layers of the same size.")
    return None

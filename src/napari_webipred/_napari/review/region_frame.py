"""A frame around the region under review, which has no colour of a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred._napari.images.layers import MAP
from napari_webipred._napari.proxy import unwrapped

NAME = "Region under review"
COLOUR = "yellow"
WIDTH = 1 / 100  # of the longer side


class RegionFrame:
    """Shows one frame at a time, in a layer that goes away with it."""

    def __init__(self, viewer: Any, name: str = NAME) -> None:
        self._viewer = viewer
        self._name = name
        self._layer: Any | None = None

    def show(self, corners: NDArray[np.float64] | None) -> None:
        """Show a frame with these corners in the world, (4, d), or none."""
        self.remove()
        if corners is None:
            return
        active = self._viewer.layers.selection.active
        width = max(float(np.ptp(corners[:, -2:], axis=0).max()) * WIDTH, 1e-9)
        self._layer = unwrapped(
            self._viewer.add_shapes(
                [corners],
                shape_type="polygon",
                edge_color=COLOUR,
                edge_width=width,
                face_color="transparent",
                name=self._name,
                metadata={MAP: "review"},
            )
        )
        self._viewer.layers.selection.active = active

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer = self._layer, None
        if layer in map(unwrapped, self._viewer.layers):
            self._viewer.layers.remove(layer)

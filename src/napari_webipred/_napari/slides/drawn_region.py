"""The part of a picture that shapes enclose, as a heat map takes it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from napari.layers import Image, Shapes

from napari_webipred._napari.regions.drawing_search import of_drawing
from napari_webipred._napari.regions.region_layer import Drawing, Grid, drawing_of, grid_of
from napari_webipred.errors import ImageError
from napari_webipred.names import visible


class Drawn(Struct, frozen=True, eq=False):
    """Shapes over a picture, as they are at one moment.

    Attributes
    ----------
    layer : str
        What the layer of the shapes is called.
    drawing : Drawing
        The selected shapes, or all of them if none is selected.
    grid : Grid
        How the picture lies below them.
    """

    layer: str
    drawing: Drawing
    grid: Grid


def drawn_on(shapes: Shapes, picture: Image) -> Drawn:
    """Take a copy of the selected shapes of a layer, or of all if none is selected."""
    drawing, chosen = drawing_of(shapes), sorted(shapes.selected_data)
    if chosen:
        parts = np.split(drawing.points, drawing.ends[:-1])
        drawing = replace(
            drawing,
            points=np.concatenate([parts[number] for number in chosen]),
            ends=np.cumsum([len(parts[number]) for number in chosen], dtype=np.intp),
            kinds=tuple(drawing.kinds[number] for number in chosen),
            names=tuple(drawing.names[number] for number in chosen),
        )
    return Drawn(visible(shapes.name), drawing, grid_of(picture, ()))  # on whatever plane they are drawn


def region_of(drawn: Drawn) -> Generator[None, None, list[Any]]:
    """Return boxes (top, left, bottom, right) and polygons of shape (n, 2), in full-size pixels of the picture.

    Raises
    ------
    ImageError
        No shape encloses anything.
    """
    found = yield from of_drawing(drawn.drawing, drawn.grid, blank=True)
    if not found.regions:
        raise ImageError(
            " ".join([f"{drawn.layer} has no shape that encloses a part of the picture.", *found.left_out]),
            "Draw a rectangle, an ellipse or a polygon over the picture.",
        )
    return [each.box if each.outline is None else each.outline for each in found.regions]

"""Regions of an image, from what is drawn over it."""

from __future__ import annotations

from collections.abc import Generator

from napari_webipred._napari.regions.drawing_search import of_drawing
from napari_webipred._napari.regions.painting_search import of_painting
from napari_webipred._napari.regions.region_layer import Drawing, Grid, Painting
from napari_webipred._napari.regions.region_place import Search


def search(drawn: Drawing | Painting, grid: Grid, blank: bool) -> Generator[None, None, Search]:
    """Find the regions of an image; yields now and then, so that it can be cancelled.

    Parameters
    ----------
    drawn : Drawing or Painting
    grid : Grid
        How the image lies below it.
    blank : bool
        Whether pixels outside a region but in the box around it become black.

    Raises
    ------
    ImageError
        The layers do not lie alike, or there are too many regions.
    """
    if isinstance(drawn, Drawing):
        return (yield from of_drawing(drawn, grid, blank))
    return (yield from of_painting(drawn, grid, blank))

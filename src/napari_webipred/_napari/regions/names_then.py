"""What shapes were called when they were classified: their numbers change when others are removed or moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from typing import TypeAlias

from napari_webipred._napari.regions.drawing_search import of_drawing
from napari_webipred._napari.regions.region_layer import Drawing, Grid
from napari_webipred.imaging.region import Region
from napari_webipred.results.inputs import RegionInput

Boxes: TypeAlias = frozenset[tuple[int, tuple[int, ...] | None, tuple[int, int, int, int]]]


def names_then(
    drawing: Drawing, images: Sequence[tuple[Grid, Sequence[RegionInput]]]
) -> Generator[None, None, dict[str, str]]:
    """Return the names that the shapes of a layer had in a run, by their names now; without those that were changed.

    Parameters
    ----------
    drawing : Drawing
        The shapes as they are now.
    images : sequence of Grid and sequence of RegionInput
        How each image of the run lies, and what was classified of it.
    """
    then: defaultdict[Boxes, list[str]] = defaultdict(list)
    for name, boxes in _boxes([regions for _, regions in images]).items():
        then[boxes].append(name)
    now: list[Sequence[Region]] = []
    for grid, _ in images:
        now.append((yield from of_drawing(drawing, grid, blank=False)).regions)
    return {name: then[boxes].pop(0) for name, boxes in _boxes(now).items() if then[boxes]}


def _boxes(images: Sequence[Sequence[Region | RegionInput]]) -> dict[str, Boxes]:
    """Return where each region lies: on which images and planes, and in which box."""
    found: defaultdict[str, set[tuple[int, tuple[int, ...] | None, tuple[int, int, int, int]]]] = defaultdict(set)
    for number, regions in enumerate(images):
        for region in regions:
            found[region.name].add((number, region.index, region.box))
    return {name: frozenset(boxes) for name, boxes in found.items()}

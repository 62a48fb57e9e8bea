"""What regions were called when they were classified: shapes get other numbers, and labels may be given anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from typing import TypeAlias

from napari_webipred._napari.regions.region_layer import Drawing, Grid, Painting
from napari_webipred._napari.regions.region_search import search
from napari_webipred.imaging.region import Region
from napari_webipred.results.inputs import RegionInput

Boxes: TypeAlias = frozenset[tuple[int, tuple[int, ...] | None, tuple[int, int, int, int]]]


def names_then(
    drawn: Drawing | Painting, images: Sequence[tuple[Grid, Sequence[RegionInput]]]
) -> Generator[None, None, dict[str, str]]:
    """Return the names that the regions of a layer had in a run, by their names now; without those that were changed.

    Parameters
    ----------
    drawn : Drawing or Painting
        The shapes or labels as they are now.
    images : sequence of Grid and sequence of RegionInput
        How each image of the run lies, and what was classified of it.
    """
    then = _names(_boxes([regions for _, regions in images]))
    now: list[Sequence[Region]] = []
    for grid, _ in images:
        now.append((yield from search(drawn, grid, blank=False)).regions)
    found: dict[str, str] = {}
    for boxes, names in _names(_boxes(now)).items():
        before = then.get(boxes, [])
        if len(names) == len(before) == 1:
            found[names[0]] = before[0]
        else:  # several in one box can be told apart by their names only
            found |= {name: name for name in names if name in before}
    return found


def _names(boxes: Mapping[str, Boxes]) -> dict[Boxes, list[str]]:
    """Return which regions lie in the same boxes."""
    found: defaultdict[Boxes, list[str]] = defaultdict(list)
    for name, each in boxes.items():
        found[each].append(name)
    return dict(found)


def _boxes(images: Sequence[Sequence[Region | RegionInput]]) -> dict[str, Boxes]:
    """Return where each region lies: on which images and planes, and in which box."""
    found: defaultdict[str, set[tuple[int, tuple[int, ...] | None, tuple[int, int, int, int]]]] = defaultdict(set)
    for number, regions in enumerate(images):
        for region in regions:
            found[region.name].add((number, region.index, region.box))
    return {name: frozenset(boxes) for name, boxes in found.items()}

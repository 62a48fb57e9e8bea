"""Images and regions of one name that are known to be others, although runs call them alike."""

from __future__ import annotations

import os
from collections.abc import Callable

from napari_webipred.results.inputs import ImageInput, Inputs
from napari_webipred.results.row import Row


def telling_apart(first: Inputs | None, other: Inputs | None) -> Callable[[Row, Row], bool]:
    """Return a function that tells whether rows of two runs that have the same name are known to be of other images.

    They are if their DICOM identifiers or sizes differ, if their files are both there and not the same, or if their
    regions lie elsewhere. A file that is no longer there tells nothing: a session may have been moved to another
    computer. The function looks at the disk, once for each pair of files.
    """
    known: dict[tuple[int, int], bool] = {}
    moved: dict[tuple[int, int], set[str]] = {}

    def are_others(one: Row, two: Row) -> bool:
        pair = one.source, two.source
        image = None if first is None else first.image(one.source)
        namesake = None if other is None else other.image(two.source)
        if image is None or namesake is None:
            return False
        if pair not in known:
            known[pair], moved[pair] = _are_others(image, namesake), _moved(image, namesake)
        return known[pair] or one.region in moved[pair]

    return are_others


def _are_others(one: ImageInput, two: ImageInput) -> bool:
    if one.instances and two.instances:
        return one.instances != two.instances
    if one.shape and two.shape and one.shape != two.shape:
        return True
    if one.path is None or two.path is None or one.path == two.path:
        return False
    try:
        return not os.path.samefile(one.path, two.path)  # noqa: PTH121 - they are texts
    except OSError:  # one of them is not there
        return False


def _moved(one: ImageInput, two: ImageInput) -> set[str]:
    """Return the names of regions that lie elsewhere in the other image."""
    here, there = _drawn(one), _drawn(two)
    return {name for name in here.keys() & there.keys() if here[name] != there[name]}


def _drawn(image: ImageInput) -> dict[str, set[tuple[object, ...]]]:
    """Return where the regions of each name lie, as far as that is known."""
    found: dict[str, set[tuple[object, ...]]] = {}
    for region in (image.parts.regions if image.parts else None) or ():
        found.setdefault(region.name, set()).add((region.box, region.index, region.outline))
    return found

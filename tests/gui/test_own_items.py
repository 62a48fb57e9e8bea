"""Pictures that get a label: which are still the same, so that their features can be kept."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.own_classes.items import Item, Mark, unchanged
from napari_webipred.fitting.project import Picture
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.selection import Channel, merge, project, take_channel

STACK = np.zeros((4, 6, 8, 8), np.uint16)
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def stack():
    return array_source(STACK, "stack", axes=("c", "z"))


def merged(colour=RED, limits=(0.0, 1.0)):
    return merge("stack", [Channel(take_channel(stack(), "c", 0), colour, limits)])


MADE = {
    "as it is": stack,
    "maximum": lambda: project(stack(), "z", "max"),
    "mean": lambda: project(stack(), "z", "mean"),
    "maximum of some": lambda: project(stack(), "z", "max", slice(1, 3)),
    "maximum of others": lambda: project(stack(), "z", "max", slice(2, 4)),
    "along the other axis": lambda: project(stack(), "c", "max"),
    "a channel": lambda: take_channel(stack(), "c", 0),
    "another channel": lambda: take_channel(stack(), "c", 1),
    "a channel of a projection": lambda: take_channel(project(stack(), "z", "max"), "c", 0),
    "a channel of another projection": lambda: take_channel(project(stack(), "z", "mean"), "c", 0),
    "red": merged,
    "green": lambda: merged(GREEN),
    "red in another range": lambda: merged(limits=(0.0, 0.5)),
}


def item(source) -> Item:
    return Item(Picture("stack"), Target([]), source, (0,), None)


@pytest.mark.parametrize("one", MADE)
@pytest.mark.parametrize("other", MADE)
def test_pictures_are_the_same_only_if_their_pixels_come_about_alike(one: str, other: str) -> None:
    before, now = item(MADE[one]()), item(MADE[other]())
    assert unchanged([before], [now]) is (one == other)
    assert Mark(before).fits(now) is (one == other)


def test_other_arrays_and_other_axes_of_colours_are_other_pictures() -> None:
    pixels = np.zeros((3, 3, 8, 8), np.uint8)
    first = item(array_source(pixels, "stack", axes=("c", "z")))
    assert unchanged([first], [item(array_source(pixels, "stack", axes=("c", "z")))])
    assert not unchanged([first], [item(array_source(pixels, "stack", axes=("z", "c")))])
    assert not unchanged([first], [item(array_source(pixels.copy(), "stack", axes=("c", "z")))])

"""Pictures that get a label: which are still the same, so that their features can be kept."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.own_classes.items import Item, Mark, unchanged
from napari_webipred._napari.own_classes.subjects import Subjects
from napari_webipred.fitting.project import Picture, Project
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


class Layer:
    """Stands in for a layer: something that can be held weakly."""


def picture(name: str, layer: Layer, region: str = "", box=(0, 0, 8, 8), drawing: Layer | None = None) -> Item:
    """Return a picture of a layer, or of a shape that was drawn over it."""
    what = (box, None) if region else None
    subject = ((weakref.ref(layer),), (), weakref.ref(drawing) if drawing else None, what)
    return Item(Picture(name, (), region), Target([]), stack(), (0,), None, subject=subject)


def shapes(layer: Layer, drawing: Layer, *boxes) -> list[Item]:
    return [picture("image", layer, str(number), box, drawing) for number, box in enumerate(boxes, 1)]


class Labelled:
    """Labels that go with what they were given to, as in the dock."""

    def __init__(self) -> None:
        self.subjects, self.project = Subjects(), Project()
        self.items: list[Item] = []

    def see(self, *items: Item) -> None:
        self.items = [*items]
        self.project.move(self.subjects.look(items, self.project.named))

    def label(self, *names: str) -> None:
        for each, name in zip(self.items, names, strict=True):
            self.project.label(each.picture, (name,))

    @property
    def said(self) -> list[str]:
        return [";".join(self.project.labels.get(each.picture, ())) for each in self.items]


def test_labels_that_were_read_for_other_pictures_are_known() -> None:
    own, image, cells = Labelled(), Layer(), Layer()
    before = shapes(image, cells, A, B, C)
    own.see(*before)
    names = [each.picture for each in before]
    assert not own.subjects.are_others(before, names)
    own.see(*shapes(image, cells, A, C))
    assert own.subjects.are_others(before, names)
    assert not own.subjects.are_others(before, names[:1])


A, B, C, D = (0, 0, 8, 8), (0, 20, 8, 28), (0, 40, 8, 48), (0, 60, 8, 68)


def test_a_new_shape_never_has_the_label_of_a_deleted_one_that_had_its_number() -> None:
    own, image, cells = Labelled(), Layer(), Layer()
    own.see(*shapes(image, cells, A, B, C))
    own.label("a", "b", "c")
    own.see(*shapes(image, cells, A, B))
    own.see(*shapes(image, cells, A, B, D))
    assert own.said == ["a", "b", ""]
    assert own.project.labels[Picture("image", (), "3 (earlier)")] == ("c",)
    own.project.label(own.items[2].picture, ("d",))
    own.see(*shapes(image, cells, A, D))  # the second one is deleted
    assert own.said == ["a", "d"]
    own.see(*shapes(image, cells, A, D, C))  # what was drawn where the third one was is the third one
    assert own.said == ["a", "d", "c"]
    assert sorted(own.project.counts().values()) == [1, 1, 1, 1]
    for _ in range(4):
        own.project.undo()
    assert own.project.labels == {}


def test_a_shape_that_replaces_another_at_once_has_no_label_and_one_that_is_changed_a_little_keeps_it() -> None:
    own, image, cells = Labelled(), Layer(), Layer()
    own.see(*shapes(image, cells, A, B))
    own.label("a", "b")
    own.see(*shapes(image, cells, (1, 1, 9, 9), D))
    assert own.said == ["a", ""]
    own.see(*shapes(image, cells, (2, 2, 10, 10), B))
    assert own.said == ["a", "b"]


def test_what_was_deleted_and_what_can_be_taken_back_are_not_given_to_a_new_shape() -> None:
    own, image, cells = Labelled(), Layer(), Layer()
    own.see(*shapes(image, cells, A))
    own.label("a")
    own.project.remove_class("a")
    own.see()
    own.see(*shapes(image, cells, B))
    own.project.undo()
    assert own.said == [""]
    assert own.project.labels == {Picture("image", (), "1 (earlier)"): ("a",)}


def test_regions_of_another_layer_have_no_labels_of_this_one() -> None:
    own, image, cells, others = Labelled(), Layer(), Layer(), Layer()
    own.see(*shapes(image, cells, A, B))
    own.label("a", "b")
    own.see(*shapes(image, others, A, B))
    assert own.said == ["", ""]
    own.label("c", "d")
    own.see(*shapes(image, cells, A, B))
    assert own.said == ["a", "b"]
    own.see(*shapes(image, others, A, B))
    assert own.said == ["c", "d"]


def test_labels_go_with_a_layer_that_is_called_otherwise_and_stay_behind_with_one_that_is_gone() -> None:
    own, first, second, third, fourth = Labelled(), Layer(), Layer(), Layer(), Layer()
    own.see(picture("A", first), picture("C", second))
    own.label("a", "c")
    own.see(picture("B", first), picture("A", second))
    assert own.said == ["a", "c"]
    own.see(picture("A", first), picture("B", second))  # they change their names
    assert own.said == ["a", "c"]
    own.see(picture("B", second))
    del first
    own.see(picture("A", third), picture("B", second))
    assert own.said == ["", "c"]
    assert own.project.labels[Picture("A (earlier)")] == ("a",)
    own.see(picture("A", fourth), picture("B", second))
    assert own.said == ["", "c"]


def test_labels_of_a_file_are_those_of_the_next_layer_with_that_name_and_of_no_other() -> None:
    own, first, second = Labelled(), Layer(), Layer()
    own.see(picture("A", first))
    own.label("a")
    own.see()
    own.project.take({Picture("A"): ("x",), Picture("B"): ("y",)})
    own.subjects.forget([Picture("A"), Picture("B")])
    own.see(picture("A", second))
    assert own.said == ["x"]
    own.see(picture("B", second))  # it is called as another one in the file
    assert own.said == ["x"]
    assert own.project.labels[Picture("B (earlier)")] == ("y",)

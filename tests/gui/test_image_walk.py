"""Random walks: whatever is done to layers, the list, what is classified and the way back to a plane stay right."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_webipred._napari.images.image_item import called, counts_of, sources_of
from napari_webipred._napari.images.image_list import ImageList
from napari_webipred._napari.images.images import Images
from napari_webipred._napari.images.merged_layers import MergedLayers
from napari_webipred._napari.images.place import place_shown, show
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred.imaging.readers import read

SHAPES = ((8, 8), (5, 8, 8), (3, 4, 8, 8))
STEPS = 40


def numbered(shape: tuple[int, ...], first: int) -> np.ndarray:
    """Return a stack of which each plane has a number of its own."""
    stack = np.zeros(shape, np.int32)
    for number, index in enumerate(np.ndindex(*shape[:-2])):
        stack[index] = first + number
    return stack


@dataclass
class Naive:
    """What there should be, kept by hand."""

    layers: list = field(default_factory=list)
    names: dict = field(default_factory=dict)
    unticked: list = field(default_factory=list)
    merged: list = field(default_factory=list)  # lists of layers
    chosen: dict = field(default_factory=dict)  # by id of the layer: number of axes and step along the last one
    runs: list = field(default_factory=list)

    def entries(self) -> list:
        """Return a layer, or a list of merged ones, for each entry."""
        entries: list = []
        for layer in self.layers:
            group = next((group for group in self.merged if layer in group), layer)
            if not any(group is entry for entry in entries):
                entries.append(group)
        return entries

    def planes(self, layer) -> int:
        lengths = layer.data.shape[:-2]
        axes, step = self.chosen.get(id(layer), (0, 1))
        if not lengths or axes != len(lengths):
            return int(np.prod(lengths, dtype=int))
        return int(np.prod(lengths[:-1], dtype=int)) * len(range(0, lengths[-1], step))


class Walk:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.model = ViewerModel()
        self.images = Images()
        self.list = ImageList(self.model, self.images)
        self.naive = Naive()
        self.made = 0

    def any_layer(self):
        return self.chance.choice(self.naive.layers)

    def add(self) -> None:
        data = numbered(self.chance.choice(SHAPES), 1000 * self.made)
        layer = self.model.add_image(data, name=f"layer {self.made}", contrast_limits=(0, 1000))
        self.made += 1
        self.naive.layers.append(layer)
        self.naive.names[id(layer)] = layer.name

    def remove(self) -> None:
        layer = self.any_layer()
        self.model.layers.remove(layer)
        self.naive.layers.remove(layer)
        for group in self.naive.merged:
            if layer in group:
                group.remove(layer)
        self.naive.merged = [group for group in self.naive.merged if len(group) > 1]

    def rename(self) -> None:
        layer = self.any_layer()
        layer.name = f"renamed {self.chance.randrange(10**6)}"
        self.naive.names[id(layer)] = layer.name

    def move(self) -> None:
        start, goal = self.chance.randrange(len(self.naive.layers)), self.chance.randrange(len(self.naive.layers))
        self.model.layers.move(start, goal)
        layer = self.naive.layers.pop(start)
        self.naive.layers.insert(goal - (goal > start), layer)

    def reverse(self) -> None:
        self.model.layers.reverse()
        self.naive.layers.reverse()

    def tick(self) -> None:
        row = self.chance.randrange(len(self.list.items))
        index = self.list.index(row)
        state = self.chance.choice((Qt.CheckState.Checked, Qt.CheckState.Unchecked))
        self.list.setData(index, state, Qt.ItemDataRole.CheckStateRole)
        item = self.list.items[row]
        self.naive.unticked = [other for other in self.naive.unticked if other is not item]
        if state == Qt.CheckState.Unchecked:
            self.naive.unticked.append(item)

    def other_data(self) -> None:
        layer = self.any_layer()
        if not any(layer in group for group in self.naive.merged):
            layer.data = numbered(self.chance.choice(SHAPES), 1000 * self.made)
            self.made += 1

    def place(self) -> None:
        layer = self.any_layer()
        layer.scale = [self.chance.uniform(0.3, 4) for _ in range(layer.ndim)]
        layer.translate = [self.chance.uniform(-9, 9) for _ in range(layer.ndim)]

    def look(self) -> None:
        layer = self.any_layer()
        layer.contrast_limits = (0, self.chance.uniform(1, 9000))
        layer.colormap = self.chance.choice(("red", "gray", "viridis"))

    def view(self) -> None:
        self.model.dims.ndisplay = self.chance.choice((2, 3))
        order = list(range(self.model.dims.ndim))
        self.chance.shuffle(order)
        self.model.dims.order = order

    def choose(self) -> None:
        layer, step = self.any_layer(), self.chance.randrange(1, 4)
        axes = layer.ndim - 2
        if axes and not any(layer in group for group in self.naive.merged):
            self.images.understand(
                [layer], Understanding((AxisChoice(),) * (axes - 1) + (AxisChoice(use="range", step=step),))
            )
            self.naive.chosen[id(layer)] = (axes, step)

    def merge(self) -> None:
        free = [layer for layer in self.naive.layers if not any(layer in group for group in self.naive.merged)]
        alike = [layer for layer in free if layer.data.shape == free[0].data.shape]
        if len(alike) > 1:
            pair = self.chance.sample(alike, 2)
            self.images.merge(pair)
            self.naive.merged.append(pair)

    def split(self) -> None:
        if self.naive.merged:
            group = self.naive.merged.pop(self.chance.randrange(len(self.naive.merged)))
            self.images.split(next(each for each in self.images.merged if each.layers == group))

    def run(self) -> None:
        for item in self.list.ticked():
            ((target, source),) = sources_of(item, self.images, "all", self.model.dims)
            data = None if isinstance(item, MergedLayers) else item.data
            self.naive.runs.append(SimpleNamespace(target=target, source=source, item=item, data=data))

    def panel_again(self) -> None:
        self.list.leave()
        self.list = ImageList(self.model, self.images)

    def check(self) -> None:
        entries = self.naive.entries()
        assert len(self.list.items) == len(entries)
        for item, entry, row in zip(self.list.items, entries, range(len(entries)), strict=True):
            layers = item.layers if isinstance(item, MergedLayers) else [item]
            assert layers == (entry if isinstance(entry, list) else [entry])
            names = [self.naive.names[id(layer)] for layer in layers]
            title = names[0] if len(names) == 1 else " + ".join(names)
            assert self.list.index(row).data() == called(item) == title
            assert (item in self.list.ticked()) == (not any(item is other for other in self.naive.unticked))
            if len(layers) == 1:
                assert counts_of(item, self.images, "all", self.model.dims) == (1, self.naive.planes(layers[0]))
        for run in self.chance.sample(self.naive.runs, min(3, len(self.naive.runs))):
            self.check_run(run)

    def check_run(self, run) -> None:
        index = self.chance.choice(list(run.source.indices()))
        if run.data is not None:
            assert read(run.source, index).tolist() == run.data[index].tolist()
        before = self.model.dims.point
        show(self.model, run.target, run.source.position(index))
        here = [layer for layer in run.target.layers if layer in self.model.layers]
        if not here:
            assert self.model.dims.point == before
            return
        assert self.model.layers.selection.active in here
        if run.data is not None and here[0].data.shape == run.data.shape:
            assert place_shown(here[0], self.model.dims) == index


@pytest.mark.parametrize("seed", range(6))
def test_a_random_walk_through_everything_that_can_be_done_to_layers(seed, qapp):
    walk = Walk(seed)
    steps = [
        *(walk.rename, walk.move, walk.reverse, walk.tick, walk.other_data, walk.place, walk.look, walk.view),
        *(walk.choose, walk.merge, walk.split, walk.run, walk.panel_again, walk.remove, walk.add),
    ]
    for _ in range(STEPS):
        step = walk.chance.choice(steps) if len(walk.naive.layers) > 1 else walk.add
        step()
        walk.check()

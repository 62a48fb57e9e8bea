"""What the rows of each run were made of, so that they can be explained later."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_webipred._napari.images.layer_input import source_again

if TYPE_CHECKING:
    from napari_webipred._napari.images.place import Target
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.results.inputs import ImageInput


class RunSources:
    """Keeps models weakly, and the pixels of layers only as long as the layers."""

    def __init__(self) -> None:
        self._models: dict[int, weakref.ref[Model]] = {}
        self._targets: dict[int, list[Target]] = {}
        self._images: dict[int, Sequence[ImageInput]] = {}
        self._of_layer: WeakKeyDictionary[Any, dict[tuple[int, int], Source]] = WeakKeyDictionary()

    def restore(self, run: int, targets: Sequence[Target], images: Sequence[ImageInput]) -> None:
        """Note what a run, by its number, was given that was opened from a file."""
        self._targets[run] = list(targets)
        self._images[run] = images

    def begin(
        self,
        run: int,
        model: Model,
        targets: Sequence[Target],
        sources: Sequence[Source],
        images: Sequence[ImageInput] = (),
    ) -> None:
        """Note what a run, by its number, was given."""
        self.note_model(run, model)
        self.restore(run, targets, images)
        for number, (target, source) in enumerate(zip(targets, sources, strict=True)):
            for layer in target.layers if target.source is None else ():
                self._of_layer.setdefault(layer, {})[run, number] = source
                layer.events.data.connect(self._on_data)

    def note_model(self, run: int, model: Model) -> None:
        """Note that a run has this model, which was opened again."""
        self._models[run] = weakref.ref(model)

    def model(self, run: int) -> Model | None:
        """Return the model of a run, if it is still in memory."""
        reference = self._models.get(run)
        return None if reference is None else reference()

    def targets(self, run: int) -> Sequence[Target]:
        """Return what the rows of a run are about."""
        return self._targets.get(run, ())

    def sources(self, run: int) -> list[Source | None]:
        """Return the sources of a run; None stands for layers that are gone or have other data now."""
        return [self._source(run, number, target) for number, target in enumerate(self._targets.get(run, ()))]

    def _source(self, run: int, number: int, target: Target) -> Source | None:
        if target.source is not None:
            return target.source
        layers, images = target.layers, self._images.get(run, ())
        for layer in layers:
            if layer in self._of_layer:
                return self._of_layer[layer].get((run, number))
        return source_again(images[number], layers[0]) if layers and number < len(images) else None

    def images(self, layer: Any) -> list[tuple[int, int]]:
        """Return what a layer was in which run."""
        pairs = ((run, number, each) for run, some in self._targets.items() for number, each in enumerate(some))
        return [(run, number) for run, number, each in pairs if layer in each.layers]

    def _on_data(self, event: Any) -> None:
        """Let go of the data that a layer had before."""
        self._of_layer[event.source] = {}

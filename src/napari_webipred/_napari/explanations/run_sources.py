"""What the rows of each run were made of, so that they can be explained later."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_webipred._napari.images.layer_input import source_again
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred._napari.images.place import Target
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.results.inputs import ImageInput
    from napari_webipred.results.session_table import Entry

# What to do where a session names a file that may not be read.
AGREE = "Open the session again and agree, or add the file under Images."


def why_unknown(entry: Entry, purpose: str) -> OptionError:
    """Say why it is not known what a row was made of, and what can be done to explain or report it."""
    name, again = entry.row.image, f"Classify it again, and {purpose} the new row."
    image = entry.run.inputs.image(entry.row.source) if entry.run.inputs is not None else None
    if image is None or (image.steps is None and image.parts is None):
        return OptionError(f"How {name} was read is not known any more.", again)
    if image.parts is not None and not image.parts.has_all_regions:
        return OptionError(f"The regions of {name} are not known any more.", again)
    if not image.layer:
        return OptionError(f"You have not agreed that {name} is read.", AGREE)
    return OptionError(
        f"{name} is not open as it was classified.", f"Open it, or classify it again and {purpose} the new row."
    )


class RunSources:
    """Keeps models weakly, and the pixels of layers only as long as the layers."""

    def __init__(self) -> None:
        self._models: dict[int, weakref.ref[Model]] = {}
        self._targets: dict[int, list[Target]] = {}
        self._images: dict[int, Sequence[ImageInput]] = {}
        self._readable: set[int] = set()
        self._of_layer: WeakKeyDictionary[Any, dict[tuple[int, int], Source]] = WeakKeyDictionary()

    def restore(self, run: int, targets: Sequence[Target], images: Sequence[ImageInput]) -> None:
        """Note what a run, by its number, was given that comes from a session; its files are not read yet."""
        self._targets[run] = list(targets)
        self._images[run] = images

    def allow_files(self, run: int) -> None:
        """Note that the files of a run may be read: a session may come from somebody else, and name any."""
        self._readable.add(run)

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
        self.allow_files(run)
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

    def sources(self, run: int) -> list[Source | ImageInput | None]:
        """Return the sources of a run.

        An input stands for a file that is to be described again, which takes time; None for layers that are gone or
        have other data now.
        """
        return [self._source(run, number, target) for number, target in enumerate(self._targets.get(run, ()))]

    def _source(self, run: int, number: int, target: Target) -> Source | ImageInput | None:
        if target.source is not None:
            return target.source
        layers, images = target.layers, self._images.get(run, ())
        for layer in layers:
            if layer in self._of_layer:
                return self._of_layer[layer].get((run, number))
        if number >= len(images):
            return None
        return self.file(run, number) or source_again(images[number], layers)

    def file(self, run: int, number: int) -> ImageInput | None:
        """Return how a file, or a series of files, was read that may be read again; None of other images."""
        images = self._images.get(run, ())
        if run not in self._readable or number >= len(images):
            return None
        return images[number] if images[number].own_files else None

    def images(self, layer: Any) -> list[tuple[int, int]]:
        """Return what a layer was in which run."""
        pairs = ((run, number, each) for run, some in self._targets.items() for number, each in enumerate(some))
        return [(run, number) for run, number, each in pairs if layer in each.layers]

    def _on_data(self, event: Any) -> None:
        """Let go of the data that a layer had before."""
        self._of_layer[event.source] = {}

"""How far the numbers of a model are from those in float32 on the processor, where something else computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from napari_webipred.hardware import USUAL, Hardware
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.limits import available_cores
from napari_webipred.results.probabilities import class_probabilities
from napari_webipred.runtime.providers import available_devices, available_precisions, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_webipred.model import Model

IMAGES = 10
_COARSE, _SIDE = 8, 128


class Difference(Struct, frozen=True):
    """How far probabilities are from those in float32 on the processor, measured on images that are made for it.

    Attributes
    ----------
    precision, device : str
        What computed them; never ``"auto"``.
    images : int
    largest, mean : float
        Of the absolute differences of all probabilities.
    same : int
        Of how many images the most probable class is the same.
    """

    precision: str
    device: str
    images: int
    largest: float
    mean: float
    same: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def sentence(self, name: str) -> str:
        """Say it of the model that is called `name`."""
        words = Hardware(self.precision, self.device).words  # type: ignore[arg-type]
        return (
            f"{name} is computed in {words}. On {self.images} test images, its probabilities differ from those in "
            f"float32 on the processor by {self.largest:.1g} at most and {self.mean:.1g} on average; the most probable "
            f"class is the same for {self.same} of {self.images}."
        )


def difference(model: Model, hardware: Hardware) -> Difference | None:
    """Measure how far the numbers of a model are from those in float32 on the processor; None if that computes it.

    It is measured once for each open model.

    Raises
    ------
    OptionError
        This cannot be used here.
    ModelError
        The model cannot be opened with it.
    """
    found = chosen(hardware)
    if found == USUAL:
        return None
    if found not in model.differences:
        usual, other = (model.session(available_cores(), each) for each in (USUAL, found))
        numbers = [
            [class_probabilities(session.predict(image[None])[0], model.card) for session in (usual, other)]
            for image in _images(model)
        ]
        both = np.asarray(numbers, np.float64)  # (images, 2, classes)
        before, after = both[:, 0], both[:, 1]
        apart = np.abs(after - before)
        model.differences[found] = Difference(
            found.precision,
            found.device,
            len(before),
            float(apart.max()),
            float(apart.mean()),
            int((before.argmax(1) == after.argmax(1)).sum()),
        )
    result: Difference = model.differences[found]
    return result


def offered() -> dict[str, list[Any]]:
    """Return what can be chosen here for ``device`` and ``precision``."""
    return {"device": [*available_devices()], "precision": [*available_precisions()]}


def measured(model: Model, hardware: Hardware) -> dict[str, Any]:
    """Return what `difference` has measured as a record has it: nothing for float32 on the processor."""
    found = None if hardware == USUAL else model.differences.get(chosen(hardware))
    return {} if found is None else {"difference": found.as_dict()}


def _images(model: Model) -> Iterator[NDArray[np.float32]]:
    """Make images with coarse and fine structure, prepared for a model."""
    card = model.card
    assert card.input is not None
    assert card.preprocessing is not None
    for seed in range(IMAGES):
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (_COARSE, _COARSE, 3)).repeat(_SIDE // _COARSE, 0).repeat(_SIDE // _COARSE, 1)
        pixels = np.clip(coarse + random.normal(0, 25, coarse.shape), 0, 255).astype(np.uint8)
        yield prepare(pixels, card.input, card.preprocessing)[0]

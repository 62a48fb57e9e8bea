"""Whether another program gives the same numbers for a model, and how far they differ."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import __version__, formats
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.publishing import tensorflow, tensorflowjs
from napari_webipred.publishing.pictures import RECIPE, pictures
from napari_webipred.results.probabilities import class_probabilities
from napari_webipred.steps import told

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.publishing.answer import Answer
    from napari_webipred.publishing.material import Material

_NEAR = 1e-3  # probabilities that are no farther apart tell nothing of a network
TOLERANCE = 1e-4  # of a probability; of values, as a share of the largest one


class Verification(Struct, frozen=True, eq=False):
    """The numbers of a model in this program and in another one, for the same pictures.

    Attributes
    ----------
    judge : str
        The other program with its version: ``"TensorFlow.js 4.22.0 (wasm)"``.
    classes : tuple of str
    ours, theirs : ndarray of float32, shape (pictures, classes)
        Probabilities; of a model that gives values, these. What is not finite is NaN.
    values : bool
        Whether they are values, not probabilities.
    """

    judge: str
    classes: tuple[str, ...]
    ours: NDArray[np.float32]
    theirs: NDArray[np.float32]
    values: bool = False

    @property
    def differences(self) -> NDArray[np.float64]:
        """How far the numbers differ; values as a share of the largest of ours. Infinite where one is not finite."""
        found = np.abs(self.theirs.astype(np.float64) - self.ours)
        if self.values:
            found /= max(float(np.abs(self.ours).max()), 1e-30)
        return np.where(np.isfinite(found), found, np.inf)

    @property
    def largest(self) -> float:
        """The largest difference."""
        return float(self.differences.max())

    @property
    def others(self) -> tuple[int, ...]:
        """The pictures, counted from 0, of which another class is the most probable one."""
        if self.values:
            return ()
        return tuple(np.flatnonzero(self.ours.argmax(1) != self.theirs.argmax(1)).tolist())

    @property
    def passed(self) -> bool:
        """Whether all numbers are the same within `TOLERANCE`, and so are the most probable classes."""
        return self.largest <= TOLERANCE and not self.others

    @property
    def doubt(self) -> str:
        """Why the comparison says little although the numbers are the same; empty if there is no reason."""
        if not self.passed or self.values:
            return ""
        if float(np.abs(self.ours - np.round(self.ours)).max()) < _NEAR:
            return "This says little, because all probabilities are near 0 or 1."
        return (
            "This says little, because all pictures get the same." if float(np.ptp(self.ours, 0).max()) < _NEAR else ""
        )

    @property
    def sentence(self) -> str:
        """What came out, in a sentence."""
        found = f"largest {'relative ' if self.values else ''}difference {self.largest:.2g}"
        if not self.passed:
            found += f", allowed {TOLERANCE:g}"
        if self.others:
            found += f"; another class for {len(self.others)}"
        numbers = "the same numbers" if self.passed else "other numbers"
        return f"{self.judge} gives {numbers} for {len(self.ours)} pictures: {found}. {self.doubt}".strip()

    def as_dict(self) -> dict[str, Any]:
        """Return what a card says of it, in plain JSON values."""
        return {
            "program": f"napari-webipred {__version__}",
            "compared_with": self.judge,
            "pictures": RECIPE,
            "count": len(self.ours),
            "largest_difference": self.largest if np.isfinite(self.largest) else None,
            "relative": self.values,
            "tolerance": TOLERANCE,
            "other_classes": len(self.others),
            "passed": self.passed,
            **({"doubt": self.doubt} if self.doubt else {}),
        }


def verifying(material: Material, packages: Path | None = None) -> Generator[str, None, Verification]:
    """Compare a model with the program that it was made for, if that is on this machine.

    A Keras file or SavedModel is compared with TensorFlow, a model for TensorFlow.js with that. Both run in processes
    of their own; TensorFlow gets only networks without code.

    Parameters
    ----------
    material : Material
    packages : Path, optional
        The folder whose ``node_modules`` has the package ``@tensorflow/tfjs``.

    Yields
    ------
    str
        The program that is at work.

    Raises
    ------
    OptionError
        The program is not on this machine, or there is none for this format.
    ModelError
        The network contains code, or the other program refuses it.
    """
    card = material.model.card
    batch, ours, _ = computed(material)
    judge = tensorflow.NAME if material.form in tensorflow.FORMATS else tensorflowjs.NAME
    answer = yield from told(_asking(material, batch, packages), lambda _: judge)
    return judged(answer, ours, card)


def judged(answer: Answer, ours: NDArray[np.float32], card: ModelCard) -> Verification:
    """Compare what another program has answered with our probabilities, of shape (pictures, classes)."""
    theirs = np.stack([_probabilities(row.astype(np.float32), card, ours.shape[1]) for row in answer.numbers])
    return Verification(answer.judge, tuple(card.class_names), ours, theirs, card.task == "regression")


def computed(material: Material) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Prepare the pictures for a model, and compute what it says of them.

    Returns
    -------
    batch : ndarray of float32, shape (pictures, height, width, channels)
    probabilities : ndarray of float32, shape (pictures, classes)
    numbers : ndarray of float32, shape (pictures, outputs)
        What the probabilities are made of.
    """
    model, card = material.model, material.model.card
    assert card.input is not None
    assert card.preprocessing is not None
    batch = np.stack([prepare(picture, card.input, card.preprocessing)[0] for picture in pictures()])
    numbers = np.concatenate([model.predict(image[None]) for image in batch])
    return batch, np.stack([class_probabilities(each, card) for each in numbers]), numbers


def _asking(material: Material, batch: NDArray[np.float32], packages: Path | None) -> Generator[None, None, Answer]:
    if material.form in tensorflow.FORMATS:
        return tensorflow.asking(material, batch)
    if material.form in tensorflowjs.FORMATS:
        return tensorflowjs.asking(material.files, material.name, batch, material.output, packages)
    label = formats.BY_ID[material.form].label
    raise OptionError(
        f"Models of the format {label} can be compared with no other program here.",
        "Compare a Keras file or SavedModel with TensorFlow, or a TensorFlow.js model with TensorFlow.js.",
    )


def _probabilities(numbers: NDArray[np.float32], card: ModelCard, count: int) -> NDArray[np.float32]:
    """Make probabilities of what another program has computed; what is none becomes NaN."""
    try:
        found = class_probabilities(numbers, card)
    except WebIPredError:
        return np.full(count, np.nan, np.float32)
    return found if len(found) == count else np.full(count, np.nan, np.float32)

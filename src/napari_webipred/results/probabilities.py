"""From the numbers a model gives to the probabilities and classes that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.catalogue.card import ModelCard

# Rounding in float32 may carry a softmax or sigmoid a little beyond the ends of 0..1.
ROUNDING = 1e-4
# Networks that end in a softmax of their own making may round more than one operation does.
ADDING_UP = 1e-2


def class_probabilities(numbers: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Turn the outputs for one picture into one probability per class.

    Parameters
    ----------
    numbers : ndarray of float32, shape (n_outputs,)
        What the model gives.
    card : ModelCard
        Says which activation is still to be applied. A binary model gives p, the probability of its second class,
        and the first gets 1 - p.

    Returns
    -------
    ndarray of float32, shape (n_classes,)

    Raises
    ------
    ModelError
        The numbers are not finite, or are no probabilities although the card promises them.
    """
    if not np.isfinite(numbers).all():
        raise ModelError("The model gave numbers that are not finite.", "The picture may hold extreme values.")
    activation = card.output.activation
    if activation == "softmax":
        powers = np.exp(numbers - numbers.max())
        numbers = powers / powers.sum()
    elif activation == "sigmoid":
        numbers = (1 / (1 + np.exp(-numbers.astype(np.float64)))).astype(np.float32)
    elif activation == "in-model" and (numbers.min() < -ROUNDING or numbers.max() > 1 + ROUNDING):
        raise ModelError(
            f"The model gives {numbers.min():.3g} to {numbers.max():.3g}, which are no probabilities.",
            "Tell which activation makes probabilities of them: softmax, sigmoid, or none to see them as they are.",
        )
    elif activation == "in-model" and _should_add_up(card) and abs(numbers.sum() - 1) > ADDING_UP:
        raise ModelError(
            f"The model's numbers add up to {numbers.sum():.3g}, so they are no probabilities of its classes.",
            "Tell which activation makes probabilities of them: softmax, sigmoid, or none to see them as they are.",
        )
    if len(numbers) == 1 and card.task == "binary":
        numbers = np.array([1 - numbers[0], numbers[0]], np.float32)
    return numbers.astype(np.float32, copy=False)


def _should_add_up(card: ModelCard) -> bool:
    """Tell whether the classes exclude each other although the network does not end in softmax or sigmoids."""
    return card.task == "multi-class" and card.output.ending not in {None, "Softmax", "Sigmoid"}


def assigned(probabilities: NDArray[np.float32], card: ModelCard, threshold: float) -> str:
    """Name the class that a picture belongs to.

    The most probable class (the first of equals); of a multi-label model every class whose probability reaches its
    own threshold, or else ``threshold``, joined by ``"; "``: possibly none.
    """
    names = card.class_names
    if card.task != "multi-label":
        return names[int(probabilities.argmax())]
    return "; ".join(
        entry.name
        for entry, p in zip(card.classes, probabilities, strict=True)
        if p >= np.float32(threshold if entry.threshold is None else entry.threshold)
    )

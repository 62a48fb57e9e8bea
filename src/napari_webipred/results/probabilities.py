"""From the numbers a model gives to the probabilities and classes that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import ActivationError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard

# Rounding in float32 may carry a softmax or sigmoid a little beyond the ends of 0..1.
ROUNDING = 1e-4
# Networks that end in a softmax of their own making may round more than one operation does.
ADDING_UP = 1e-2


def class_probabilities(numbers: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Turn the outputs for one image into one probability per class.

    Parameters
    ----------
    numbers : ndarray of float32, shape (n_outputs,)
        What the model gives.
    card : ModelCard
        Says which activation is still to be applied. A binary model gives p, the probability of its second class,
        and the first gets 1 - p. Values (``task`` is ``"regression"``) stay as they are.

    Returns
    -------
    ndarray of float32, shape (n_classes,)

    Raises
    ------
    ModelError
        The numbers are not finite.
    ActivationError
        They are no probabilities, and the card does not say what makes some of them.
    """
    if not np.isfinite(numbers).all():
        raise ModelError("The model returned values that are not finite.", "The image may contain extreme values.")
    activation = card.output.activation
    if activation == "softmax":
        powers = np.exp(numbers - numbers.max())
        numbers = powers / powers.sum()
    elif activation == "sigmoid":
        numbers = (1 / (1 + np.exp(-numbers.astype(np.float64)))).astype(np.float32)
    elif activation == "in-model" and card.task != "regression":
        _check(numbers, card)
    if len(numbers) == 1 and card.task == "binary":
        numbers = np.array([1 - numbers[0], numbers[0]], np.float32)
    return numbers.astype(np.float32, copy=False)


def needs_activation(card: ModelCard) -> bool:
    """Tell whether a model certainly gives no probabilities, and nobody has said what makes some of its numbers."""
    output = card.output
    return output.ending == "linear" and output.activation == "in-model" and card.task != "regression"


def missing_activation(card: ModelCard) -> ActivationError:
    """Return the error for a model whose numbers are known to be no probabilities."""
    fault = f"The model {card.name} returns numbers that are not probabilities."
    if needs_activation(card):
        fault = f"The network of {card.name} ends without softmax or sigmoid, so its numbers are not probabilities."
    return _error(fault)


def _check(numbers: NDArray[np.float32], card: ModelCard) -> None:
    """Refuse numbers that are no probabilities."""
    fault = ""
    if needs_activation(card):
        raise missing_activation(card)
    if numbers.min() < -ROUNDING or numbers.max() > 1 + ROUNDING:
        fault = f"The model {card.name} gives {numbers.min():.3g} to {numbers.max():.3g}, which are not probabilities."
    elif _should_add_up(card) and abs(numbers.sum() - 1) > ADDING_UP:
        fault = f"The numbers of {card.name} add up to {numbers.sum():.3g}, so they are not probabilities."
    if fault:
        raise _error(fault)


def _error(fault: str) -> ActivationError:
    hint = (
        "Choose the `activation` that turns them into probabilities: softmax or sigmoid. With none they stay unchanged."
    )
    return ActivationError(fault, hint, "complete settings")


def _should_add_up(card: ModelCard) -> bool:
    """Tell whether the classes exclude each other although the network is not known to see to that."""
    return card.task == "multi-class" and card.output.ending not in {None, "softmax", "sigmoid"}


def assigned(probabilities: NDArray[np.float32], card: ModelCard, threshold: float) -> tuple[int, ...]:
    """Tell which classes an image belongs to, as indices.

    The most probable class (the first of equals); of a multi-label model every class whose probability reaches its
    own threshold, or else ``threshold``: possibly none. Values belong to no class.

    With thresholds that the user has chosen (``card.thresholds``), every class that reaches its own, and of two classes
    the second one if it reaches its own, else the first.
    """
    if card.task == "regression":
        return ()
    if card.task != "multi-label" and card.thresholds is None:
        return (int(probabilities.argmax()),)
    if card.task != "multi-label" and len(card.classes) == 2 and card.classes[0].threshold is None:
        return (int(reached(probabilities, card, threshold)[1]),)
    return tuple(map(int, np.flatnonzero(reached(probabilities, card, threshold))))


def reached(probabilities: NDArray[np.float32], card: ModelCard, threshold: float) -> NDArray[np.bool_]:
    """Tell which probabilities of a multi-label model reach the threshold of their class.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (..., n_classes)
    card : ModelCard
    threshold : float
        For the classes that have none of their own.
    """
    thresholds = [threshold if entry.threshold is None else entry.threshold for entry in card.classes]
    found: NDArray[np.bool_] = probabilities >= np.array(thresholds, np.float32)
    return found

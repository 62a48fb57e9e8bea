"""Maps of classes from the last features of a network: CAM and HiResCAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.explanations.head import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.explanations.explanation import Method

TOLERANCE = 1e-4  # relative to the largest logit
CLASSES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, eq=False)
class ClassMaps:
    """Maps of the logits of some classes.

    Attributes
    ----------
    method : "cam" or "hirescam"
    grids : ndarray of float64, shape (n, rows, columns)
        The map of each class.
    contrasts : ndarray of float64, shape (n, rows, columns)
        The maps without what all classes share; the same as `grids` for models without softmax.
    biases, completeness : ndarray of float64, shape (n,)
        See `napari_webipred.explanations.explanation.Explanation`.
    """

    method: Method
    grids: NDArray[np.float64]
    contrasts: NDArray[np.float64]
    biases: NDArray[np.float64]
    completeness: NDArray[np.float64]


def class_maps(
    head: Head,
    features: NDArray[np.float32],
    logits: NDArray[np.float64],
    chosen: NDArray[np.float64],
    shares: NDArray[np.float64] | None,
    *,
    flat: bool,
) -> ClassMaps:
    """Make the maps of some classes of one image.

    Parameters
    ----------
    head : Head
    features : ndarray of float32, shape (channels, rows, columns)
    logits : ndarray of float64, shape (n_outputs,)
        What the network computes.
    chosen : ndarray of float64, shape (n, n_outputs)
        The logits of the classes as sums of outputs: mostly a single 1 in each row.
    shares : ndarray of float64, shape (n_outputs,), optional
        The probabilities of all outputs of a softmax, for the contrast.
    flat : bool
        Whether the head is affine after pooling, as `is_affine` tells: the map is then an exact CAM.
    """
    grids = _weighted(head, features, chosen)
    contrasts = grids if shares is None else _weighted(head, features, chosen - shares)
    numbers = chosen @ logits
    fixed = head.logits(np.zeros_like(features)) if flat else logits - head.along(features)
    biases = chosen @ fixed
    size = max(float(np.abs(logits).max()), np.finfo(np.float32).tiny)
    completeness = np.abs(grids.mean(axis=(1, 2)) + biases - numbers) / size
    return ClassMaps("cam" if flat else "hirescam", grids, contrasts, biases, completeness)


def is_affine(head: Head, features: NDArray[np.float32], seed: int = 0) -> bool:
    """Tell whether logits are the mean of the features over all places, times weights, plus a bias.

    It is tested with numbers: the places of the features are shuffled, which must not change the logits; and the logits
    of the features, of none and of half of them must lie on a line, for these features and for random ones.
    """
    random = np.random.default_rng(seed)
    scale = float(np.abs(features).max()) or 1.0
    made = random.uniform(-scale, scale, features.shape)
    origin = head.logits(np.zeros_like(features))
    for tensor in (np.asarray(features, np.float64), made):
        logits = head.logits(tensor)
        most = float(max(np.abs(logits).max(), np.abs(origin).max(), np.finfo(np.float32).tiny))
        order = random.permutation(tensor.shape[1] * tensor.shape[2])
        shuffled = tensor.reshape(len(tensor), -1)[:, order].reshape(tensor.shape)
        mean = np.broadcast_to(tensor.mean(axis=(1, 2), keepdims=True), tensor.shape)
        pairs = (
            (head.logits(shuffled), logits),
            (head.logits(mean), logits),
            (head.logits(tensor / 2), (logits + origin) / 2),
            (head.logits(-tensor), 2 * origin - logits),
        )
        if any(float(np.abs(found - wanted).max()) > TOLERANCE * most for found, wanted in pairs):
            return False
    return True


def _weighted(head: Head, features: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply derivatives with the features and add the channels, for a few classes at a time."""
    places = features.shape[1] * features.shape[2]
    parts = [
        np.einsum("nkyx,kyx->nyx", head.derivative(features, weights[i : i + CLASSES_AT_ONCE]), features) * places
        for i in range(0, len(weights), CLASSES_AT_ONCE)
    ]
    return np.concatenate(parts)

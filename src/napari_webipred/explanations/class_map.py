"""Maps of classes from the last features of a network: CAM and HiResCAM."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.explanations.explanation import Method
from napari_webipred.explanations.head import Head

TOLERANCE = 1e-4  # relative to the largest logit
CLASSES_AT_ONCE = 64


class ClassMaps(Struct, frozen=True, eq=False):
    """Maps of sums of logits.

    Attributes
    ----------
    method : "cam" or "hirescam"
    grids : ndarray of float64, shape (n, rows, columns)
    biases, completeness : ndarray of float64, shape (n,)
        See `napari_webipred.explanations.explanation.Explanation`.
    """

    method: Method
    grids: NDArray[np.float64]
    biases: NDArray[np.float64]
    completeness: NDArray[np.float64]


class Line(Struct, frozen=True, eq=False):
    """A head that is affine after pooling: logits are the mean features over all places, times weights, plus a bias.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_outputs, channels)
    bias : ndarray of float64, shape (n_outputs,)
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


def line_of(head: Head, features: NDArray[np.float32]) -> Line | None:
    """Return a head as weights and a bias; None if it is not affine after pooling."""
    if not is_affine(head, features):
        return None
    nothing = np.zeros_like(features)
    bias = head.logits(nothing)
    places = features.shape[1] * features.shape[2]
    units = np.eye(len(bias))
    parts = [
        head.derivative(nothing, units[i : i + CLASSES_AT_ONCE])[:, :, 0, 0] * places
        for i in range(0, len(units), CLASSES_AT_ONCE)
    ]
    return Line(np.concatenate(parts), bias)


def cam(line: Line, features: NDArray[np.float32], logits: NDArray[np.float64], sums: NDArray[np.float64]) -> ClassMaps:
    """Make exact class activation maps of one image; for the parameters see `hirescam`."""
    grids = np.tensordot(sums @ line.weights, features.astype(np.float64), 1)
    return _complete("cam", grids, sums @ line.bias, logits, sums)


def hirescam(
    head: Head, features: NDArray[np.float32], logits: NDArray[np.float64], sums: NDArray[np.float64]
) -> ClassMaps:
    """Multiply the features of one image with the derivative of sums of logits.

    Parameters
    ----------
    head : Head
    features : ndarray of float32, shape (channels, rows, columns)
    logits : ndarray of float64, shape (n_outputs,)
        What the network computes.
    sums : ndarray of float64, shape (n, n_outputs)
        What is explained, as sums of logits: a class has a single 1 in its row.
    """
    places = features.shape[1] * features.shape[2]
    parts = [
        np.einsum("nkyx,kyx->nyx", head.derivative(features, sums[i : i + CLASSES_AT_ONCE]), features) * places
        for i in range(0, len(sums), CLASSES_AT_ONCE)
    ]
    return _complete("hirescam", np.concatenate(parts), sums @ (logits - head.along(features)), logits, sums)


def _complete(
    method: Method,
    grids: NDArray[np.float64],
    biases: NDArray[np.float64],
    logits: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> ClassMaps:
    """Compare the mean of each map and its bias with what the network computes."""
    size = max(float(np.abs(logits).max()), np.finfo(np.float32).tiny)
    return ClassMaps(method, grids, biases, np.abs(grids.mean(axis=(1, 2)) + biases - sums @ logits) / size)


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

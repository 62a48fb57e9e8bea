"""Which images to label next: those that the head is unsure of, and that differ from one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 10  # for each image that is suggested; the most uncertain ones


def suggest(
    probabilities: NDArray[np.float32] | None,
    features: NDArray[np.float32],
    labelled: NDArray[np.bool_],
    count: int,
) -> NDArray[np.intp]:
    """Return which images to label next, the most useful one first.

    One after the other is chosen, by its uncertainty times its distance from the nearest image that is labelled or
    chosen already; so a series of much alike images is asked about once.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, classes), or None
        What the head says of all images; None before there is one. Then variety alone decides.
    features : ndarray of float32, shape (n, channels)
    labelled : ndarray of bool, shape (n,)
    count : int
        How many to suggest.

    Returns
    -------
    ndarray of int, shape (up to count,)
    """
    open_ = np.flatnonzero(~np.asarray(labelled, np.bool_))
    if probabilities is None:
        doubt = np.ones(len(open_))
    else:
        doubt = uncertainty(probabilities[open_])
        most = np.argsort(-doubt, kind="stable")[: max(CANDIDATES * count, 1)]
        open_, doubt = open_[most], doubt[most]
    scaled = _standardised(features)
    pool, known = scaled[open_], scaled[np.flatnonzero(labelled)]
    apart = _distances(pool, known).min(1) if len(known) else _distances(pool, scaled.mean(0)[None])[:, 0]
    if not len(known) and len(open_):  # begin in the middle: with what is typical
        apart = apart.max() - apart + 1e-6
    chosen: list[int] = []
    left = np.ones(len(open_), np.bool_)
    for _ in range(min(count, len(open_))):
        best = int(np.argmax(np.where(left, (doubt + 1e-3) * (apart + 1e-6), -1)))
        chosen.append(best)
        left[best] = False
        new = _distances(pool, pool[best][None])[:, 0]
        apart = new if len(chosen) == 1 and not len(known) else np.minimum(apart, new)
    return np.asarray(open_[chosen], np.intp)


def uncertainty(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how unsure a head is of each image, 0 to 1: how near the two most probable classes are.

    Of classes that do not exclude each other, one column would be enough to be unsure: it is how near the nearest
    probability is to one half.

    Parameters
    ----------
    probabilities : ndarray, shape (n, classes)
        Rows that add up to 1 are of classes that exclude each other.
    """
    given = probabilities.astype(np.float64)
    if given.shape[1] > 1 and np.allclose(given.sum(1), 1, atol=1e-4):
        two = np.partition(given, -2, axis=1)[:, -2:]
        return np.asarray(1 - (two[:, 1] - two[:, 0]), np.float64)
    return np.asarray(1 - 2 * np.abs(given - 0.5).min(1), np.float64)


def _standardised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    deviation = features.std(0)
    return np.asarray((features - features.mean(0)) / np.where(deviation > 0, deviation, 1), np.float32)


def _distances(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of each point from each other one."""
    squares = (points**2).sum(1)[:, None] - 2 * points @ others.T + (others**2).sum(1)
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)

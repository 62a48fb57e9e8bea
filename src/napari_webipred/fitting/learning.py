"""A learning curve: how good heads are that were fitted to fewer images, and whether more would help."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.fitting.head import fitted, held_out
from napari_webipred.fitting.labels import Labels
from napari_webipred.results.calibration import sigmoid, tempered

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # of what is not held out
FLAT = 0.01  # a doubling that brings less is not worth the labels
LIKELY = 1.0  # standard errors


class LearningCurve(Struct, frozen=True):
    """How good heads are that were fitted to fewer images.

    Attributes
    ----------
    sizes : tuple of int
        To how many images the heads were fitted, on average.
    scores : tuple of float
        The share of held-out images that were right, as a mean of the classes.
    gain, error : float
        What the last doubling brought, and the standard error of that; NaN with a single size.
    """

    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    gain: float
    error: float

    @property
    def helps(self) -> bool | None:
        """Whether more labels would help; None if that cannot be told yet."""
        if np.isnan(self.gain):
            return None
        if self.gain - LIKELY * self.error > FLAT:
            return True
        return False if self.gain + LIKELY * self.error < FLAT else None

    @property
    def words(self) -> str:
        """A sentence that says so."""
        if np.isnan(self.gain):
            return "There are too few labels to tell whether more would help."
        doubling = f"from {self.sizes[-2]} to {self.sizes[-1]} images, {100 * self.gain:+.1f} percentage points"
        if self.helps:
            return f"More labels would help: the last doubling brought much ({doubling})."
        if self.helps is None:
            return f"It cannot be told yet whether more labels would help ({doubling}, ± {100 * self.error:.1f})."
        return f"More labels of this kind would hardly help: the curve is flat ({doubling})."

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        last = {} if np.isnan(self.gain) else {"gain": self.gain, "error": self.error}
        return {"sizes": list(self.sizes), "scores": list(self.scores), **last, "verdict": self.words}


def learning(
    features: NDArray[np.float32], labels: Labels, seed: int = 0
) -> Generator[NDArray[np.intp], None, tuple[NDArray[np.float64], LearningCurve]]:
    """Fit heads to shares of the images that are not held out, and try them on those that are.

    A head that is fitted to all that is not held out chooses its strength and calibration from these alone, so its
    probabilities for the others are honest (nested cross-validation). Groups stay together.

    Yields
    ------
    ndarray of int
        The images that have just been tried.

    Returns
    -------
    probabilities : ndarray of float64, shape (n, classes)
        Of each image, by a head that has not seen it.
    LearningCurve
    """
    random = np.random.default_rng(seed)
    right = np.zeros((len(SHARES), *labels.truth.shape))
    sizes: list[list[int]] = [[] for _ in SHARES]
    given = np.zeros(labels.truth.shape)
    for train, test in held_out(labels, seed):
        order = _order(labels.part(train), random)
        for number, share in enumerate(SHARES):
            rows = train[order < max(round(share * len(np.unique(order))), 1)]
            given[test] = _tried(features, labels, rows, test, seed)
            right[number, test] = _right(given[test], labels.part(test))
            sizes[number].append(len(rows))
        yield test
    return given, _curve(right, sizes, labels)


def _order(labels: Labels, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the place of each image in an order in which each start has all classes; a group has one place."""
    numbers, first, units = np.unique(labels.units, return_index=True, return_inverse=True)
    shuffled = random.permutation(len(numbers))
    kinds = np.unique(labels.truth[first], axis=0, return_inverse=True)[1].reshape(-1)[shuffled]
    turn = np.empty(len(numbers), np.intp)
    for kind in np.unique(kinds):  # the first of each kind come first, then the second ones
        turn[kinds == kind] = np.arange(np.count_nonzero(kinds == kind))
    place = np.empty(len(numbers), np.intp)
    place[shuffled[np.argsort(turn, kind="stable")]] = np.arange(len(numbers))
    return np.asarray(place[units.reshape(-1)], np.intp)


def _tried(
    features: NDArray[np.float32], labels: Labels, rows: NDArray[np.intp], test: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    """Return what a head that was fitted to some images says of others; 0 for classes that it has never seen."""
    known = labels.part(rows)
    have = known.truth.sum(0)
    given = np.zeros((len(test), len(labels.classes)))
    if labels.task == "single":
        seen = have > 0
        if np.count_nonzero(seen) < 2:
            given[:, seen] = 1
            return given
    else:
        seen = (have > 0) & (have < len(rows))
        given[:, have == len(rows)] = 1
        if not seen.any():
            return given
    names = tuple(name for name, has in zip(labels.classes, seen, strict=True) if has)
    head = fitted(features[rows], Labels(names, labels.task, known.truth[:, seen], known.groups), seed)
    logits = head.logits(features[test])
    given[:, seen] = tempered(logits, 1.0) if labels.task == "single" else sigmoid(logits)
    return given


def _right(given: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    """Return whether each image is right, for each class, or, of exclusive ones, for its class."""
    if labels.task == "single":
        return np.repeat((given.argmax(1) == labels.truth.argmax(1))[:, None], len(labels.classes), 1).astype(float)
    return np.asarray((given >= 0.5) == labels.truth, np.float64)


def _curve(right: NDArray[np.float64], sizes: list[list[int]], labels: Labels) -> LearningCurve:
    """Make the curve of the sizes that differ; the error is that of the mean over groups, paired by image."""
    if not sizes[-1]:
        return LearningCurve((), (), np.nan, np.nan)
    weights = labels.weights / labels.weights.sum()
    means = [round(float(np.mean(each))) for each in sizes]
    kept = [number for number in range(len(means)) if number == len(means) - 1 or means[number] < means[number + 1]]
    scores = tuple(float((right[number] * weights).sum()) for number in kept)
    gain = error = np.nan
    if len(kept) > 1:
        each = ((right[kept[-1]] - right[kept[-2]]) * weights).sum(1)
        gain = float(each.sum())
        units = np.unique(labels.units, return_inverse=True)[1].reshape(-1)
        count = int(units.max()) + 1
        off = np.bincount(units, each) - gain / count
        # One image more or less is always possible, even where no image has changed.
        error = max(float(np.sqrt((off**2).sum() * count / max(count - 1, 1))), float(weights.sum(1).max()))
    return LearningCurve(tuple(means[number] for number in kept), scores, gain, error)

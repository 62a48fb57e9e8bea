"""Curves of a class: ROC, precision and recall, reliability, each with its 95 % band."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.evaluation import bounds, intervals, scores
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.resampling import SEED, weights

DRAWS = 200  # for a band, whose edges need no third digit
GRID = np.linspace(0, 1, 101)
MOST_STEPS, FIRST_STEPS = 2000, 100  # of a curve that is drawn again and again; how many of them are never joined
Numbers = NDArray[np.float64]
Weight = NDArray[np.floating]
Line = tuple[Numbers, Numbers, Numbers]


class Curve(Struct, frozen=True, eq=False):
    """A curve, and the band around it at fixed places.

    Attributes
    ----------
    x, y : ndarray of float64, shape (points,)
        Of a ROC curve the share of false positives and the sensitivity; of the other the recall and the precision.
    threshold : ndarray of float64, shape (points,)
        The probability from which on the class is assigned at this point; infinite where it never is.
    grid, low, high : ndarray of float64, shape (101,)
        The band of `y` over `x` from 0 to 1.
    """

    x: Numbers
    y: Numbers
    threshold: Numbers
    grid: Numbers
    low: Numbers
    high: Numbers


class Reliability(Struct, frozen=True, eq=False):
    """How often images have a class, by its probability: a row for each bin that has images.

    Attributes
    ----------
    probability : ndarray of float64, shape (bins,)
        Mean probability of the images in the bin.
    share, low, high : ndarray of float64, shape (bins,)
        How many of them have the class, with the Wilson interval.
    n : ndarray of int, shape (bins,)
    """

    probability: Numbers
    share: Numbers
    low: Numbers
    high: Numbers
    n: NDArray[np.intp]


def roc(cohort: Cohort, index: int, seed: int = SEED) -> Curve | None:
    """Return the ROC curve of a class; None without images of both kinds. The band is by resampling."""
    steps = _Steps.of(cohort, index)
    if not steps.both_kinds:
        return None
    false, true = steps.shares()
    truth, few = cohort.truth[:, index], steps.coarser()

    def drawn(weight: Weight) -> Numbers:
        x, y = few.shares(weight)
        return np.interp(GRID, x, y)

    # Between two steps a curve has no images, so that its band can be narrower than any share of so few images.
    units = _units(truth, cohort)
    least = [intervals.wilson(value * units, units) for value in np.interp(GRID, false, true)]
    return _with_band(cohort, (false, true, steps.threshold), drawn, least, seed)


def roc_points(cohort: Cohort, index: int) -> Numbers:
    """Return the corners of a ROC curve, shape (points, 2): share of false positives and sensitivity.

    Without images of both kinds there are none.
    """
    steps = _Steps.of(cohort, index)
    if not steps.both_kinds:
        return np.zeros((0, 2))
    points = np.stack(steps.counts(), axis=1)
    turns = np.diff(points, axis=0)
    corner = np.r_[True, turns[1:, 0] * turns[:-1, 1] != turns[:-1, 0] * turns[1:, 1], True]
    return np.asarray(points[corner] / points[-1], np.float64)


def precision_recall(cohort: Cohort, index: int, seed: int = SEED) -> Curve | None:
    """Return precision over recall of a class; None if no image has it. The band is by resampling.

    The precision at a recall is that at the highest threshold that reaches it.
    """
    steps = _Steps.of(cohort, index)
    if not steps.positives:
        return None
    recall, precision = steps.precisions()
    truth, few = cohort.truth[:, index], steps.coarser()

    def drawn(weight: Weight) -> Numbers:
        x, y = few.precisions(weight)
        return np.asarray(y[np.minimum(np.searchsorted(x, GRID), len(y) - 1)], np.float64)

    at = precision[np.minimum(np.searchsorted(recall, GRID), len(precision) - 1)]
    units = _units(truth, cohort)
    # A precision is a share of the images that were assigned the class: at least one, at a recall of 0.
    given = [max(share * units, 1) / max(value, 1 / units) for share, value in zip(GRID, at, strict=True)]
    least = [intervals.wilson(value * n, n) for value, n in zip(at, given, strict=True)]
    return _with_band(cohort, (recall, precision, steps.threshold), drawn, least, seed)


def reliability(cohort: Cohort, index: int | None = None) -> Reliability:
    """Return how often images have a class, by its probability; of None the most probable class of each image."""
    if index is None:
        given, has = scores.confidence(cohort)
    else:
        given, has = cohort.probabilities[:, index], cohort.truth[:, index]
    bins = scores.bins_of(given)
    n = np.bincount(bins, minlength=scores.BINS)
    kept = np.flatnonzero(n)
    both = np.array([bounds.wilson_of(has & (bins == each), bins == each, cohort.groups) for each in kept])
    return Reliability(
        np.bincount(bins, given, scores.BINS)[kept] / n[kept],
        np.bincount(bins, has, scores.BINS)[kept] / n[kept],
        both[:, 0],
        both[:, 1],
        n[kept],
    )


class _Steps(Struct, frozen=True, eq=False):
    """Where the probability of sorted images changes, the highest first.

    Attributes
    ----------
    cell : ndarray of int, shape (n,)
        Of each image twice the number of its step, and one more if it has the class.
    threshold : ndarray of float64, shape (steps + 1,)
        Infinite, then the lowest probability of each step.
    positives : int
        How many images have the class.
    """

    cell: NDArray[np.intp]
    threshold: Numbers
    positives: int

    @classmethod
    def of(cls, cohort: Cohort, index: int) -> _Steps:
        given, truth = cohort.probabilities[:, index], cohort.truth[:, index]
        lowered, step = np.unique(-given, return_inverse=True)
        return cls(2 * step.reshape(-1) + truth, np.r_[np.inf, -lowered], int(truth.sum()))

    @property
    def both_kinds(self) -> bool:
        return 0 < self.positives < len(self.cell)

    def coarser(self) -> _Steps:
        """Join steps of very many images, so that a draw of them costs little.

        Each new step has at most a thousandth of the images of either kind, or is one of the old ones; the first ones,
        where a precision changes most, stay as they are.
        """
        steps = len(self.threshold) - 1
        if steps <= MOST_STEPS:
            return self
        false, true = self.counts()
        parts = [np.floor(each * (MOST_STEPS / 2 / max(each[-1], 1))) for each in (false, true)]
        kept = (np.diff(parts[0]) > 0) | (np.diff(parts[1]) > 0)
        kept[:FIRST_STEPS] = kept[-1] = True
        joined = np.r_[0, np.cumsum(kept)[:-1]]
        cell = 2 * joined[self.cell // 2] + self.cell % 2
        return _Steps(cell, self.threshold[np.r_[True, kept]], self.positives)

    def _sums(self, weight: Weight | None) -> tuple[Numbers, Numbers]:
        """Return how many images with the class, and how many in all, reach each threshold."""
        each = np.bincount(self.cell, weight, 2 * len(self.threshold) - 2).reshape(-1, 2)
        sums = np.cumsum(each, axis=0, dtype=np.float64)
        return np.r_[0, sums[:, 1]], np.r_[0, sums.sum(1)]

    def counts(self) -> tuple[Numbers, Numbers]:
        """Return the numbers of false and of true positives at each threshold."""
        true, everything = self._sums(None)
        return everything - true, true

    def shares(self, weight: Weight | None = None) -> tuple[Numbers, Numbers]:
        """Return the shares of false and of true positives at each threshold; each image counts as often as drawn."""
        true, everything = self._sums(weight)
        false = everything - true
        return false / max(false[-1], 1), true / max(true[-1], 1)

    def precisions(self, weight: Weight | None = None) -> tuple[Numbers, Numbers]:
        """Return recall and precision at each threshold; each image counts as often as drawn."""
        true, everything = self._sums(weight)
        precision = true / np.maximum(everything, 1)
        first = int(np.argmax(everything > 0))
        precision[:first] = precision[first]  # before the first image, as at it
        return true / max(true[-1], 1), precision


def _units(truth: NDArray[np.bool_], cohort: Cohort) -> int:
    """Return how many images, or groups, have the class."""
    return len(np.unique(cohort.groups[truth])) if cohort.groups is not None else int(truth.sum())


def _with_band(
    cohort: Cohort, line: Line, drawn: Callable[[Weight], Numbers], least: Sequence[intervals.Bounds], seed: int
) -> Curve:
    lines = [drawn(weight) for some in weights(len(cohort), cohort.groups, DRAWS, seed) for weight in some]
    low, high = np.quantile(lines, [(1 - intervals.LEVEL) / 2, (1 + intervals.LEVEL) / 2], axis=0)
    edges = np.array(least)
    low, high = np.minimum(low, edges[:, 0]), np.maximum(high, edges[:, 1])
    return Curve(*line, GRID, low, high)

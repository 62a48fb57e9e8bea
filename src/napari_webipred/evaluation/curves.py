"""Curves of a class: ROC, precision and recall, reliability, each with its 95 % band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_webipred.evaluation import bounds, intervals, scores
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.resampling import SEED, weights

DRAWS = 200  # for a band, whose edges need no third digit
GRID = np.linspace(0, 1, 101)
Numbers = NDArray[np.float64]
Line = tuple[Numbers, Numbers, Numbers]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
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


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
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
    false, true = steps.shares(np.ones(len(cohort)))
    truth = cohort.truth[:, index]

    def drawn(weight: Numbers) -> Numbers:
        x, y = steps.shares(weight)
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
    recall, precision = steps.precisions(np.ones(len(cohort)))
    truth = cohort.truth[:, index]

    def drawn(weight: Numbers) -> Numbers:
        x, y = steps.precisions(weight)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Images sorted by probability, the highest first, and where the probability changes."""

    order: NDArray[np.intp]
    has: Numbers
    ends: NDArray[np.intp]
    threshold: Numbers
    positives: int

    @classmethod
    def of(cls, cohort: Cohort, index: int) -> _Steps:
        given, truth = cohort.probabilities[:, index], cohort.truth[:, index]
        order = np.argsort(-given, kind="stable")
        ordered = given[order]
        ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        threshold = np.r_[np.inf, ordered[ends]]
        return cls(order, truth[order].astype(np.float64), ends, threshold, int(truth.sum()))

    @property
    def both_kinds(self) -> bool:
        return 0 < self.positives < len(self.order)

    def _sums(self, weight: Numbers) -> tuple[Numbers, Numbers]:
        """Return how many images with the class, and how many in all, reach each threshold."""
        own = weight[self.order]
        return np.r_[0, np.cumsum(own * self.has)[self.ends]], np.r_[0, np.cumsum(own)[self.ends]]

    def counts(self) -> tuple[Numbers, Numbers]:
        """Return the numbers of false and of true positives at each threshold."""
        true, everything = self._sums(np.ones(len(self.order)))
        return everything - true, true

    def shares(self, weight: Numbers) -> tuple[Numbers, Numbers]:
        true, everything = self._sums(weight)
        false = everything - true
        return false / max(false[-1], 1), true / max(true[-1], 1)

    def precisions(self, weight: Numbers) -> tuple[Numbers, Numbers]:
        true, everything = self._sums(weight)
        precision = true / np.maximum(everything, 1)
        first = int(np.argmax(everything > 0))
        precision[:first] = precision[first]  # before the first image, as at it
        return true / max(true[-1], 1), precision


def _units(truth: NDArray[np.bool_], cohort: Cohort) -> int:
    """Return how many images, or groups, have the class."""
    return len(np.unique(cohort.groups[truth])) if cohort.groups is not None else int(truth.sum())


def _with_band(
    cohort: Cohort, line: Line, drawn: Callable[[Numbers], Numbers], least: Sequence[intervals.Bounds], seed: int
) -> Curve:
    lines = [
        drawn(weight.astype(np.float64)) for some in weights(len(cohort), cohort.groups, DRAWS, seed) for weight in some
    ]
    low, high = np.quantile(lines, [(1 - intervals.LEVEL) / 2, (1 + intervals.LEVEL) / 2], axis=0)
    edges = np.array(least)
    low, high = np.minimum(low, edges[:, 0]), np.maximum(high, edges[:, 1])
    return Curve(*line, GRID, low, high)

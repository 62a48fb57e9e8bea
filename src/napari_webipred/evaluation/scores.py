"""Metrics of probabilities: average precision, Brier score, calibration error."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.evaluation.cohort import Cohort

BINS = 10  # of equal width, for the expected calibration error and the reliability diagram
Weight = NDArray[np.floating]


class Sorted(Struct, frozen=True, eq=False):
    """Images sorted by the probability of a class, the highest first.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
    positives : ndarray of int, shape (positives,)
        Places of the images with the class.
    last : ndarray of int, shape (positives,)
        The last place with the same probability as each of these.
    last_positive : ndarray of int, shape (positives,)
        The same, counted in `positives`.
    off : ndarray of float64, shape (n,)
        1 or 0, less the probability.
    starts : ndarray of int
        Where each bin of probabilities begins that has images.
    has_ties : bool
        Whether an image with the class has the same probability as another one.
    """

    order: NDArray[np.intp]
    positives: NDArray[np.intp]
    last: NDArray[np.intp]
    last_positive: NDArray[np.intp]
    off: NDArray[np.float64]
    starts: NDArray[np.intp]
    has_ties: bool

    @classmethod
    def of(cls, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Sorted:
        """Sort images."""
        order = np.argsort(-scores, kind="stable")
        ordered, has = scores[order], truth[order]
        positives = np.flatnonzero(has)
        ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True]) if len(ordered) else np.zeros(0, np.intp)
        last = ends[np.searchsorted(ends, positives)]
        bins = bins_of(ordered)
        starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
        last_positive = np.searchsorted(positives, last, "right") - 1
        return cls(order, positives, last, last_positive, has - ordered, starts, bool((last != positives).any()))

    def average_precision(self, weight: Weight) -> float:
        """Return the mean of the precision at each image with the class, as scikit-learn defines it.

        Parameters
        ----------
        weight : ndarray, shape (n,)
            Of the images in this order, whole numbers.
        """
        own = weight.take(self.positives, mode="clip")
        found = np.cumsum(own, dtype=weight.dtype)
        if not len(found) or not found[-1]:
            return math.nan
        above = np.cumsum(weight, dtype=weight.dtype).take(self.last, mode="clip")
        np.maximum(above, 1, out=above)  # where nothing was drawn, the own weight is 0
        total = found[-1]
        if self.has_ties:
            found = found.take(self.last_positive, mode="clip")
        found /= above
        return float(own @ found / total)

    def calibration_error(self, weight: Weight) -> float:
        """Return the mean distance between probability and share of the class, over ten bins."""
        total = weight.sum(dtype=np.float64)
        off = weight * self.off.astype(weight.dtype, copy=False)
        return float(np.abs(np.add.reduceat(off, self.starts)).sum() / total) if total else math.nan


def bins_of(probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the bin of each probability, from 0; 1 lies in the last one."""
    return np.clip((probabilities * BINS).astype(np.intp), 0, BINS - 1)


def confidence(cohort: Cohort) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of the most probable class of each image, and whether the image has that class."""
    best = cohort.probabilities.argmax(1)
    rows = np.arange(len(best))
    return cohort.probabilities[rows, best], cohort.truth[rows, best]


def squared_error(cohort: Cohort) -> NDArray[np.float64]:
    """Return the mean squared error of the probabilities of each class (Brier, 1950), shape (classes,)."""
    return np.asarray(((cohort.probabilities - cohort.truth) ** 2).mean(0), np.float64)


def whole_brier(by_class: NDArray[np.float64], exclusive: bool) -> NDArray[np.float64]:
    """Return the Brier score over all classes, as scikit-learn defines it.

    With three or more classes that exclude each other the sum over the classes, 0 to 2; of two the mean, 0 to 1; of
    classes that do not exclude each other the mean.

    Parameters
    ----------
    by_class : ndarray, shape (..., classes)
    exclusive : bool
    """
    return np.asarray(by_class.sum(-1) if exclusive and by_class.shape[-1] > 2 else by_class.mean(-1), np.float64)


def categories(chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the class of each image as an index; the number of classes for none, and one more for several."""
    count, classes = chosen.sum(1), chosen.shape[1]
    return np.asarray(np.where(count == 1, chosen.argmax(1), np.where(count == 0, classes, classes + 1)), np.intp)

"""Metrics of counts: how many images have a class, were assigned it, and both. All take any leading axes.

An undefined value, 0 / 0, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.evaluation.cohort import Cohort

Numbers = NDArray[np.float64]


class Counts(Struct, frozen=True, eq=False):
    """True and false positives and negatives of classes, one against the rest.

    Attributes
    ----------
    true_positive, false_positive, false_negative, true_negative : ndarray of float64, shape (..., classes)
    """

    true_positive: Numbers
    false_positive: Numbers
    false_negative: Numbers
    true_negative: Numbers

    @classmethod
    def of(cls, both: Numbers, assigned: Numbers, having: Numbers, total: Numbers) -> Counts:
        """Make them of how many have a class and were assigned it, were assigned it, have it, and are there in all."""
        return cls(both, assigned - both, having - both, total - assigned - having + both)


def of(cohort: Cohort) -> Counts:
    """Count in a cohort, for each class."""
    both = (cohort.truth & cohort.assigned).sum(0).astype(np.float64)
    assigned, having = cohort.assigned.sum(0).astype(np.float64), cohort.truth.sum(0).astype(np.float64)
    return Counts.of(both, assigned, having, np.full(len(both), len(cohort), np.float64))


def ratio(part: Numbers, whole: Numbers) -> Numbers:
    """Divide; NaN where the whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def accuracy(c: Counts) -> Numbers:
    """Share of images that are right about the class."""
    return ratio(c.true_positive + c.true_negative, _total(c))


def sensitivity(c: Counts) -> Numbers:
    """Share of the images with the class that were assigned it; also called recall."""
    return ratio(c.true_positive, c.true_positive + c.false_negative)


def specificity(c: Counts) -> Numbers:
    """Share of the images without the class that were not assigned it."""
    return ratio(c.true_negative, c.true_negative + c.false_positive)


def precision(c: Counts) -> Numbers:
    """Share of the images that were assigned the class that have it."""
    return ratio(c.true_positive, c.true_positive + c.false_positive)


def npv(c: Counts) -> Numbers:
    """Share of the images that were not assigned the class that do not have it (negative predictive value)."""
    return ratio(c.true_negative, c.true_negative + c.false_negative)


def f1(c: Counts) -> Numbers:
    """Harmonic mean of precision and sensitivity."""
    return ratio(2 * c.true_positive, 2 * c.true_positive + c.false_positive + c.false_negative)


def balanced_accuracy(c: Counts) -> Numbers:
    """Mean of sensitivity and specificity."""
    return (sensitivity(c) + specificity(c)) / 2


def kappa(c: Counts) -> Numbers:
    """Cohen's kappa: agreement beyond that of chance."""
    n = _total(c)
    assigned, having = c.true_positive + c.false_positive, c.true_positive + c.false_negative
    by_chance = ratio(assigned * having + (n - assigned) * (n - having), n * n)
    return ratio(accuracy(c) - by_chance, 1 - by_chance)


def matthews(c: Counts) -> Numbers:
    """Matthews correlation coefficient."""
    tp, fp, fn, tn = c.true_positive, c.false_positive, c.false_negative, c.true_negative
    return ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


PER_CLASS: dict[str, Callable[[Counts], Numbers]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "precision": precision,
    "npv": npv,
    "f1": f1,
    "cohen_kappa": kappa,
    "matthews_correlation": matthews,
}


def overall_kappa(right: Numbers, assigned: Numbers, having: Numbers) -> Numbers:
    """Cohen's kappa over all classes.

    Parameters
    ----------
    right : ndarray, shape (...)
        How many images were assigned their class.
    assigned, having : ndarray, shape (..., categories)
        How many were assigned each category, and have it.
    """
    n = having.sum(-1)
    by_chance = ratio((assigned * having).sum(-1), n * n)
    return ratio(ratio(right, n) - by_chance, 1 - by_chance)


def overall_matthews(right: Numbers, assigned: Numbers, having: Numbers) -> Numbers:
    """Matthews correlation over all classes (Gorodkin, 2004); for the parameters see `overall_kappa`."""
    n = having.sum(-1)
    spread = (n * n - (assigned**2).sum(-1)) * (n * n - (having**2).sum(-1))
    return ratio(right * n - (assigned * having).sum(-1), np.sqrt(spread))


def quadratic_kappa(distance: Numbers, assigned: Numbers, having: Numbers) -> Numbers:
    """Cohen's kappa with quadratic weights, for classes with an order.

    Parameters
    ----------
    distance : ndarray, shape (...)
        Sum over the images of the squared distance between the assigned class and the class it has.
    assigned, having
        As for `overall_kappa`.
    """
    places = np.arange(having.shape[-1], dtype=np.float64)
    n = having.sum(-1)
    # The expected squared distance of independent places: of (i - j)^2 = i^2 - 2 i j + j^2.
    squares = (having * places**2).sum(-1) + (assigned * places**2).sum(-1)
    expected = squares - 2 * ratio((having * places).sum(-1) * (assigned * places).sum(-1), n)
    return 1 - ratio(distance, expected)


def _total(c: Counts) -> Numbers:
    return c.true_positive + c.false_positive + c.false_negative + c.true_negative

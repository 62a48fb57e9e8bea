"""How far metrics of counts may be off where resampling shows no variance: all images right, or all wrong.

A draw of a cohort without a mistake has none either, so its interval would have no width. Instead, sensitivity and
specificity are set to the ends of their own Wilson intervals, which do have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_webipred.evaluation import intervals
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.counts import Counts


def one(counted: Counts, index: int) -> Counts:
    """Return the counts of one class."""
    return Counts(
        counted.true_positive[..., index],
        counted.false_positive[..., index],
        counted.false_negative[..., index],
        counted.true_negative[..., index],
    )


def joined(counted: Sequence[Counts]) -> Counts:
    """Put the counts of single classes together."""
    return Counts(
        np.array([each.true_positive for each in counted]),
        np.array([each.false_positive for each in counted]),
        np.array([each.false_negative for each in counted]),
        np.array([each.true_negative for each in counted]),
    )


def wilson_of(
    success: NDArray[np.bool_], trial: NDArray[np.bool_], groups: NDArray[np.intp] | None
) -> intervals.Bounds:
    """Return the interval of a share of rows."""
    if groups is None:
        return intervals.wilson(float(success.sum()), float(trial.sum()))
    size = int(groups.max()) + 1
    both = [np.bincount(groups[kind], minlength=size).astype(np.float64) for kind in (success, trial)]
    return intervals.grouped_wilson(*both)


def ends(cohort: Cohort, index: int) -> tuple[Counts, Counts]:
    """Return the counts of a class with sensitivity and specificity at the lower and at the upper ends."""
    truth, assigned = cohort.truth[:, index], cohort.assigned[:, index]
    having, others = float(truth.sum()), float((~truth).sum())
    sensitivity = wilson_of(truth & assigned, truth, cohort.groups)
    specificity = wilson_of(~truth & ~assigned, ~truth, cohort.groups)
    found = []
    for sensitive, specific in zip(sensitivity, specificity, strict=True):
        both = having * sensitive if having else 0.0
        neither = others * specific if others else 0.0
        found.append(Counts(*map(np.array, (both, others - neither, having - both, neither))))
    return found[0], found[1]


def agreement(
    cohort: Cohort, end: Literal[0, 1]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return how many are right, how many were assigned each class and have it, with sensitivities at one end.

    What is wrong is spread evenly over the other classes.
    """
    k = len(cohort.classes)
    having = cohort.truth.sum(0).astype(np.float64)
    right = np.zeros(k)
    for index in np.flatnonzero(having):
        truth = cohort.truth[:, index]
        right[index] = having[index] * wilson_of(truth & cohort.assigned[:, index], truth, cohort.groups)[end]
    wrong = (having - right) / max(k - 1, 1)
    assigned = right + wrong.sum() - wrong
    none = np.zeros(2)
    return np.array(right.sum()), np.concatenate([assigned, none]), np.concatenate([having, none])

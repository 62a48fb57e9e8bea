"""95 % intervals that need no resampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

LEVEL = 0.95
Z = 1.959963984540054  # of the standard normal distribution, 2.5 % are beyond it on either side
Bounds = tuple[float, float]
NONE: Bounds = (math.nan, math.nan)


def wilson(successes: float, trials: float) -> Bounds:
    """Return the score interval of a proportion (Wilson, 1927); also of an effective, broken number of trials.

    >>> [round(bound, 4) for bound in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if trials <= 0:
        return NONE
    p, spread = successes / trials, Z * Z / trials
    centre, half = p + spread / 2, Z * math.sqrt(p * (1 - p) / trials + spread / trials / 4)
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return (0.0 if p == 0 else max(low, 0.0)), (1.0 if p == 1 else min(high, 1.0))


def grouped_wilson(successes: NDArray[np.float64], trials: NDArray[np.float64]) -> Bounds:
    """Return the Wilson interval of a proportion whose trials come in groups, such as the images of a patient.

    The number of trials is divided by the design effect: how much larger the variance between groups is than that of
    independent trials (Kish, 1965). Where no variance is seen, because all trials are equal, each group counts once.

    Parameters
    ----------
    successes, trials : ndarrays, shape (groups,)
    """
    used = trials > 0
    x, m = successes[used], trials[used]
    groups, n = len(x), float(m.sum())
    if not groups:
        return NONE
    p = float(x.sum()) / n
    plain = p * (1 - p)
    variance = groups / max(groups - 1, 1) * float(((x - p * m) ** 2).sum()) / n**2
    effective = plain / variance if variance > 0 and groups > 1 and plain > 0 else float(groups)
    effective = min(effective, n)
    return wilson(p * effective, effective)


class Placements(Struct, frozen=True, eq=False):
    """The area under a ROC curve, and how much each image contributes to it.

    Attributes
    ----------
    area : float
        NaN without images of both kinds.
    positive : ndarray of float64, shape (positives,)
        Of each image with the class: the share of those without it that score lower; equal ones count half.
    negative : ndarray of float64, shape (negatives,)
        Of each image without the class: the share of those with it that score higher.
    """

    area: float
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


def placements(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Placements:
    """Compare each image that has a class with each one that does not."""
    above, below = scores[truth], scores[~truth]
    if not len(above) or not len(below):
        empty = np.full(0, np.nan)
        return Placements(math.nan, empty, empty)
    positive, negative = _place(above, np.sort(below)), 1 - _place(below, np.sort(above))
    return Placements(float(positive.mean()), positive, negative)


def _place(scores: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of others that are lower; equal ones count half."""
    low, high = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return np.asarray((low + high) / (2 * len(ordered)), np.float64)


def contributions(truth: NDArray[np.bool_], found: Placements) -> NDArray[np.float64]:
    """Return how far each image moves the area: the terms of which the variance is the sum of squares."""
    part = np.empty(len(truth))
    part[truth] = (found.positive - found.area) / len(found.positive)
    part[~truth] = (found.negative - found.area) / len(found.negative)
    return part


def delong_variance(truth: NDArray[np.bool_], part: NDArray[np.float64], groups: NDArray[np.intp] | None) -> float:
    """Return the variance of an area (DeLong, DeLong and Clarke-Pearson, 1988); with groups that of Obuchowski (1997).

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        For a mean of areas, of any class.
    part : ndarray of float64, shape (n,)
        See `contributions`.
    groups : ndarray of int, shape (n,), or None
    """
    if groups is not None:
        with_class, without = (np.bincount(groups[kind], part[kind], groups.max() + 1) for kind in (truth, ~truth))
        kinds = [len(np.unique(groups[kind])) for kind in (truth, ~truth)]
        both = len(np.unique(groups))
    else:
        with_class, without = np.where(truth, part, 0), np.where(truth, 0, part)
        kinds, both = [int(truth.sum()), int((~truth).sum())], len(truth)
    if min(kinds) < 2:
        return math.nan
    return float(
        kinds[0] / (kinds[0] - 1) * (with_class**2).sum()
        + kinds[1] / (kinds[1] - 1) * (without**2).sum()
        + 2 * both / (both - 1) * (with_class * without).sum()
    )


def logit_interval(value: float, variance: float) -> Bounds:
    """Return the interval of a share on the logit scale, which keeps it between 0 and 1."""
    if not 0 < value < 1 or not variance > 0:
        return NONE
    centre, half = math.log(value / (1 - value)), Z * math.sqrt(variance) / (value * (1 - value))
    return _sigmoid(centre - half), _sigmoid(centre + half)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(min(logit, 700), -700)))  # beyond, a float has no room for the power


def newcombe(area: float, positives: int, negatives: int) -> Bounds:
    """Return the interval of an area of which nothing but the numbers of images is known (Newcombe, 2006, method 5).

    It also holds where all images with a class score higher than all without it. The bounds are the areas A that are
    `Z` standard errors from the area, with those of A: ``A (1 - A) (1 + N (1 - A) / (2 - A) + N A / (1 + A)) / (m n)``
    where ``N = (m + n) / 2 - 1``.
    """
    if positives < 1 or negatives < 1 or math.isnan(area):
        return NONE
    many = (positives + negatives) / 2 - 1

    def beyond(bound: float) -> bool:
        spread = 1 + many * (1 - bound) / (2 - bound) + many * bound / (1 + bound)
        return abs(bound - area) > Z * math.sqrt(bound * (1 - bound) * spread / (positives * negatives))

    return _edge(beyond, 0.0, area), _edge(beyond, 1.0, area)


def _edge(beyond: Callable[[float], bool], outside: float, inside: float) -> float:
    """Find the place between two values from which on something is the case."""
    if outside == inside or not beyond(outside):
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if beyond(middle) else (outside, middle)
    return (outside + inside) / 2


def percentiles(draws: NDArray[np.float64]) -> Bounds:
    """Return the interval that 95 % of the draws lie in; draws that are not defined do not count."""
    defined = draws[~np.isnan(draws)]
    if len(defined) < 2:
        return NONE
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

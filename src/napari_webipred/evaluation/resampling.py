"""Metrics of many resampled cohorts: the bootstrap (Efron, 1979), by rows or by groups.

A draw is not made of rows but of weights: how often each row, or each group, was drawn. The rows stay sorted as they
are, so that a draw costs a few passes over the rows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.scores import BINS, Sorted, bins_of, categories, confidence

DRAWS = 1000
SEED = 0
_AT_ONCE = 16  # draws whose weights are in memory together
_BLOCK = 32  # classes that are worked on together
Weights = NDArray[np.float32]


class Draws(Struct, eq=False):
    """What was counted in each draw.

    Attributes
    ----------
    both, assigned, having : ndarray of float64, shape (draws, classes)
        Weight of the images that have a class and were assigned it; were assigned it; have it.
    average_precision, brier, ece : ndarray of float64, shape (draws, classes)
    total, right, confident_ece, distance : ndarray of float64, shape (draws,)
        Weight of all images, and of those with exactly the classes they have; expected calibration error of the most
        probable class; sum of squared distances between the assigned class and the true one.
    given : ndarray of float64, shape (draws, classes + 2)
        Weight of the images that were assigned each class alone; then of those with none, and with several.
    """

    both: NDArray[np.float64]
    assigned: NDArray[np.float64]
    having: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    brier: NDArray[np.float64]
    ece: NDArray[np.float64]
    total: NDArray[np.float64]
    right: NDArray[np.float64]
    confident_ece: NDArray[np.float64]
    distance: NDArray[np.float64]
    given: NDArray[np.float64]


def check_seed(seed: int) -> None:
    """Raise OptionError if random numbers cannot begin with it."""
    if seed < 0:
        raise OptionError(f"Random numbers cannot begin with {seed}.", "Choose 0 or a larger whole number as the seed.")


def weights(count: int, groups: NDArray[np.intp] | None, draws: int, seed: int) -> Iterator[Weights]:
    """Yield how often each row was drawn, for some draws together: shape (up to 16, count).

    The same seed gives the same draws.
    """
    random = np.random.default_rng(seed)
    units = count if groups is None else int(groups.max()) + 1
    for first in range(0, draws, _AT_ONCE):
        drawn = np.empty((min(_AT_ONCE, draws - first), units), np.float32)
        for row in drawn:
            row[:] = np.bincount(random.integers(units, size=units), minlength=units)
        yield drawn if groups is None else drawn[:, groups]


def drawing(cohort: Cohort, draws: int = DRAWS, seed: int = SEED) -> Generator[tuple[int, int], None, Draws]:
    """Resample a cohort, step by step; yields how many steps are done, and how many there are."""
    found = _empty(draws, len(cohort.classes))
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(cohort.classes), _BLOCK)]
    steps, done = (len(blocks) + 1) * draws, 0
    for block in blocks:
        counted = _Block(cohort, block)
        at = 0
        for drawn in weights(len(cohort), cohort.groups, draws, seed):
            counted.add(drawn, found, slice(at, at + len(drawn)))
            at += len(drawn)
            yield done + at, steps
        done += draws
    whole, at = _Whole(cohort), 0
    for drawn in weights(len(cohort), cohort.groups, draws, seed):
        whole.add(drawn, found, slice(at, at + len(drawn)))
        at += len(drawn)
        yield done + at, steps
    return found


def _empty(draws: int, classes: int) -> Draws:
    def many(width: int) -> NDArray[np.float64]:
        return np.full((draws, width), np.nan)

    def single() -> NDArray[np.float64]:
        return np.full(draws, np.nan)

    return Draws(
        *(many(classes), many(classes), many(classes)),
        *(many(classes), many(classes), many(classes)),
        *(single(), single(), single(), single()),
        many(classes + 2),
    )


class _Block:
    """Counts what is about some of the classes."""

    def __init__(self, cohort: Cohort, block: slice) -> None:
        truth, assigned, scores = cohort.truth[:, block], cohort.assigned[:, block], cohort.probabilities[:, block]
        self._block = block
        self._classes = truth.shape[1]
        self._sums = np.concatenate(
            [truth & assigned, assigned, truth, (scores - truth) ** 2], axis=1, dtype=np.float32
        )
        self._sorted = [Sorted.of(truth[:, c], scores[:, c]) for c in range(self._classes)]

    def add(self, drawn: Weights, found: Draws, at: slice) -> None:
        """Count draws."""
        sums = (drawn @ self._sums).astype(np.float64).reshape(len(drawn), 4, self._classes)
        found.both[at, self._block], found.assigned[at, self._block], found.having[at, self._block] = sums[
            :, :3
        ].swapaxes(0, 1)
        totals = drawn.sum(1, dtype=np.float64)
        found.brier[at, self._block] = sums[:, 3] / totals[:, None]
        for row, weight in enumerate(drawn):
            for index, ordered in enumerate(self._sorted, self._block.start):
                mine = weight.take(ordered.order, mode="clip")
                found.average_precision[at.start + row, index] = ordered.average_precision(mine)
                found.ece[at.start + row, index] = ordered.calibration_error(mine)


class _Whole:
    """Counts what is about all classes together."""

    def __init__(self, cohort: Cohort) -> None:
        right = (cohort.truth == cohort.assigned).all(1)
        true, assigned = categories(cohort.truth), categories(cohort.assigned)
        k = len(cohort.classes)
        distance = np.where(assigned < k, (true - assigned) ** 2, (k - 1) ** 2)
        self._sums = np.stack([right, distance], axis=1).astype(np.float32)
        self._assigned, self._categories = assigned, k + 2
        most, is_right = confidence(cohort)
        self._bins = bins_of(most)
        self._off = (is_right - most).astype(np.float64)

    def add(self, drawn: Weights, found: Draws, at: slice) -> None:
        """Count draws."""
        sums = (drawn @ self._sums).astype(np.float64)
        found.total[at] = drawn.sum(1, dtype=np.float64)
        found.right[at], found.distance[at] = sums[:, 0], sums[:, 1]
        for row, weight in enumerate(drawn, at.start):
            found.given[row] = np.bincount(self._assigned, weight, self._categories)
            off = np.bincount(self._bins, weight * self._off, BINS)
            found.confident_ece[row] = np.abs(off).sum() / found.total[row]

"""A cohort in parts, so that what is fitted to some images is tried on others (cross-fitting)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_webipred.evaluation.cohort import Cohort

FOLDS = 5


def folds_of(cohort: Cohort, folds: int = FOLDS, seed: int = 0) -> NDArray[np.intp]:
    """Return the part that each row is in, from 0; see `dealt`."""
    return dealt(cohort.truth, cohort.groups, folds, seed)


def dealt(
    truth: NDArray[np.bool_], groups: NDArray[np.intp] | None, folds: int = FOLDS, seed: int = 0
) -> NDArray[np.intp]:
    """Return the part that each image is in, from 0. The images of a group are in the same part.

    Each part has about the same share of every class. There are fewer parts than asked for if there are fewer images,
    or groups.

    Parameters
    ----------
    truth : ndarray of bool, shape (n, classes)
    groups : ndarray of int, shape (n,), or None
        None if every image is a group of its own.
    folds, seed : int
    """
    units = np.arange(len(truth)) if groups is None else groups
    numbers, first = np.unique(units, return_index=True)
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(numbers))
    # One after the other, sorted by the classes of their first images, they are dealt out like cards.
    kinds = np.unique(truth[first], axis=0, return_inverse=True)[1].reshape(-1)
    order = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    part = np.empty(len(numbers), np.intp)
    part[order] = np.arange(len(numbers)) % min(folds, len(numbers))
    return np.asarray(part[np.searchsorted(numbers, units)], np.intp)

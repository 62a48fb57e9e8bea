"""A cohort in parts, so that what is fitted to some images is tried on others (cross-fitting)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_webipred.evaluation.cohort import Cohort

FOLDS = 5


def folds_of(cohort: Cohort, folds: int = FOLDS, seed: int = 0) -> NDArray[np.intp]:
    """Return the part that each row is in, from 0. The images of a group are in the same part.

    Each part has about the same share of every class. There are fewer parts than asked for if there are fewer images,
    or groups.
    """
    units = np.arange(len(cohort)) if cohort.groups is None else cohort.groups
    numbers, first = np.unique(units, return_index=True)
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(numbers))
    # One after the other, sorted by the classes of their first images, they are dealt out like cards.
    kinds = np.unique(cohort.truth[first], axis=0, return_inverse=True)[1].reshape(-1)
    order = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    part = np.empty(len(numbers), np.intp)
    part[order] = np.arange(len(numbers)) % min(folds, len(numbers))
    return np.asarray(part[np.searchsorted(numbers, units)], np.intp)

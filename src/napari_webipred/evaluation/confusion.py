"""How often images of a class were assigned each class."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.counts import ratio
from napari_webipred.evaluation.scores import categories

NO_CLASS, SEVERAL = "(none)", "(several)"
Mode = Literal["raw", "rows", "columns", "all"]
MODES: tuple[Mode, ...] = ("raw", "rows", "columns", "all")


def confusion(cohort: Cohort) -> tuple[NDArray[np.int64], list[str]]:
    """Count how often images of a class were assigned each class.

    Returns
    -------
    ndarray of int64, shape (classes, columns)
        Rows are true classes. Columns are assigned classes; then, if there are such images, none and several.
    list of str
        Names of the columns.

    Raises
    ------
    OptionError
        The classes do not exclude each other: there is no such matrix.
    """
    if not cohort.is_exclusive:
        raise OptionError(
            "There is no confusion matrix, because an image can have several of the classes.",
            "See the metrics of each class instead.",
        )
    k = len(cohort.classes)
    cells = categories(cohort.truth) * (k + 2) + categories(cohort.assigned)
    counts = np.bincount(cells, minlength=k * (k + 2)).reshape(k, k + 2)
    kept = [*range(k), *(index for index in (k, k + 1) if counts[:, index].any())]
    return counts[:, kept], [[*cohort.classes, NO_CLASS, SEVERAL][index] for index in kept]


def normalised(counts: NDArray[Any], mode: Mode) -> NDArray[np.float64]:
    """Divide a confusion matrix by the totals of its rows (true classes) or columns (assigned ones), or by all.

    Parameters
    ----------
    counts : ndarray, shape (true classes, assigned classes)
    mode : "raw", "rows", "columns" or "all"

    Returns
    -------
    ndarray of float64
        NaN in a row or column without images.
    """
    numbers = counts.astype(np.float64)
    if mode == "raw":
        return numbers
    totals = {"rows": numbers.sum(1, keepdims=True), "columns": numbers.sum(0, keepdims=True), "all": numbers.sum()}
    return ratio(numbers, np.asarray(totals[mode]))

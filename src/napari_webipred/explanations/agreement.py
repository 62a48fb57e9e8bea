"""How far two maps agree: Spearman's rank correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlate the ranks of two maps, averaged to the cells of the coarser one; 0 if one of them is constant."""
    rows, columns = (min(a, b) for a, b in zip(first.shape, second.shape, strict=True))
    one, other = (_ranks(_coarse(each, rows, columns)) for each in (first, second))
    deviation = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / deviation) if deviation else 0.0


def _coarse(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    down = np.array_split(np.arange(values.shape[0]), rows)
    across = np.array_split(np.arange(values.shape[1]), columns)
    return np.array([[values[np.ix_(y, x)].mean() for x in across] for y in down])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, the mean of equal ones."""
    _, places, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(ends - (counts - 1) / 2, np.float64)[places]

"""Which pixels lie inside a polygon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def within(outline: NDArray[np.float64], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Tell which pixels of a box have their centre inside a polygon, by the even-odd rule.

    Parameters
    ----------
    outline : ndarray of float64, shape (n, 2)
        Its corners as (row, column).
    box : tuple of int
        (top, left, bottom, right), the last two exclusive.

    Returns
    -------
    ndarray of bool, shape (bottom - top, right - left)
    """
    top, left, bottom, right = box
    return within_at(outline, np.arange(top, bottom, dtype=np.float64), np.arange(left, right, dtype=np.float64))


def within_at(
    outline: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which points of a grid lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    outline : ndarray of float64, shape (n, 2)
        Its corners as (row, column).
    rows, columns : ndarray of float64
        Where the lines of the grid lie, ascending.

    Returns
    -------
    ndarray of bool, shape (len(rows), len(columns))
    """
    # A side that crosses a row turns all points left of the crossing from outside to inside, or back.
    turns = np.zeros((len(rows), len(columns) + 1), np.bool_)
    for (row, column), (next_row, next_column) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crossed = np.flatnonzero((row <= rows) != (next_row <= rows))
        if crossed.size:
            at = column + (rows[crossed] - row) / (next_row - row) * (next_column - column)
            turns[crossed, np.searchsorted(columns, at)] ^= True
    inside: NDArray[np.bool_] = np.logical_xor.accumulate(turns[:, :0:-1], axis=1)[:, ::-1]
    return inside

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
    rows = np.arange(top, bottom, dtype=np.float64)
    # A side that crosses a row turns all pixels left of the crossing from outside to inside, or back.
    turns = np.zeros((len(rows), right - left + 1), np.bool_)
    for (row, column), (next_row, next_column) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crossed = np.flatnonzero((row <= rows) != (next_row <= rows))
        if crossed.size:
            at = column + (rows[crossed] - row) / (next_row - row) * (next_column - column)
            turns[crossed, np.clip(np.ceil(at) - left, 0, right - left).astype(np.intp)] ^= True
    inside: NDArray[np.bool_] = np.logical_xor.accumulate(turns[:, :0:-1], axis=1)[:, ::-1]
    return inside

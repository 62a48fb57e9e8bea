"""From numbers to places on a plot: scales, ticks, and lines with no more points than there are pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

NICE = (1, 2, 5, 10)
ROUNDING = 1e-6  # of a number of steps
MOST_PERIODS = 400  # of dashes in one line


class Scale(Struct, frozen=True):
    """Maps numbers from `low` to `high` to pixels from `start` to `stop`, which may be the smaller one."""

    low: float
    high: float
    start: float
    stop: float

    def pixel(self, number: float) -> float:
        """Return the place of a number; the middle if all numbers are the same."""
        extent = self.high - self.low
        share = (number - self.low) / extent if extent else 0.5
        return self.start + share * (self.stop - self.start)

    def pixels(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places of many numbers."""
        extent = self.high - self.low
        share = (numbers - self.low) / extent if extent else np.full_like(numbers, 0.5)
        return self.start + share * (self.stop - self.start)

    def number(self, pixel: float) -> float:
        """Return the number at a place, within the scale."""
        extent = self.stop - self.start
        share = min(max((pixel - self.start) / extent, 0.0), 1.0) if extent else 0.5
        return self.low + share * (self.high - self.low)


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Return round numbers from `low` to `high`: at most `most`, at equal distances.

    Parameters
    ----------
    low, high : float
        The range, finite.
    most : int
        At least 2.
    whole : bool
        Whole numbers only, as for planes.
    """
    extent = high - low
    if extent <= 0 or not math.isfinite(extent):
        return [low]
    power = 10.0 ** math.floor(math.log10(extent / most))
    step = next(nice * power for nice in (*NICE, 20) if extent / (nice * power) < most - ROUNDING)
    if whole:
        step = max(step, 1.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def extent_of(values: list[NDArray[np.float32]]) -> tuple[float, float]:
    """Return the range of numbers that are no probabilities, with some space; 0 to 1 if there are none yet."""
    found = [part[np.isfinite(part)] for part in values]
    finite = np.concatenate(found) if found else np.zeros(0, np.float32)
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    space = 0.05 * (high - low) or max(abs(high) * 0.05, 1e-6)
    return low - space, high + space


def envelope(
    values: NDArray[np.float32], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what many numbers look like in a few columns of pixels: from the smallest to the largest one of each.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        NaN where there is nothing to draw.
    columns : int
        How many columns, from 1 to n.

    Returns
    -------
    x, low, high : ndarrays of float64, shape (columns,)
        Index in the middle of a column, and its range, which touches that of the column before. NaN in a gap.
    """
    count = len(values)
    starts = np.arange(columns) * count // columns
    x = (starts + np.append(starts[1:], count) - 1) / 2
    low = np.fmin.reduceat(values, starts).astype(np.float64)
    high = np.fmax.reduceat(values, starts).astype(np.float64)
    gap = np.isnan(low)
    lower = np.fmin(low[1:], high[:-1])
    high[1:] = np.fmax(high[1:], low[:-1])
    low[1:] = lower
    low[gap] = high[gap] = np.nan
    return x, low, high


def pieces(y: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return where a line has no gap, as pairs of first and last index + 1."""
    there = np.concatenate([[False], np.isfinite(y), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True)]


def dashed(x: NDArray[np.float64], y: NDArray[np.float64], pattern: Sequence[float]) -> NDArray[np.float64]:
    """Cut a line into dashes, which Qt paints a hundred times faster than a line with a dashed pen.

    Parameters
    ----------
    x, y : ndarrays of float64, shape (n,)
        Points of the line in pixels.
    pattern : sequence of float
        Lengths of dash, gap, dash, gap ... in pixels. If it is empty, or the line so long that its dashes would not be
        seen, the line has no gaps.

    Returns
    -------
    ndarray of float64, shape (m, 4)
        Straight parts: x, y of the start and x, y of the end.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    total, period = float(along[-1]), float(sum(pattern))
    at = along
    if period and total < MOST_PERIODS * period:
        ends = np.cumsum(pattern)
        cuts = (np.arange(int(total // period) + 1)[:, None] * period + ends).ravel()
        at = np.union1d(along, cuts[cuts < total])
    ends_x, ends_y = np.interp(at, along, x), np.interp(at, along, y)
    parts: NDArray[np.float64] = np.stack([ends_x[:-1], ends_y[:-1], ends_x[1:], ends_y[1:]], axis=1)
    if at is along:
        return parts
    phase = (at[1:] + at[:-1]) / 2 % period
    seen: NDArray[np.float64] = parts[np.searchsorted(ends, phase, side="right") % 2 == 0]
    return seen

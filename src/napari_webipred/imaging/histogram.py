"""How often intensities occur in a plane, or in all planes of a stack."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.imaging.decoding import bands
from napari_webipred.imaging.intensity import LARGEST
from napari_webipred.imaging.preprocess import without_alpha

BINS = 512  # more than a narrow panel has pixels, so that histograms of several planes can be added


class Histogram(Struct, frozen=True, eq=False):
    """Counts of intensities.

    Attributes
    ----------
    low, high : float
        The smallest and the largest value.
    counts : ndarray of int64, shape (512,)
        How many values lie in each of as many equal parts from `low` to `high`. Values that are all the same are in
        the first one.
    others : int
        How many values are NaN, infinite, or so large that they cannot be computed with.
    whole : bool
        Whether there are only whole numbers, by the type of the pixels.
    """

    low: float
    high: float
    counts: NDArray[np.int64]
    others: int
    whole: bool


def histogram_of(pixels: NDArray[Any]) -> Histogram | None:
    """Count the intensities of a plane, all colours together and without alpha.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        Of a boolean, integer or floating-point type. It is read in bands, so hardly any memory is needed.

    Returns
    -------
    Histogram or None
        None if no value can be counted.

    Raises
    ------
    ImageError
        The pixels are no image.
    """
    values = without_alpha(pixels)
    parts = bands(len(values), values[0].nbytes)
    ends = [(good.min(), good.max()) for rows in parts if (good := _countable(values[rows])).size]
    if not ends:
        return None
    low, high = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    counts, others = np.zeros(BINS, np.int64), 0
    for rows in parts:
        good = _countable(values[rows])
        others += values[rows].size - good.size
        counts += _counted(good, low, high)
    return Histogram(low, high, counts, others, pixels.dtype.kind in "bui")


def together(first: Histogram | None, second: Histogram | None) -> Histogram | None:
    """Add two histograms; a value can end up a part further, the smallest and the largest one are exact."""
    if first is None or second is None:
        return first or second
    low, high = min(first.low, second.low), max(first.high, second.high)
    counts = np.zeros(BINS, np.int64)
    for each in (first, second):
        if (each.low, each.high) == (low, high):
            counts += each.counts
            continue
        filled = np.flatnonzero(each.counts)
        width = (each.high - each.low) / BINS
        middles = np.clip(each.low + (filled + 0.5) * width, each.low, each.high)
        np.add.at(counts, _places(middles, low, high), each.counts[filled])
    return Histogram(low, high, counts, first.others + second.others, first.whole and second.whole)


def bars(histogram: Histogram, view: tuple[float, float], most: int) -> NDArray[np.float64]:
    """Return the counts for columns of equal width, each of as many parts or whole numbers as the others.

    Parameters
    ----------
    histogram : Histogram
    view : tuple of float
        What all columns stand for together; the histogram lies within it.
    most : int
        How many columns there may be.
    """
    span, (low, high) = histogram.high - histogram.low, view
    few = histogram.whole and span < BINS
    cells = np.ceil(np.arange(BINS) * (span / BINS)) if few else np.arange(BINS)
    width = 1.0 if few else span / BINS if span > 0 else (high - low) / most
    count = max(round((high - low) / width), 1) + few
    together = math.ceil(count / most)
    columns = (np.round((histogram.low - low) / width) + cells) // together
    total = math.ceil(count / together)
    places = columns.clip(0, total - 1).astype(int)
    return np.bincount(places, weights=histogram.counts, minlength=total).astype(np.float64)


def _countable(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values that can be counted, as a flat array."""
    flat = values.reshape(-1)
    if values.dtype.kind != "f":
        return flat
    with np.errstate(invalid="ignore", over="ignore"):
        good = abs(flat) <= np.asarray(LARGEST).astype(values.dtype)  # infinite in a narrow type
        finite: NDArray[Any] = flat[good & np.isfinite(flat)]
        return finite


def _counted(values: NDArray[Any], low: float, high: float) -> NDArray[np.int64]:
    return np.bincount(_places(values, low, high), minlength=BINS).astype(np.int64)


def _places(values: NDArray[Any], low: float, high: float) -> NDArray[np.intp]:
    if not low < high:
        return np.zeros(values.size, np.intp)
    shares = (values.astype(np.float64) - low) / (high - low)
    return np.clip(shares * BINS, 0, BINS - 1).astype(np.intp)

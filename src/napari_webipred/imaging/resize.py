"""Resizing with the very arithmetic of OpenCV, which both WebIPred and AUCMEDI use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.imaging.span import Span

Number = TypeVar("Number", np.float32, np.int32)

BAND = 2**20  # bytes that are worked on at a time: they stay in the cache of the processor
ONE = 2048  # the weight 1 in OpenCV's fixed-point numbers
REPEATED = 3 / 4  # of the neighbours: if fewer are different, each is read once
KEPT = 16  # plans for images of so many sizes


class Neighbours(Struct, frozen=True):
    """The lines of an image along one axis that a bilinear resize reads, and how it mixes them.

    Attributes
    ----------
    places : ndarray of int
        The lines that are read. A small image has fewer than the target needs: then each is there once.
    first, second : slice or ndarray of int
        Which of them are the two neighbours of each line of the target.
    weights : ndarray of float32, shape (target,)
        Of the second neighbours.
    """

    places: NDArray[np.intp]
    first: slice | NDArray[np.intp]
    second: slice | NDArray[np.intp]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: NDArray[np.intp], weights: NDArray[np.float32]) -> Neighbours:
        """Plan to read each line once if that spares work.

        Parameters
        ----------
        pairs : ndarray of int, shape (2 * target,)
            The first neighbours of all lines of the target, and then the second ones.
        weights : ndarray of float32, shape (target,)
        """
        count = len(weights)
        places, of_pairs = np.unique(pairs, return_inverse=True)
        if len(places) > REPEATED * len(pairs):  # to put them in pairs again would cost as much as it spares
            return cls(pairs, slice(0, count), slice(count, None), weights)
        return cls(places, of_pairs[:count], of_pairs[count:], weights)


class Grid(Struct, frozen=True):
    """Which pixels of an image a bilinear resize reads, and how it mixes them.

    Attributes
    ----------
    rows, columns : Neighbours
        Along y and along x.
    halves : bool
        Whether each target pixel stands for a block of exactly 2 x 2 pixels.
    """

    rows: Neighbours
    columns: Neighbours
    halves: bool

    def gather(self, pixels: NDArray[Any], channels: int) -> NDArray[Any]:
        """Take the pixels that count, so that what follows costs the same for images of any size.

        Parameters
        ----------
        pixels : ndarray, shape (height, width) or (height, width, at least channels)
        channels : int
            How many channels to keep, counted from the first.

        Returns
        -------
        ndarray, shape (rows that are read, columns that are read, channels)
            Of the same dtype.
        """
        rows, columns = self.rows.places, self.columns.places
        interleaved = 1 if pixels.ndim == 2 else pixels.shape[2]
        # Plain columns of numbers are gathered several times faster than pixels of three.
        places = (columns[:, None] * interleaved + np.arange(channels)).ravel()
        if len(rows) * pixels[0].nbytes <= BAND:
            lines = pixels[rows].reshape(len(rows), -1).take(places, axis=1)
        else:  # rows so long that copies of them would count
            lines = np.stack([pixels[row].reshape(-1).take(places) for row in rows])
        return lines.reshape(len(rows), len(columns), channels)

    def blend(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix the gathered pixels: along x, then along y, every product and sum rounded to float32.

        Parameters
        ----------
        pixels : ndarray of float32
            What `gather` has returned.

        Returns
        -------
        ndarray of float32, shape (target height, target width, channels)
        """
        channels = pixels.shape[2]
        left, right = _pair(pixels, self.columns, axis=1)
        across = np.repeat(self.columns.weights, channels)
        mixed = left * (1 - across)
        mixed += right * across
        above, below = _pair(mixed, self.rows, axis=0)
        down = self.rows.weights[:, None]
        resized = above * (1 - down)
        resized += below * down
        return resized.reshape(len(down), -1, channels)

    def blend_whole(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mix the gathered pixels in whole numbers, as ``cv::resize`` does with 8-bit images.

        Weights are rounded to 11 bits. An image of exactly twice the size is averaged in blocks of 2 x 2 instead.

        Parameters
        ----------
        pixels : ndarray of uint8
            What `gather` has returned.

        Returns
        -------
        ndarray of uint8, shape (target height, target width, channels)
        """
        channels = pixels.shape[2]
        resized: NDArray[np.int32]
        left, right = _pair(pixels.astype(np.int32), self.columns, axis=1)
        if self.halves:
            above, below = _pair(left + right, self.rows, axis=0)
            resized = (above + below + 2) >> 2
        else:
            of_left, of_right = (np.repeat(weights, channels) for weights in _fixed_point(self.columns.weights))
            top, bottom = (weights[:, None] for weights in _fixed_point(self.rows.weights))
            above, below = _pair((left * of_left + right * of_right) >> 4, self.rows, axis=0)
            resized = ((above * top >> 16) + (below * bottom >> 16) + 2) >> 2
        return resized.astype(np.uint8).reshape(len(resized), -1, channels)


def _pair(lines: NDArray[Number], neighbours: Neighbours, axis: int) -> tuple[NDArray[Number], NDArray[Number]]:
    """Return the first and the second neighbours along an axis, all that a row holds in one axis."""
    first, second = (
        lines[(slice(None),) * axis + (which,)] if isinstance(which, slice) else lines.take(which, axis)
        for which in (neighbours.first, neighbours.second)
    )
    return first.reshape(len(first), -1), second.reshape(len(second), -1)


@lru_cache(KEPT)
def bands(
    shape: tuple[int, int], spans: tuple[Span, Span], target: tuple[int, int], row: int
) -> tuple[tuple[slice, Grid], ...]:
    """Plan a bilinear resize without antialiasing, in bands that can be resized one after the other.

    The arithmetic is that of ``cv::resize`` with ``INTER_LINEAR`` on float32 images, in which sampling positions are
    computed in float64 and rounded once to float32. Weights at the border are dropped along x, but kept along y, where
    both neighbours are the same row: that differs in the last place. Bands change no bit.

    Parameters
    ----------
    shape, target : tuple of int
        (height, width) of the image, and of the result.
    spans : tuple of Span
        The part of the image that is resized, (along y, along x).
    row : int
        Bytes that are needed for a row of the target at a time; a band needs about 1 MiB, or is one row.

    Returns
    -------
    tuple of (slice, Grid)
        Rows of the target, and the resize to these. Plans for the latest sizes are kept: many images have one size.
    """
    above, down = _neighbours(spans[0].length, target[0])
    left, across = _neighbours(spans[1].length, target[1])
    across[(left < 0) | (left >= spans[1].length - 1)] = 0
    halves = spans[0].length == 2 * target[0] and spans[1].length == 2 * target[1]
    columns = Neighbours.of(_indices(left, spans[1], shape[1]), across)
    pairs = _indices(above, spans[0], shape[0]).reshape(2, -1)
    count = max(1, BAND // max(row, 1))
    return tuple(
        (rows, Grid(Neighbours.of(pairs[:, rows].ravel(), down[rows]), columns, halves))
        for rows in (slice(top, top + count) for top in range(0, target[0], count))
    )


def _neighbours(length: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    scale = 1 / (target / length)  # not length / target: the two divisions round differently
    position = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(position)
    return first.astype(np.intp), position - first


def _fixed_point(weights: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Round the weights of the first and the second neighbours to whole numbers of which `ONE` stands for 1."""
    return np.rint((1 - weights) * ONE).astype(np.int32), np.rint(weights * ONE).astype(np.int32)


def _indices(first: NDArray[np.intp], span: Span, length: int) -> NDArray[np.intp]:
    inside = np.concatenate([first, first + 1]).clip(0, span.length - 1)
    return (inside + span.start).clip(0, length - 1)

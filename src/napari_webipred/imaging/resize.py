"""Resizing with the very arithmetic of OpenCV, which both WebIPred and AUCMEDI use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import Preprocessing


BAND = 2**20  # bytes that are worked on at a time: they stay in the cache of the processor
ONE = 2048  # the weight 1 in OpenCV's fixed-point numbers


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of an image's axis that becomes the whole axis of the model input.

    Attributes
    ----------
    start, length : int
        In pixels of the image. Where the span reaches beyond the image, the pixel at the edge is repeated.
    """

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Which pixels of an image a bilinear resize reads, and how it mixes them.

    Attributes
    ----------
    rows, columns : ndarray of int, shape (2 * target,)
        The upper and then the lower (left, then right) neighbours of each target row (column).
    down, across : ndarray of float32, shape (target,)
        Weight of the lower (right) neighbour.
    halves : bool
        Whether each target pixel stands for a block of exactly 2 x 2 pixels.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    down: NDArray[np.float32]
    across: NDArray[np.float32]
    halves: bool

    def bands(self, row: int) -> Iterator[tuple[slice, Grid]]:
        """Cut the target into bands that can be resized one after the other: the result is the same, bit for bit.

        Parameters
        ----------
        row : int
            Bytes that are needed for a row of the target at a time; a band needs about 1 MiB, or is one row.

        Yields
        ------
        rows : slice
            Rows of the target.
        grid : Grid
            The resize to these.
        """
        height = len(self.down)
        count = max(1, BAND // max(row, 1))
        above, below = self.rows[:height], self.rows[height:]
        for top in range(0, height, count):
            rows = slice(top, top + count)
            yield rows, replace(self, rows=np.concatenate([above[rows], below[rows]]), down=self.down[rows])

    def gather(self, pixels: NDArray[Any], channels: int) -> NDArray[Any]:
        """Take the neighbours of all target pixels, so that what follows costs the same for images of any size.

        Parameters
        ----------
        pixels : ndarray, shape (height, width) or (height, width, at least channels)
        channels : int
            How many channels to keep, counted from the first.

        Returns
        -------
        ndarray, shape (2 * target height, 2 * target width, channels)
            Of the same dtype.
        """
        interleaved = 1 if pixels.ndim == 2 else pixels.shape[2]
        # Plain columns of numbers are gathered several times faster than pixels of three.
        places = (self.columns[:, None] * interleaved + np.arange(channels)).ravel()
        if len(self.rows) * pixels[0].nbytes <= BAND:
            lines = pixels[self.rows].reshape(len(self.rows), -1).take(places, axis=1)
        else:  # rows so long that copies of them would count
            lines = np.stack([pixels[row].reshape(-1).take(places) for row in self.rows])
        return lines.reshape(len(self.rows), len(self.columns), channels)

    def blend(self, neighbours: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix the gathered neighbours: along x, then along y, every product and sum rounded to float32.

        Parameters
        ----------
        neighbours : ndarray of float32, shape (2 * target height, 2 * target width, channels)

        Returns
        -------
        ndarray of float32, shape (target height, target width, channels)
        """
        height, width, channels = len(self.down), len(self.across), neighbours.shape[2]
        lines = neighbours.reshape(2 * height, 2, width * channels)
        across = np.repeat(self.across, channels)
        mixed = lines[:, 0] * (1 - across)
        mixed += lines[:, 1] * across
        down = self.down[:, None]
        resized = mixed[:height] * (1 - down)
        resized += mixed[height:] * down
        return resized.reshape(height, width, channels)

    def blend_whole(self, neighbours: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mix the gathered neighbours in whole numbers, as ``cv::resize`` does with 8-bit images.

        Weights are rounded to 11 bits. An image of exactly twice the size is averaged in blocks of 2 x 2 instead.

        Parameters
        ----------
        neighbours : ndarray of uint8, shape (2 * target height, 2 * target width, channels)

        Returns
        -------
        ndarray of uint8, shape (target height, target width, channels)
        """
        height, width, channels = len(self.down), len(self.across), neighbours.shape[2]
        lines = neighbours.reshape(2 * height, 2, width * channels).astype(np.int32)
        if self.halves:
            pairs = lines[:, 0] + lines[:, 1]
            resized = (pairs[:height] + pairs[height:] + 2) >> 2
        else:
            left, right = (np.repeat(weights, channels) for weights in _fixed_point(self.across))
            top, bottom = (weights[:, None] for weights in _fixed_point(self.down))
            mixed = (lines[:, 0] * left + lines[:, 1] * right) >> 4
            resized = ((mixed[:height] * top >> 16) + (mixed[height:] * bottom >> 16) + 2) >> 2
        return resized.astype(np.uint8).reshape(height, width, channels)


def bilinear(shape: tuple[int, int], spans: tuple[Span, Span], target: tuple[int, int]) -> Grid:
    """Plan a bilinear resize without antialiasing.

    The arithmetic is that of ``cv::resize`` with ``INTER_LINEAR`` on float32 images, in which sampling positions are
    computed in float64 and rounded once to float32. Weights at the border are dropped along x, but kept along y, where
    both neighbours are the same row: that differs in the last place.

    Parameters
    ----------
    shape, target : tuple of int
        (height, width) of the image, and of the result.
    spans : tuple of Span
        The part of the image that is resized, (along y, along x).
    """
    above, down = _neighbours(spans[0].length, target[0])
    left, across = _neighbours(spans[1].length, target[1])
    across[(left < 0) | (left >= spans[1].length - 1)] = 0
    halves = spans[0].length == 2 * target[0] and spans[1].length == 2 * target[1]
    return Grid(_indices(above, spans[0], shape[0]), _indices(left, spans[1], shape[1]), down, across, halves)


def spans(shape: tuple[int, int], target: tuple[int, int], preprocessing: Preprocessing) -> tuple[Span, Span]:
    """Choose the part of an image that becomes the model input, by the card's ``resize_mode``.

    - ``stretch``: the whole image; its aspect ratio is not kept.
    - ``center-crop``: the largest centred part with the aspect ratio of the model input, its sides shortened to
      ``crop_pct`` of that.
    - ``pad``: the image made square by repeating its edges, with the odd pixel after it.
    - ``none``: the image, which must have the size of the model input.

    Parameters
    ----------
    shape, target : tuple of int
        (height, width) of the image and of the model input.
    preprocessing : Preprocessing

    Returns
    -------
    tuple of Span
        Along y and along x.

    Raises
    ------
    ImageError
        The mode is ``none`` and the image has another size.
    OptionError
        The interpolation is not supported.
    """
    height, width = shape
    if preprocessing.resize_mode == "none":
        if shape != target:
            raise ImageError(
                f"The image has {width}x{height} pixels, but the model takes {target[1]}x{target[0]} "
                "and its card forbids resizing.",
                "Resize the image to that size first.",
            )
    elif preprocessing.interpolation != "bilinear":
        raise OptionError(
            f"The interpolation {preprocessing.interpolation!r} is not supported yet.",
            "Use a model whose card says bilinear; all models of WebIPred do.",
        )
    if preprocessing.resize_mode == "center-crop":
        scale = min(height / target[0], width / target[1]) * preprocessing.crop_pct
        return _centred(height, round(target[0] * scale)), _centred(width, round(target[1] * scale))
    if preprocessing.resize_mode == "pad":
        side = max(shape)
        return _centred(height, side), _centred(width, side)
    return Span(0, height), Span(0, width)


def _centred(length: int, part: int) -> Span:
    part = max(part, 1)
    return Span(int((length - part) / 2), part)  # towards zero, both for a crop and for padding


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

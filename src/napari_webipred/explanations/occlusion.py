"""Occlusion: how much a logit falls when a square of the model input is covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.cancellation import current

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATCHES = 14  # along each axis, half of them overlapping: with 224 pixels, squares of 32 that move by 16
BATCH = 8


def occluded(
    predict: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    tensor: NDArray[np.float32],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cover one part of a model input after the other.

    Parameters
    ----------
    predict : callable
        From a batch of inputs to their scores, float64 of shape (n, n_outputs).
    tensor : ndarray of float32, shape (height, width, channels)
        A model input.
    progress : callable
        Is told how many parts are done, of how many.

    Returns
    -------
    maps : ndarray of float64, shape (n_outputs, rows, columns)
        By how much the score of each output falls where the image is covered: the mean over all squares that cover a
        cell. A square covers 2 x 2 cells (fewer at the border) and is filled with the mean of each channel.
    scores : ndarray of float64, shape (n_outputs,)
        Those of the whole input.

    Raises
    ------
    CancelledError
        The `napari_webipred.cancellation.Cancellation` that the thread works under was cancelled.
    """
    scores = predict(tensor[None])[0]
    rows, columns = (min(PATCHES, size) for size in tensor.shape[:2])
    fill = tensor.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    squares = list(_squares(rows, columns))
    total = np.zeros((len(scores), rows, columns))
    covered = np.zeros((rows, columns))
    for first in range(0, len(squares), BATCH):
        current().check()
        part = squares[first : first + BATCH]
        batch = np.repeat(tensor[None], len(part), axis=0)
        for image, (down, across) in zip(batch, part, strict=True):
            image[_pixels(down, rows, tensor.shape[0]), _pixels(across, columns, tensor.shape[1])] = fill
        for change, (down, across) in zip(scores - predict(batch), part, strict=True):
            total[:, down, across] += change[:, None, None]
            covered[down, across] += 1
        progress(first + len(part), len(squares))
    return total / covered, scores


def _squares(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Yield the cells that each square covers, as it moves by one cell; those at the border cover fewer."""
    for row in range(-1, rows):
        for column in range(-1, columns):
            yield slice(max(row, 0), min(row + 2, rows)), slice(max(column, 0), min(column + 2, columns))


def _pixels(cells: slice, count: int, size: int) -> slice:
    return slice(round(cells.start * size / count), round(cells.stop * size / count))

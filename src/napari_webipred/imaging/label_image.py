"""Where the labels of a label image lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAND = 2**20  # pixels that are looked at in one go: about 100 MB if each has another label


def label_boxes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Find the box around each label of a plane, in one pass over its pixels.

    Parameters
    ----------
    labels : ndarray of int or bool, shape (height, width)
        The label of each pixel; 0 is background.

    Returns
    -------
    numbers : ndarray of int, shape (n,)
        The labels that there are, ascending.
    boxes : ndarray of int64, shape (n, 4)
        The first row and column of each, and those behind its last ones.

    Raises
    ------
    ImageError
        There are more than `limits.REGIONS` labels, or negative ones.
    """
    height, width = labels.shape
    numbers, boxes = np.zeros(0, labels.dtype), np.zeros((0, 4), np.int64)
    rows = max(1, BAND // max(width, 1))
    for top in range(0, height if width else 0, rows):
        found, around = _runs(labels[top : top + rows])
        around[:, [0, 2]] += top
        numbers, boxes = _joined(np.concatenate([numbers, found]), np.concatenate([boxes, around]))
        refuse_many(len(numbers))
    return numbers, boxes


def refuse_many(count: int) -> None:
    """Refuse more regions than an image may have.

    Raises
    ------
    ImageError
        There are too many.
    """
    if count > limits.REGIONS:
        raise ImageError(
            f"There are more than {limits.REGIONS:,} regions.",
            "Give fewer: for example only some planes, or without labels of a few pixels.",
        )


def _runs(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Find the runs of equal labels along each row: their labels and boxes, without those of the background."""
    begins = np.ones(labels.shape, np.bool_)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    rows, columns = np.nonzero(begins)
    numbers = labels[rows, columns]
    if numbers.size and numbers.min() < 0:
        raise ImageError(
            f"The label image has the negative label {numbers.min()}.", "Give whole numbers from 0, the background, on."
        )
    ends = np.append(columns[1:], 0)
    ends[ends == 0] = labels.shape[1]  # the next run begins another row
    kept = numbers != 0
    return numbers[kept], np.stack([rows, columns, rows + 1, ends], axis=1)[kept]


def _joined(numbers: NDArray[Any], boxes: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Make one box of all that have the same label."""
    if not len(numbers):
        return numbers, boxes
    order = np.argsort(numbers, kind="stable")
    numbers, boxes = numbers[order], boxes[order]
    firsts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    low, high = np.minimum.reduceat(boxes[:, :2], firsts), np.maximum.reduceat(boxes[:, 2:], firsts)
    return numbers[firsts], np.hstack([low, high])

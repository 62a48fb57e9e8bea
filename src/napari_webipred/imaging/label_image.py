"""Where the labels of a label image lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Found: TypeAlias = "tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint64]]"
BAND = 2**20  # pixels that are looked at in one go: about 100 MB if each has another label


def label_boxes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint64]]:
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
    marks : ndarray of uint64, shape (n,)
        A number that is another one, but for a rare chance, if another set of pixels has the label.

    Raises
    ------
    ImageError
        There are more than `limits.REGIONS` labels, or negative ones.
    """
    height, width = labels.shape
    found: Found = (np.zeros(0, labels.dtype), np.zeros((0, 4), np.int64), np.zeros(0, np.uint64))
    rows = max(1, BAND // max(width, 1))
    for top in range(0, height if width else 0, rows):
        numbers, boxes, marks = (
            np.concatenate(pair) for pair in zip(found, _pixels(labels, top, top + rows), strict=True)
        )
        found = _joined(numbers, boxes, marks)
        refuse_many(len(found[0]))
    return found


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


def _pixels(labels: NDArray[Any], top: int, bottom: int) -> Found:
    """Find the runs of equal labels along each of these rows, without those of the background."""
    band = labels[top:bottom]
    begins = np.ones(band.shape, np.bool_)
    begins[:, 1:] = band[:, 1:] != band[:, :-1]
    rows, columns = np.nonzero(begins)
    numbers = band[rows, columns]
    if numbers.size and numbers.min() < 0:
        raise ImageError(
            f"The label image has the negative label {numbers.min()}.", "Give whole numbers from 0, the background, on."
        )
    ends = np.append(columns[1:], 0)
    ends[ends == 0] = band.shape[1]  # the next run begins another row
    kept = numbers != 0
    boxes = np.stack([rows + top, columns, rows + top + 1, ends], axis=1)[kept].astype(np.int64)
    return numbers[kept], boxes, _marks(boxes)


def _marks(runs: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Make a number of each run, such that their sum tells whether runs are the same in any order."""
    mixed = np.zeros(len(runs), np.uint64)
    for part in (0, 1, 3):
        mixed = (mixed ^ runs[:, part].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _joined(numbers: NDArray[Any], boxes: NDArray[np.int64], marks: NDArray[np.uint64]) -> Found:
    """Make one of all that have the same label."""
    if not len(numbers):
        return numbers, boxes, marks
    order = np.argsort(numbers, kind="stable")
    numbers, boxes, marks = numbers[order], boxes[order], marks[order]
    firsts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    low, high = np.minimum.reduceat(boxes[:, :2], firsts), np.maximum.reduceat(boxes[:, 2:], firsts)
    return numbers[firsts], np.hstack([low, high]), np.add.reduceat(marks, firsts)

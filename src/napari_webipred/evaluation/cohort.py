"""Images with what a model said of them and what they are: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Task = Literal["multi-class", "multi-label", "binary"]
Reason = Literal["no label", "no row", "unknown class", "failed", "ambiguous", "conflict"]
REASONS: dict[Reason, str] = {
    "no label": "rows without a label",
    "no row": "labels without a row",
    "unknown class": "labels that are no class of the model",
    "failed": "images that the model could not classify",
    "ambiguous": "names that fit several images",
    "conflict": "images with different labels",
}


class Predictions(Struct, frozen=True, eq=False):
    """What a model said of images: a row per image, plane or region.

    Attributes
    ----------
    images : sequence of str
        Name or path of the image of each row.
    probabilities : ndarray of float32, shape (rows, classes)
        NaN where the image failed.
    assigned : ndarray of bool, shape (rows, classes)
        Which classes the model assigned.
    classes : tuple of str
        In the order of the columns.
    task : "multi-class", "multi-label" or "binary"
        ``"binary"`` is one number for two classes.
    axes : tuple of str
        What tells rows of the same image apart, such as ``("z",)`` or ``("region",)``.
    places : sequence of tuple of str
        Where each row lies along `axes`; empty without axes.
    groups : sequence of str
        What the rows of each group have in common, such as a patient, if the table says so; else empty.
    """

    images: Sequence[str]
    probabilities: NDArray[np.float32]
    assigned: NDArray[np.bool_]
    classes: tuple[str, ...]
    task: Task = "multi-class"
    axes: tuple[str, ...] = ()
    places: Sequence[tuple[str, ...]] = ()
    groups: Sequence[str] = ()


class Label(Struct, frozen=True):
    """What is known of an image.

    Attributes
    ----------
    image : str
        Its name or path.
    classes : tuple of str
        What it shows, as it was written; empty for none of the classes.
    place : tuple of str
        Which plane or region of the image is meant, along the axes that labels and rows have in common.
    group : str
        What it has in common with others, such as a patient.
    """

    image: str
    classes: tuple[str, ...]
    place: tuple[str, ...] = ()
    group: str = ""


class Unmatched(Struct, frozen=True):
    """A row or a label that does not count, and why.

    Attributes
    ----------
    image : str
    reason : str
        One of `REASONS`.
    detail : str
        A sentence with the values at fault.
    row : int or None
        Which row it is, counted from 0; None for a label.
    """

    image: str
    reason: Reason
    detail: str = ""
    row: int | None = None


class Cohort(Struct, frozen=True, eq=False):
    """The rows whose classes are known.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which rows of the predictions these are.
    images : tuple of str
    classes, task
        As in `Predictions`.
    probabilities : ndarray of float64, shape (n, classes)
    truth, assigned : ndarray of bool, shape (n, classes)
        The classes that the images have, and those that the model assigned.
    groups : ndarray of int, shape (n,), or None
        The number of the group of each row, from 0; None if every row is one of its own.
    grouped_by : str
        What the groups are, such as ``"patient"``; empty without groups.
    ordinal : bool
        Whether the classes have an order, such as grades of a disease.
    """

    rows: NDArray[np.intp]
    images: tuple[str, ...]
    classes: tuple[str, ...]
    task: Task
    probabilities: NDArray[np.float64]
    truth: NDArray[np.bool_]
    assigned: NDArray[np.bool_]
    groups: NDArray[np.intp] | None = None
    grouped_by: str = ""
    ordinal: bool = False
    unmatched: tuple[Unmatched, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_exclusive(self) -> bool:
        """Whether an image has exactly one class."""
        return self.task != "multi-label"

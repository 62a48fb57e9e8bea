"""Labels as a user gives them, as plain arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.names import listed

Task = Literal["single", "multi"]
Label: TypeAlias = str | Collection[str]
_MISSING = {"None", "nan", "NaT", "<NA>"}  # values that are no texts, as they are written


class Labels(Struct, frozen=True, eq=False):
    """Which classes images have, and which of the images belong together.

    Attributes
    ----------
    classes : tuple of str
    task : "single" or "multi"
        Whether an image has exactly one class, or any number of them.
    truth : ndarray of bool, shape (n, classes)
    groups : ndarray of int, shape (n,), or None
        The number of each image's group, from 0; None if every image is a group of its own.
    """

    classes: tuple[str, ...]
    task: Task
    truth: NDArray[np.bool_]
    groups: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def units(self) -> NDArray[np.intp]:
        """The group of each image; its own number if there are no groups."""
        return np.arange(len(self)) if self.groups is None else self.groups

    @property
    def counts(self) -> dict[str, int]:
        """How many images have each class."""
        return dict(zip(self.classes, self.truth.sum(0).tolist(), strict=True))

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each image counts for each class, so that all classes count as much; shape (n, classes).

        Of classes that exclude each other, an image has one weight, that of its class. Of others, those that have a
        class count as much as those that have not.
        """
        have = self.truth.sum(0)
        if self.task == "single":
            of_class = len(self) / (np.count_nonzero(have) * np.maximum(have, 1))
            return np.repeat((self.truth @ of_class)[:, None], len(self.classes), axis=1)
        lack = len(self) - have
        return np.asarray(
            np.where(self.truth, len(self) / (2 * np.maximum(have, 1)), len(self) / (2 * np.maximum(lack, 1)))
        )

    def part(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Labels:
        """Return the labels of some of the images."""
        groups = None if self.groups is None else self.groups[rows]
        return Labels(self.classes, self.task, self.truth[rows], groups)

    def is_whole(self) -> bool:
        """Tell whether there are images of each class and, if classes do not exclude each other, images without it."""
        have = self.truth.sum(0)
        return bool((have > 0).all() and (self.task == "single" or (have < len(self)).all()))


def labels_of(
    labels: Sequence[Label],
    classes: Sequence[str] | None = None,
    *,
    task: Task = "single",
    groups: Sequence[object] | NDArray[np.generic] | None = None,
) -> Labels:
    """Check labels, and make arrays of them.

    Parameters
    ----------
    labels : sequence of str, or of collections of str
        One of each image; with ``task="multi"`` the classes that each image has, which may be none.
    classes : sequence of str, optional
        In the order that the model will have; by default in that of the alphabet.
    task : "single" or "multi"
    groups : sequence, optional
        What each image has in common with others, such as the name of a patient.

    Raises
    ------
    OptionError
        There are fewer than two classes (one, if they do not exclude each other), no image of one of them, a label
        that is none of the classes, several labels of an image that may have one, or more or fewer groups than labels.
    """
    sets = [{label} if isinstance(label, str) else set(label) for label in labels]
    found = sorted(set().union(*sets)) if sets else []
    names = tuple(found if classes is None else classes)
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"Several classes are called {doubled[0]!r}.", "Give each class a name of its own.")
    if unknown := [name for name in found if name not in names]:
        raise OptionError(
            f"{listed(unknown)} is a label, but not one of the classes {listed(names)}.",
            "Correct the label, or name it as a class.",
        )
    if task == "single" and (wrong := [each for each in sets if len(each) != 1]):
        raise OptionError(
            f"An image has {len(wrong[0])} labels, and the classes exclude each other.",
            "Give each image one label, or say that an image may have several classes.",
        )
    index = {name: number for number, name in enumerate(names)}
    truth = np.zeros((len(sets), len(names)), np.bool_)
    for row, each in enumerate(sets):
        truth[row, [index[name] for name in each]] = True
    if groups is not None and len(groups) != len(sets):
        raise OptionError(f"There are {len(sets)} labels, but {len(groups)} groups.", "Give a group for each image.")
    _check_classes(names, truth, task)
    return Labels(names, task, truth, None if groups is None else _numbered(groups))


def group_name(group: object) -> str:
    """Return a group as a text; empty if there is none: None, or what NumPy and pandas have for a missing value."""
    if isinstance(group, str):
        return group
    text = str(group)
    return "" if text in _MISSING else text


def _check_classes(names: tuple[str, ...], truth: NDArray[np.bool_], task: Task) -> None:
    if len(names) < (2 if task == "single" else 1):
        what = f"There is one class only, {names[0]}" if names else "There are no labels"
        raise OptionError(
            f"{what}: a model needs at least two to tell apart.",
            "Label some images of another class, for example as 'other'.",
        )
    have = truth.sum(0)
    if missing := [name for name, count in zip(names, have, strict=True) if not count]:
        raise OptionError(
            f"No image has the label {listed(missing)}.", "Label some, or leave the class out until there are some."
        )
    if task == "multi" and (always := [name for name, count in zip(names, have, strict=True) if count == len(truth)]):
        raise OptionError(f"Every image has the label {listed(always)}.", "Label some images that do not have it, too.")


def _numbered(groups: Sequence[object] | NDArray[np.generic]) -> NDArray[np.intp]:
    """Give groups numbers in the order in which they come; an image whose group is empty is a group of its own."""
    names = map(group_name, groups)
    keys = [(name, -1) if name else ("", row) for row, name in enumerate(names)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.intp)

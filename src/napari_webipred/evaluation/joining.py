"""Rows and labels put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort, Label, Predictions, Reason, Unmatched
from napari_webipred.evaluation.matching import paired
from napari_webipred.names import plain
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import ROUNDING

Key = tuple[str, tuple[str, ...]]


def joined(
    predictions: Predictions,
    labels: Sequence[Label],
    axes: Sequence[str] = (),
    *,
    grouped_by: str = "",
    ordinal: bool = False,
) -> Cohort:
    """Give each row its label. Every row and label that does not count is listed in ``unmatched``.

    Parameters
    ----------
    predictions : Predictions
    labels : sequence of Label
    axes : sequence of str
        What the places of the labels are; all planes and regions of an image have the same label along other axes.
    grouped_by : str
        What the groups of labels or rows are. By default rows of the same image are a group.
    ordinal : bool
        Whether the classes have an order.

    Raises
    ------
    OptionError
        No row has a label, or one has a number that is no probability.
    """
    known, conflicts = _by_key(labels)
    pairs = paired(list(dict.fromkeys(predictions.images)), list(dict.fromkeys(label.image for label in labels)))
    indices = _indices(predictions.classes, labels)
    columns = [predictions.axes.index(axis) for axis in axes]
    failed = np.isnan(predictions.probabilities.sum(axis=1))
    unmatched: list[Unmatched] = list(conflicts)
    rows, truths, groups = [], [], []
    used: set[Key] = set()
    for row, image in enumerate(predictions.images):
        place = tuple(predictions.places[row][column] for column in columns)
        name = pairs.found.get(image)
        key = name or "", place
        label = known.get(key) if name is not None else None  # a label without a name is of no image
        if label is not None:
            used.add(key)
        if label is None or not _says(label, predictions):
            reason: Reason = "ambiguous" if image in pairs.ambiguous else "no label"
            unmatched.append(Unmatched(image, reason, " ".join(place), row))
            continue
        if failed[row]:
            unmatched.append(Unmatched(image, "failed", "", row))
        elif why := _fault(label, indices, exclusive=predictions.task != "multi-label"):
            unmatched.append(Unmatched(image, "unknown class", why, row))
        else:
            rows.append(row)
            truths.append([indices[name] for name in label.classes])
            groups.append(label.group or (predictions.groups[row] if predictions.groups else ""))
    unmatched += [
        Unmatched(label.image, "no row", as_cell(label.classes))
        for label in _unused(known, used)
        if _says(label, predictions)
    ]
    if not rows:
        raise _nothing(predictions, labels, unmatched)
    images = tuple(predictions.images[row] for row in rows)
    numbers, what = _groups(groups, grouped_by, images)
    chosen = np.array(rows, np.intp)
    _check_range(images, predictions.classes, predictions.probabilities[chosen])
    truth = np.zeros((len(rows), len(predictions.classes)), np.bool_)
    for index, shown in enumerate(truths):
        truth[index, shown] = True
    return Cohort(
        chosen,
        images,
        predictions.classes,
        predictions.task,
        predictions.probabilities[chosen].astype(np.float64),
        truth,
        predictions.assigned[chosen],
        numbers,
        what,
        ordinal,
        tuple(unmatched),
    )


def _check_range(images: Sequence[str], classes: Sequence[str], probabilities: NDArray[np.float32]) -> None:
    """Refuse what is no probability, such as 386 where a spreadsheet has taken the point of 0.386 for thousands."""
    beyond = np.argwhere((probabilities < -ROUNDING) | (probabilities > 1 + ROUNDING))
    if len(beyond):
        row, column = beyond[0].tolist()
        raise OptionError(
            f"{images[row]} has {probabilities[row, column]:g} for {classes[column]}, which is no probability.",
            "If a spreadsheet has changed the table, classify again. If the model gives such numbers, choose an "
            "activation that makes probabilities of them.",
        )


def _by_key(labels: Sequence[Label]) -> tuple[dict[Key, Label], list[Unmatched]]:
    """Return the label of each image and place; those with several different ones have none."""
    known: dict[Key, Label] = {}
    conflicts: dict[Key, list[str]] = {}
    for label in labels:
        key = label.image, label.place
        before = known.setdefault(key, label)
        if {*before.classes} != {*label.classes}:
            conflicts.setdefault(key, [as_cell(before.classes)]).append(as_cell(label.classes))
    for key in conflicts:
        del known[key]
    return known, [Unmatched(key[0], "conflict", " or ".join(both)) for key, both in conflicts.items()]


def _says(label: Label, predictions: Predictions) -> bool:
    """Tell whether a label says something; an empty one does where an image can have several, which it has not."""
    return bool(label.classes) or predictions.task == "multi-label"


def _unused(known: dict[Key, Label], used: set[Key]) -> Iterator[Label]:
    return (label for key, label in known.items() if key not in used)


def _indices(classes: Sequence[str], labels: Sequence[Label]) -> dict[str, int]:
    """Return the class that each label means: that of the same name, or else one that is spelled nearly so."""
    own = {name: index for index, name in reversed(list(enumerate(classes)))}
    similar = {plain(name): index for name, index in own.items()}
    written = {name for label in labels for name in label.classes}
    return {name: own.get(name, similar.get(plain(name), -1)) for name in written}


def _fault(label: Label, indices: dict[str, int], exclusive: bool) -> str:
    """Say why a label cannot be that of a row; empty if it can."""
    if unknown := [name for name in label.classes if indices[name] < 0]:
        return f"The model has no class {', '.join(unknown)}."
    if exclusive and len(label.classes) != 1:
        return f"It has {len(label.classes)} labels, and the classes of this model exclude each other."
    return ""


def _groups(groups: list[str], grouped_by: str, images: tuple[str, ...]) -> tuple[NDArray[np.intp] | None, str]:
    """Give each group a number; the rows of an image whose group is not known are a group of their own."""
    if not grouped_by:
        if len(set(images)) == len(images):
            return None, ""
        groups, grouped_by = list(images), "image"
    keys = [(group, "") if group else ("", image) for group, image in zip(groups, images, strict=True)]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], np.intp), grouped_by


def _nothing(predictions: Predictions, labels: Sequence[Label], unmatched: Sequence[Unmatched]) -> OptionError:
    reasons = Counter(each.reason for each in unmatched)
    if reasons["unknown class"]:
        name = next(each.detail for each in unmatched if each.reason == "unknown class")
        known = ", ".join(predictions.classes[:12])
        return OptionError(f"No row has a label that counts. {name}", f"The classes are {known}.")
    if reasons["failed"]:
        return OptionError("All images with a label failed.", "Look at the errors in the table.")
    if not any(_says(label, predictions) for label in labels) or not predictions.images:
        return OptionError("There are no labels." if predictions.images else "The table has no rows.", "Give some.")
    return OptionError(
        f"None of the {len(labels):,} labels fits one of the {len(predictions.images):,} rows.",
        f"The first row is of {predictions.images[0]}, and the first label of {labels[0].image}: "
        "paths or file names must be the same.",
    )

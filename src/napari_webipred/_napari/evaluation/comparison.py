"""How far runs of the session agree about the same images."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred._napari.evaluation.other_images import telling_apart
from napari_webipred._napari.evaluation.run_predictions import RunPredictions, predictions_of
from napari_webipred.ensembles.agreement import Agreement, agreement_of
from napari_webipred.ensembles.opinions import Opinions, shared_classes
from napari_webipred.errors import OptionError
from napari_webipred.results.session_table import RunDetails, SessionTable

NUMBERS = "number"  # the place of an image among the images that all runs have


class Comparison(Struct, frozen=True, eq=False):
    """Runs side by side.

    Attributes
    ----------
    runs : tuple of RunDetails
    opinions : Opinions
        Of these runs, in their order.
    agreement : Agreement
    numbers : ndarray of intp, shape (runs, images)
        The rows of the session's table that are about each image.
    left_out : int
        How many rows are about images that not all runs have.
    others : int
        How many names mean one image in one run and another one in another run; these do not count.
    mapping : Mapping
        For each run, by its number, the names of classes that stand for others.
    """

    runs: tuple[RunDetails, ...]
    opinions: Opinions
    agreement: Agreement
    numbers: NDArray[np.intp]
    left_out: int
    others: int
    mapping: Mapping[int, Mapping[str, str]]

    @property
    def summary(self) -> str:
        """Say in a line how far they agree."""
        n, both = self.agreement.images, len(self.runs) == 2
        where = "both runs" if both else f"all {len(self.runs)} runs"
        words = f"{n:,} image{'s' * (n != 1)} in {where}. Same class: {percent(self.agreement.share)}"
        only = "only in one run" if both else "not in all runs"
        left = f" Left out, {only}: {self.left_out:,}." if self.left_out else ""
        left += f" Left out, other images of the same name: {self.others:,}." if self.others else ""
        return f"{words}, kappa {decimals(self.agreement.kappa)}.{left}"


def comparing(
    table: SessionTable, runs: Sequence[RunDetails], mapping: Mapping[int, Mapping[str, str]] | None = None
) -> Generator[tuple[int, int], None, Comparison]:
    """Compare runs.

    Parameters
    ----------
    table : SessionTable
    runs : sequence of RunDetails
        At least two.
    mapping : mapping, optional
        For each run, by its number, names of classes and what stands for them; see `differing`. If several classes of
        a run get one name, their probabilities are added.

    Raises
    ------
    OptionError
        They have no image in common, or other classes.
    """
    import pandas as pd

    said = mapping or {}
    all_given: list[RunPredictions] = []
    for run in runs:
        yield 0, 0
        all_given.append(predictions_of(table, run))
    yield 0, 0
    names = tuple(map(_name, runs))
    exclusive = {each.predictions.task != "multi-label" for each in all_given}
    if len(exclusive) > 1:
        raise OptionError(
            "An image has one class for one of these models, and can have several for another.",
            "Compare models of the same kind.",
        )
    first = min(runs, key=lambda run: len(run.classes))
    shared = {
        name: shared_classes(
            {_name(first): first.classes, name: run.classes}, said.get(run.number, {}), exclusive=True in exclusive
        )[name]
        for name, run in zip(names, runs, strict=True)
    }
    classes = tuple(first.classes)
    keys = [_keys(each) for each in all_given]
    common = [key for key in keys[0] if all(key in found for found in keys)]
    if not common:
        which = "two runs" if len(runs) == 2 else f"{len(runs)} runs"
        raise OptionError(f"The {which} have no image in common.", "Classify the same images with each model.")
    left_out = sum(len(found) for found in keys) - len(keys) * len(common)
    yield 0, 0
    same = _same(table, all_given, [[found[key] for key in common] for found in keys])
    others, common = len(common) - sum(same), [key for key, is_same in zip(common, same, strict=True) if is_same]
    if not common:
        raise OptionError(
            "The runs have images of the same names, but they are not the same images.",
            "Classify the same images with each model.",
        )
    places = np.array([[found[key] for key in common] for found in keys], np.intp)
    given, assigned, numbers = [], [], []
    for name, one, at in zip(names, all_given, places, strict=True):
        into = np.array([[shared[name][own] == to for to in classes] for own in one.run.classes], np.float32)
        given.append(one.predictions.probabilities[at] @ into)
        added = True in exclusive and len(into) > len(classes)  # the most probable class may be another one then
        assigned.append(_most_probable(given[-1]) if added else one.predictions.assigned[at] @ into > 0)
        numbers.append(one.numbers[at])
    frame = pd.DataFrame({"image": [" · ".join(part for part in key if part) for key in common]})
    frame[NUMBERS] = range(len(common))
    opinions = Opinions(
        names,
        classes,
        frame,
        np.stack(given).astype(np.float64),
        np.stack(assigned),
        _errors(table, names, given, numbers),
        True in exclusive,
    )
    yield 0, 0
    return Comparison(tuple(runs), opinions, agreement_of(opinions), np.stack(numbers), left_out, others, said)


def _errors(
    table: SessionTable,
    names: Sequence[str],
    given: Sequence[NDArray[np.float32]],
    numbers: Sequence[NDArray[np.intp]],
) -> list[str]:
    """Return for each image why the first model that failed could not classify it."""
    errors = [""] * len(numbers[0])
    for name, one, rows in zip(names, given, numbers, strict=True):
        for place in np.flatnonzero(np.isnan(one).any(1)).tolist():
            said = table.rows[int(rows[place])].error
            errors[place] = errors[place] or f"{name} has not classified the image. {said}".strip()
    return errors


def _most_probable(given: NDArray[np.float32]) -> NDArray[np.bool_]:
    found = np.zeros(given.shape, np.bool_)
    done = np.flatnonzero(~np.isnan(given).any(1))
    found[done, given[done].argmax(1)] = True
    return found


def _keys(given: RunPredictions) -> dict[tuple[str, ...], int]:
    """Return which row is about which image and place."""
    own = given.predictions
    places = own.places or [()] * len(own.images)
    return {(image, *place): row for row, (image, place) in enumerate(zip(own.images, places, strict=True))}


def _same(table: SessionTable, all_given: Sequence[RunPredictions], places: Sequence[Sequence[int]]) -> Sequence[bool]:
    """Tell of which names no two runs are known to mean different images."""
    same = [True] * len(places[0])
    rows = [
        [table.rows[number] for number in one.numbers[list(at)].tolist()]
        for one, at in zip(all_given, places, strict=True)
    ]
    for (one, first), (two, other) in combinations(zip(all_given, rows, strict=True), 2):
        are_others = telling_apart(one.run.inputs, two.run.inputs)
        same = [kept and not are_others(*pair) for kept, *pair in zip(same, first, other, strict=True)]
    return same


def _name(run: RunDetails) -> str:
    """Name the model of a run; two of them may have the same name."""
    return f"{run.number}: {run.card.name}"


def percent(value: float) -> str:
    """Write a share for people."""
    return "undefined" if math.isnan(value) else f"{value:.1%}"


def decimals(value: float) -> str:
    """Write kappa for people."""
    return "undefined" if math.isnan(value) else f"{value:.3f}"

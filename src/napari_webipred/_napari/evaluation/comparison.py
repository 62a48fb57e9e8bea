"""How far two runs of the session agree about the same images."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred._napari.evaluation.class_mapping import differing
from napari_webipred._napari.evaluation.part import Lines, Matrix, Part, Plot
from napari_webipred._napari.evaluation.plots import MODES, matrix_height
from napari_webipred._napari.evaluation.run_predictions import RunPredictions, predictions_of
from napari_webipred.ensembles.agreement import Agreement, agreement_of
from napari_webipred.ensembles.opinions import Opinions, shared_classes
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import figures
from napari_webipred.evaluation.confusion import NO_CLASS, SEVERAL
from napari_webipred.evaluation.scores import categories
from napari_webipred.results.session_table import RunDetails, SessionTable

_NUMBERS = "number"  # the place of an image among the images that both runs have
AGREE = "How often both models give the same class, and kappa: agreement beyond that of chance (0), 1 is complete."
CLASSES = "How many images get each pair of classes; on the diagonal, both models agree."
APART = (
    "The images on which the models differ most come first: 0 is the same, 1 the opposite. Click one to go to its rows."
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two runs side by side.

    Attributes
    ----------
    opinions : Opinions
        Of the other run first, then of the run itself.
    agreement : Agreement
    numbers : ndarray of intp, shape (2, images)
        The rows of the session's table that are about each image.
    left_out : int
        How many rows of either run are about images that the other one does not have.
    """

    opinions: Opinions
    agreement: Agreement
    numbers: NDArray[np.intp]
    left_out: int

    @property
    def summary(self) -> str:
        """Say in a line how far they agree."""
        n = self.agreement.images
        words = f"{n:,} image{'s' * (n != 1)} in both runs. Same class: {_percent(self.agreement.share)}"
        left = f" Left out, only in one run: {self.left_out:,}." if self.left_out else ""
        return f"{words}, kappa {_number(self.agreement.kappa)}.{left}"


def comparing(
    table: SessionTable, run: RunDetails, other: RunDetails, mapping: Mapping[str, str] | None = None
) -> Generator[tuple[int, int], None, Comparison]:
    """Compare two runs.

    Parameters
    ----------
    table : SessionTable
    run, other : RunDetails
    mapping : mapping of str to str, optional
        Names of classes that one of them does not have, and what stands for them; see `differing`. If several classes
        get one name, their probabilities are added.

    Raises
    ------
    OptionError
        They have no image in common, or other classes.
    """
    import pandas as pd

    both: list[RunPredictions] = []
    for each in (other, run):
        yield 0, 0
        both.append(predictions_of(table, each))
    yield 0, 0
    names = _name(other), _name(run)
    exclusive = {each.predictions.task != "multi-label" for each in both}
    if len(exclusive) > 1:
        raise OptionError(
            "An image has one class for one of these models, and can have several for the other.",
            "Compare models of the same kind.",
        )
    changed = differing(other, run)
    shared = shared_classes(
        {name: each.run.classes for name, each in zip(names, both, strict=True)},
        {name: to for name, to in (mapping or {}).items() if name in changed.names},
        exclusive=True in exclusive,
    )
    classes = tuple(changed.other.classes)
    keys = [_keys(each) for each in both]
    common = [key for key in keys[0] if key in keys[1]]
    if not common:
        raise OptionError("The two runs have no image in common.", "Classify the same images with both models.")
    places = np.array([[found[key] for key in common] for found in keys], np.intp)
    given, assigned, numbers = [], [], []
    for name, one, at in zip(names, both, places, strict=True):
        into = np.array([[shared[name][own] == to for to in classes] for own in one.run.classes], np.float32)
        given.append(one.predictions.probabilities[at] @ into)
        added = True in exclusive and len(into) > len(classes)  # the most probable class may be another one then
        assigned.append(_most_probable(given[-1]) if added else one.predictions.assigned[at] @ into > 0)
        numbers.append(one.numbers[at])
    frame = pd.DataFrame({"image": [" · ".join(part for part in key if part) for key in common]})
    frame[_NUMBERS] = range(len(common))
    opinions = Opinions(
        names,
        classes,
        frame,
        np.stack(given).astype(np.float64),
        np.stack(assigned),
        [""] * len(common),
        True in exclusive,
    )
    yield 0, 0
    left_out = sum(len(found) for found in keys) - 2 * len(common)
    return Comparison(opinions, agreement_of(opinions), np.stack(numbers), left_out)


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


def _name(run: RunDetails) -> str:
    """Name the model of a run; two of them may have the same name."""
    return f"{run.number}: {run.card.name}"


def comparison_plots(found: Comparison) -> list[Plot]:
    """Return what there is to see of a comparison."""
    plots = [_agreement(found), _matrix(found) if found.opinions.exclusive else None, _apart(found)]
    return [plot for plot in plots if plot is not None]


def _agreement(found: Comparison) -> Plot:
    own = found.agreement

    def lines(variant: str) -> Lines:
        return [
            ["Agreement", "Value"],
            ["Images in both runs", f"{own.images:,}"],
            ["Share with the same class", _percent(own.share)],
            ["Cohen's kappa", _number(own.kappa)],
            ["Images in one run only", f"{found.left_out:,}"],
        ]

    return Plot("agreement", "Agreement", {"": ""}, {"": AGREE}, lines=lines)


def _matrix(found: Comparison) -> Plot:
    opinions = found.opinions
    kept = np.flatnonzero(opinions.complete)
    classes, k = opinions.classes, len(opinions.classes)
    first, second = (categories(each[kept]) for each in opinions.assigned)
    counts = np.bincount(first * (k + 2) + second, minlength=(k + 2) ** 2).reshape(k + 2, k + 2)
    used = [*range(k), *(index for index in (k, k + 1) if counts[index].any() or counts[:, index].any())]
    counts, names = counts[np.ix_(used, used)], tuple([*classes, NO_CLASS, SEVERAL][index] for index in used)

    def rows(row: int, column: int) -> NDArray[np.intp]:
        return found.numbers[:, kept[(first == used[row]) & (second == used[column])]].ravel()

    matrix = Matrix(names, names, counts.tolist(), rows, opinions.models)

    def parts(variant: Any) -> list[Part]:
        def draw(axes: Any, colours: Any) -> None:
            figures.confusion(axes, counts, names, names, variant, colours)
            axes.set_title("")
            axes.set_ylabel(figures.shortened(opinions.models[0]))
            axes.set_xlabel(figures.shortened(opinions.models[1]))

        lines: list[list[Any]] = [
            [opinions.models[0], *names],
            *([name, *line] for name, line in zip(names, counts.tolist(), strict=True)),
        ]
        return [Part("", draw, lines, matrix_height(k), matrix)]

    return Plot("classes", "Classes of both models", {"raw": "Images", "all": MODES["all"]}, {"": CLASSES}, parts)


def _apart(found: Comparison) -> Plot:
    rows = found.agreement.rows

    def lines(variant: str) -> Lines:
        header = ["Image", "Apart", *found.opinions.models]
        columns = [rows["image"], rows["disagreement"], *(rows[name] for name in found.opinions.models)]
        cells = zip(*(column.tolist() for column in columns), strict=True)
        return [header, *([image, f"{apart:.3f}", *classes] for image, apart, *classes in cells)]

    def numbers(variant: str) -> list[list[int]]:
        return [found.numbers[:, place].tolist() for place in rows[_NUMBERS].tolist()]

    return Plot("apart", "Images that differ most", {"": ""}, {"": APART}, lines=lines, rows=numbers)


def _percent(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.1%}"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"

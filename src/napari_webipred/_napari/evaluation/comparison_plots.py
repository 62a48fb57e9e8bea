"""What there is to see of a comparison of runs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred._napari.evaluation.comparison import NUMBERS, Comparison, decimals, percent
from napari_webipred._napari.evaluation.part import Lines, Matrix, Part, Plot
from napari_webipred._napari.evaluation.plots import MODES, matrix_height
from napari_webipred.evaluation import figures
from napari_webipred.evaluation.confusion import NO_CLASS, SEVERAL
from napari_webipred.evaluation.scores import categories

AGREE = "How often all models give the same class, and kappa: agreement beyond that of chance (0), 1 is complete."
CLASSES = "How many images get each pair of classes; on the diagonal, both models agree."
APART = (
    "The images on which the models differ most come first: 0 is the same, 1 the opposite. Click one to go to its rows."
)


def comparison_plots(found: Comparison) -> list[Plot]:
    """Return what there is to see of a comparison."""
    plots = [_agreement(found), _matrix(found) if found.opinions.exclusive else None, _apart(found)]
    return [plot for plot in plots if plot is not None]


def _agreement(found: Comparison) -> Plot:
    own, both = found.agreement, len(found.runs) == 2

    def lines(variant: str) -> Lines:
        pairs = own.pairs.itertuples(index=False, name=None)
        return [
            ["Agreement", "Value"],
            ["Images in both runs" if both else "Images in all runs", f"{own.images:,}"],
            ["Share with the same class", percent(own.share)],
            ["Cohen's kappa" if own.kind == "cohen" else "Fleiss' kappa", decimals(own.kappa)],
            ["Images in one run only" if both else "Rows of other images", f"{found.left_out:,}"],
            *(
                [f"{one} and {other}", f"{percent(share)}, kappa {decimals(kappa)}"]
                for one, other, share, kappa in ([] if both else pairs)
            ),
        ]

    return Plot("agreement", "Agreement", {"": ""}, {"": AGREE}, lines=lines)


def _matrix(found: Comparison) -> Plot:
    """Return the matrices of the classes of two models, of several models one for each pair."""
    models = found.opinions.models
    pairs = list(combinations(range(len(models)), 2))
    variants = {"raw": "Images", "all": MODES["all"]}
    if len(pairs) > 1:
        variants = {str(place): f"{models[one]} and {models[other]}" for place, (one, other) in enumerate(pairs)}

    def parts(variant: str) -> list[Part]:
        return [_pair(found, *pairs[0], variant) if len(pairs) == 1 else _pair(found, *pairs[int(variant)], "raw")]

    return Plot("classes", "Classes of two models", variants, {"": CLASSES}, parts)


def _pair(found: Comparison, one: int, other: int, mode: Any) -> Part:
    """Return the matrix of two models."""
    opinions = found.opinions
    kept = np.flatnonzero(opinions.complete)
    classes, k = opinions.classes, len(opinions.classes)
    sides = opinions.models[one], opinions.models[other]
    first, second = (categories(opinions.assigned[model][kept]) for model in (one, other))
    counts = np.bincount(first * (k + 2) + second, minlength=(k + 2) ** 2).reshape(k + 2, k + 2)
    used = [*range(k), *(index for index in (k, k + 1) if counts[index].any() or counts[:, index].any())]
    counts, names = counts[np.ix_(used, used)], tuple([*classes, NO_CLASS, SEVERAL][index] for index in used)

    def rows(row: int, column: int) -> NDArray[np.intp]:
        cell = kept[(first == used[row]) & (second == used[column])]
        return found.numbers[[one, other]][:, cell].ravel()

    def draw(axes: Any, colours: Any) -> None:
        figures.confusion(axes, counts, names, names, mode, colours)
        axes.set_title("")
        axes.set_ylabel(figures.shortened(sides[0]))
        axes.set_xlabel(figures.shortened(sides[1]))

    lines: list[list[Any]] = [
        [sides[0], *names],
        *([name, *line] for name, line in zip(names, counts.tolist(), strict=True)),
    ]
    return Part("", draw, lines, matrix_height(k), Matrix(names, names, counts.tolist(), rows, sides))


def _apart(found: Comparison) -> Plot:
    rows = found.agreement.rows

    def lines(variant: str) -> Lines:
        header = ["Image", "Apart", *found.opinions.models]
        columns = [rows["image"], rows["disagreement"], *(rows[name] for name in found.opinions.models)]
        cells = zip(*(column.tolist() for column in columns), strict=True)
        return [header, *([image, f"{apart:.3f}", *classes] for image, apart, *classes in cells)]

    def numbers(variant: str) -> list[list[int]]:
        return [found.numbers[:, place].tolist() for place in rows[NUMBERS].tolist()]

    return Plot("apart", "Images that differ most", {"": ""}, {"": APART}, lines=lines, rows=numbers)

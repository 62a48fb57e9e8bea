"""What there is to see of an evaluation, of what was published, or of both side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from napari_webipred._napari.evaluation.curve_plots import curve_plots
from napari_webipred._napari.evaluation.part import ALL, OWN, Lines, Matrix, Part, Plot
from napari_webipred.evaluation import figures
from napari_webipred.evaluation.cohort import REASONS, Unmatched
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.metric import NAMES, Metric
from napari_webipred.evaluation.words import SENTENCES, TITLES

if TYPE_CHECKING:
    from napari_webipred.evaluation.cohort import Cohort
    from napari_webipred.evaluation.evaluation import Evaluation
    from napari_webipred.evaluation.published import Published

PUBLISHED = "published"
BARS = ("sensitivity", "specificity", "precision", "npv", "f1", "auc", "average_precision", "accuracy", "brier", "ece")
MATRIX, MOST, BAR = 300, 1500, 26  # pixels
NOT_COUNTED = "Rows and labels that do not count, and why."
SUMMARY = "Each metric with its 95 % interval. Point at a metric to read what it means."
MODES = {"rows": "Share of the true class", "columns": "Share of the assigned class", "all": "Share of all images"}


def plots_of(
    own: Evaluation | None, published: Sequence[Published], numbers: NDArray[np.intp] | None = None
) -> list[Plot]:
    """Return everything that there is to see, the summary first.

    Parameters
    ----------
    own : Evaluation, optional
        Of the user's images.
    published : sequence of Published
    numbers : ndarray of intp, optional
        The number in the session's table of each row of the predictions.
    """
    sources = named(own, published)
    classes = own.cohort.classes if own else max((each.classes for each in published), key=len, default=())
    found = [_summary(sources, classes), _confusion(own, published, numbers), *curve_plots(own, names_of(published))]
    found += [_bars(sources, classes), _distribution(own, published), _unmatched(own.cohort, numbers) if own else None]
    return [plot for plot in found if plot is not None]


def named(own: Evaluation | None, published: Sequence[Published]) -> dict[str, Sequence[Metric]]:
    """Return the metrics of each source by the name that people see."""
    found: dict[str, Sequence[Metric]] = {OWN: own.metrics} if own else {}
    return found | {name: each.metrics for name, each in names_of(published).items()}


def names_of(published: Sequence[Published]) -> dict[str, Published]:
    """Return what was published by the names that people see."""
    if len(published) == 1:
        return {PUBLISHED: published[0]}
    return {f"{PUBLISHED}, {each.source}": each for each in published}


def _summary(sources: Mapping[str, Sequence[Metric]], classes: Sequence[str]) -> Plot | None:
    if not any(sources.values()):
        return None
    known = {
        name: {(metric.name, metric.class_name): metric for metric in metrics} for name, metrics in sources.items()
    }
    variants = {ALL: "All classes"} | {f"class {index}": name for index, name in enumerate(classes)}

    def lines(variant: str) -> Lines:
        class_name = variants[variant] if variant else ""
        found: list[list[str]] = [["Metric", *(f"{name[:1].upper()}{name[1:]}" for name in sources)]]
        for metric in NAMES:
            each = [of.get((metric, class_name)) for of in known.values()]
            if any(each):
                found.append([TITLES[metric], *map(_text, each)])
        return found

    def numbers() -> Lines:
        header: list[Any] = ["source", "metric", "class", "value", "low", "high", "n", "interval", "note"]
        own = ([name, *asdict(metric).values()] for name, metrics in sources.items() for metric in metrics)
        return [header, *own]

    return Plot("summary", "Summary", variants, {"": SUMMARY}, lines=lines, numbers=numbers)


def _text(metric: Metric | None) -> str:
    """Write a metric and its interval."""
    if metric is None:
        return ""
    if math.isnan(metric.value):
        return f"undefined: {metric.note}" if metric.note else "undefined"
    return metric.words


def _confusion(own: Evaluation | None, published: Sequence[Published], numbers: NDArray[np.intp] | None) -> Plot | None:
    found: list[tuple[str, NDArray[Any], Matrix]] = []
    if own and own.cohort.is_exclusive:
        counts, columns = confusion(own.cohort)
        rows = None if numbers is None else (lambda true, assigned: numbers[own.rows(true, assigned)])
        found.append((OWN, counts, Matrix(own.cohort.classes, tuple(columns), counts.tolist(), rows)))
    for name, each in names_of(published).items():
        if each.confusion is not None:
            matrix = Matrix(each.classes, each.classes, each.confusion.tolist())
            found.append((name, each.confusion, matrix))
    if not found:
        return None

    def parts(variant: str) -> list[Part]:
        return [_matrix_part(name if len(found) > 1 else "", counts, one, variant) for name, counts, one in found]

    return Plot("confusion", "Confusion matrix", {"raw": "Images", **MODES}, {"": SENTENCES["confusion"]}, parts)


def _matrix_part(title: str, counts: NDArray[Any], matrix: Matrix, mode: Any) -> Part:
    lines: list[list[Any]] = [
        ["true", *matrix.assigned],
        *([name, *row] for name, row in zip(matrix.true, matrix.counts, strict=True)),
    ]
    return Part(
        title,
        lambda axes, colours: figures.confusion(axes, counts, matrix.true, matrix.assigned, mode, colours),
        lines,
        matrix_height(len(matrix.true)),
        matrix,
    )


def matrix_height(classes: int) -> int:
    """Return how high a matrix of so many classes is, in pixels."""
    return min(MATRIX + 16 * classes, 700)


def _bars(sources: Mapping[str, Sequence[Metric]], classes: Sequence[str]) -> Plot | None:
    there = {metric.name for metrics in sources.values() for metric in metrics if metric.class_name in classes}
    variants = {name: TITLES[name] for name in BARS if name in there}
    if not variants:
        return None
    height = min(110 + BAR * len(classes) * max(len(sources), 1), MOST)

    def parts(variant: str) -> list[Part]:
        lines: list[list[Any]] = [["source", "metric", "class", "value", "low", "high"]]
        for source, metrics in sources.items():
            own = {metric.class_name: metric for metric in metrics if metric.name == variant}
            found = ((name, own[name]) for name in classes if name in own)
            lines += [[source, variant, name, each.value, each.low, each.high] for name, each in found]
        shown = {name: metrics for name, metrics in sources.items() if metrics}

        def draw(axes: Any, colours: Any) -> None:
            figures.bars(axes, variant, shown, classes, colours)

        return [Part("", draw, lines, height)]

    return Plot("bars", "Metrics of each class", variants, {name: SENTENCES[name] for name in variants}, parts)


def _distribution(own: Evaluation | None, published: Sequence[Published]) -> Plot | None:
    sources: dict[str, Mapping[str, int]] = {}
    if own:
        sources[OWN] = dict(zip(own.cohort.classes, own.cohort.truth.sum(0).tolist(), strict=True))
    sources |= {name: each.distribution for name, each in names_of(published).items() if each.distribution}
    if not sources:
        return None

    def part(name: str, having: Mapping[str, int]) -> Part:
        lines: list[list[Any]] = [["class", "images"], *map(list, having.items())]
        height = min(90 + BAR * len(having), MOST)
        return Part(
            name if len(sources) > 1 else "",
            lambda axes, colours: figures.distribution(axes, having, colours),
            lines,
            height,
        )

    def parts(variant: str) -> list[Part]:
        return [part(*each) for each in sources.items()]

    return Plot("distribution", "Class distribution", {ALL: ""}, {"": SENTENCES["distribution"]}, parts)


def _unmatched(cohort: Cohort, numbers: NDArray[np.intp] | None) -> Plot | None:
    if not cohort.unmatched:
        return None
    reasons = dict.fromkeys(each.reason for each in cohort.unmatched)
    total = len(cohort.unmatched)
    variants = {ALL: f"All {total:,}"} | {
        reason: f"{REASONS[reason].capitalize()} ({sum(each.reason == reason for each in cohort.unmatched):,})"
        for reason in reasons
    }

    def chosen(variant: str) -> list[Unmatched]:
        return [each for each in cohort.unmatched if not variant or each.reason == variant]

    def lines(variant: str) -> Lines:
        found = ([each.image, REASONS[each.reason], each.detail] for each in chosen(variant))
        return [["Image", "Why", "Detail"], *found]

    def rows(variant: str) -> list[list[int]]:
        assert numbers is not None
        return [[] if each.row is None else [int(numbers[each.row])] for each in chosen(variant)]

    title, known = f"Not counted ({total:,})", None if numbers is None else rows
    return Plot("unmatched", title, variants, {"": NOT_COUNTED}, lines=lines, rows=known)

"""The figures of an evaluation as files: PNG and SVG, on white."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.evaluation import curves, figures
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.confusion import confusion
from napari_webipred.evaluation.metric import Metric
from napari_webipred.evaluation.resampling import SEED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = ("sensitivity", "specificity", "auc")
NAMES = (
    *(f"confusion-{mode}" for mode in figures.MODES),
    *("roc", "precision-recall", "reliability", *(f"bars-{metric}" for metric in BARS), "distribution"),
)
SUFFIXES = ("png", "svg")
_DOTS = 150  # per inch


def drawn(
    cohort: Cohort, metrics: Sequence[Metric], seed: int = SEED, calibrated: Cohort | None = None
) -> dict[str, bytes]:
    """Draw all figures; the reliability diagram also with calibrated probabilities, if there are any.

    Returns
    -------
    dict of str to bytes
        The content of each file by its name: ``roc.png``, ``roc.svg`` and so on.
    """
    chosen = most_common(cohort)
    tall = height_of(len(cohort.classes))
    files: dict[str, bytes] = {}

    def add(name: str, draw: Callable[[Axes], None], width: float = 5, height: float = 4.5) -> None:
        files.update(as_files(name, draw, width, height))

    if cohort.is_exclusive:
        counts, names = confusion(cohort)
        side = min(3 + 0.5 * len(names), 14)
        for mode in figures.MODES:
            add(
                f"confusion-{mode}",
                lambda axes, mode=mode: figures.confusion(axes, counts, cohort.classes, names, mode),  # type: ignore[misc]
                side,
                side,
            )
    names_of = {index: cohort.classes[index] for index in chosen}
    roc = {name: curve for index, name in names_of.items() if (curve := curves.roc(cohort, index, seed))}
    add("roc", lambda axes: figures.roc(axes, roc))
    precise = {
        name: curve for index, name in names_of.items() if (curve := curves.precision_recall(cohort, index, seed))
    }
    add("precision-recall", lambda axes: figures.precision_recall(axes, precise))
    if cohort.is_exclusive:
        both = {"most probable class": cohort, "calibrated": calibrated}
        reliable = {name: curves.reliability(each) for name, each in both.items() if each is not None}
    else:
        reliable = {name: curves.reliability(cohort, index) for index, name in names_of.items()}
    add("reliability", lambda axes: figures.reliability(axes, reliable))
    for metric in BARS:
        add(
            f"bars-{metric}",
            lambda axes, metric=metric: figures.bars(axes, metric, {"": metrics}, cohort.classes),  # type: ignore[misc]
            height=tall,
        )
    having = dict(zip(cohort.classes, cohort.truth.sum(0).tolist(), strict=True))
    add("distribution", lambda axes: figures.distribution(axes, having), height=tall)
    return files


def height_of(bars: int) -> float:
    """Return how high a figure with so many bars is, in inches."""
    return min(1 + 0.35 * bars, 30)


def most_common(cohort: Cohort) -> list[int]:
    """Return the indices of the classes that curves are drawn of: of two the second, of many the most common ones."""
    if cohort.is_exclusive and len(cohort.classes) == 2:
        return [1]
    order = np.argsort(-cohort.truth.sum(0), kind="stable")[: figures.MOST_LINES]
    return sorted(order.tolist())


def as_files(name: str, draw: Callable[[Axes], None], width: float, height: float) -> dict[str, bytes]:
    """Draw a figure and return it as PNG and SVG.

    Parameters
    ----------
    name : str
        Of the files, without the suffix.
    draw : callable
        Draws into axes.
    width, height : float
        In inches.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    files: dict[str, bytes] = {}
    # Nothing in a file says when it was made: the same numbers give the same bytes.
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "napari-webipred"}):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a script that the font lacks is drawn as boxes
        for suffix, metadata in {"png": {"Software": None}, "svg": {"Date": None}}.items():
            content = io.BytesIO()
            if files:
                figure.set_layout_engine("none")  # everything is in its place by now
            figure.savefig(content, format=suffix, dpi=_DOTS, metadata=metadata)
            files[f"{name}.{suffix}"] = content.getvalue()
    return files

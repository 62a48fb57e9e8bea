"""A number that says how well a model does, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.evaluation import bounds, counts, intervals
from napari_webipred.evaluation.cohort import Cohort

NAMES = (
    *("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "npv", "f1", "auc", "auc_weighted"),
    *("average_precision", "brier", "ece", "cohen_kappa", "quadratic_kappa", "matthews_correlation"),
)
Interval = Literal["", "wilson", "grouped wilson", "delong", "newcombe", "bootstrap", "reversed bootstrap", "bound"]


class Metric(Struct, frozen=True):
    """A number that says how well a model does.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    class_name : str
        One class against the rest; empty for all classes together.
    value : float
        NaN if it is not defined; then `note` says why.
    low, high : float
        The 95 % interval; NaN if there is none.
    n : int
        How many images the value is a share or mean of.
    interval : str
        How the interval was made: ``"wilson"``, ``"grouped wilson"``, ``"delong"``, ``"newcombe"``, ``"bootstrap"``,
        ``"reversed bootstrap"`` for the calibration error, or ``"bound"`` where all draws are equal: what
        sensitivities at the ends of their own intervals would give.
    note : str
        What should be known about the value.
    """

    name: str
    class_name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    interval: Interval = ""
    note: str = ""

    @property
    def words(self) -> str:
        """The value and its interval, such as ``0.912 (0.853 to 0.951)``; empty if it is not defined."""
        if math.isnan(self.value):
            return ""
        return f"{self.value:.3f}" + ("" if math.isnan(self.low) else f" ({self.low:.3f} to {self.high:.3f})")


def named(metrics: Sequence[Metric], name: str, class_name: str = "") -> Metric:
    """Return one metric, of one class or of all together.

    Raises
    ------
    KeyError
        There is no such metric or class.
    """
    for metric in metrics:
        if (metric.name, metric.class_name) == (name, class_name):
            return metric
    raise KeyError(name, class_name)


def share(
    name: str, class_name: str, success: NDArray[np.bool_], trial: NDArray[np.bool_], groups: NDArray[np.intp] | None
) -> Metric:
    """Return a proportion of rows with its Wilson interval."""
    n = int(trial.sum())
    if not n:
        return Metric(name, class_name, math.nan, note=EMPTY[name])
    low, high = bounds.wilson_of(success, trial, groups)
    return Metric(
        name, class_name, float(success.sum()) / n, low, high, n, "wilson" if groups is None else "grouped wilson"
    )


EQUAL = 1e-6  # draws are counted in 32 bits
MANY = 0.05  # of the draws without a value are worth a note
EMPTY = {
    "accuracy": "There are no images.",
    "sensitivity": "No image has this class.",
    "specificity": "Every image has this class.",
    "precision": "No image was assigned this class.",
    "npv": "Every image was assigned this class.",
}


def drawn(
    name: str,
    class_name: str,
    value: float,
    *,
    draws: NDArray[np.float64],
    n: int,
    ends: Sequence[float] = (),
    note: str = "",
    biased: bool = False,
) -> Metric:
    """Return a metric with its bootstrap interval; where all draws are equal, one that reaches to `ends`.

    A metric that is `biased` is too large in few images, and once more as much in draws of them. Its interval is
    reversed: it lies below the value as far as the draws lie above it (Davison and Hinkley, 1997), between 0 and 1.
    """
    if math.isnan(value):
        return Metric(name, class_name, value, n=n, note=note)
    low, high = intervals.percentiles(draws)
    if high - low > EQUAL:
        if biased:
            low, high = max(2 * value - high, 0.0), min(max(2 * value - low, value), 1.0)
            return Metric(name, class_name, value, low, high, n, "reversed bootstrap", note)
        undefined = float(np.isnan(draws).mean())
        if undefined > MANY:
            note = f"{note} Not defined in {undefined:.0%} of the draws.".strip()
        return Metric(name, class_name, value, low, high, n, "bootstrap", note)
    edges = [value, *(end for end in ends if not math.isnan(end))]
    if max(edges) - min(edges) < EQUAL:
        return Metric(name, class_name, value, n=n, note=f"{note} All draws are equal: no interval.".strip())
    return Metric(name, class_name, value, min(edges), max(edges), n, "bound", note)


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the classes for which a value is defined."""
    defined = ~np.isnan(values)
    return counts.ratio(np.where(defined, values, 0).sum(-1), defined.sum(-1))


def left_out(cohort: Cohort, values: NDArray[np.float64]) -> str:
    """Name the classes that a mean is without."""
    names = [name for name, value in zip(cohort.classes, values, strict=True) if math.isnan(value)]
    return f"Without {', '.join(names)}, for which it is not defined." if names else ""

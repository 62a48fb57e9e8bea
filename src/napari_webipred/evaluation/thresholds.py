"""From which probability on a class is assigned: chosen on images whose classes are known, and tried on others."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.folds import FOLDS, folds_of
from napari_webipred.evaluation.metric import Metric, share

Kind = Literal["youden", "sensitivity", "specificity", "cost"]
ROUNDING = 1e-12
_FORMS = "Choose youden, sensitivity=0.95, specificity=0.9, or cost=5 (a missed image costs five false alarms)."


class Rule(Struct, frozen=True):
    """How a threshold is chosen.

    Attributes
    ----------
    kind : "youden", "sensitivity", "specificity" or "cost"
        ``"youden"``: greatest sum of sensitivity and specificity. ``"sensitivity"``: the highest threshold that reaches
        it. ``"specificity"``: the lowest one that reaches it. ``"cost"``: the least cost.
    target : float
        The sensitivity or specificity to reach, or how many false alarms cost as much as one missed image.
    """

    kind: Kind
    target: float = math.nan

    def __str__(self) -> str:
        return self.kind if self.kind == "youden" else f"{self.kind}={self.target:g}"


class Threshold(Struct, frozen=True):
    """The threshold of a class.

    Attributes
    ----------
    class_name : str
    value : float
        The class is assigned from this probability on.
    sensitivity, specificity : Metric
        Cross-fitted: of images that the threshold was not fitted to.
    fitted_sensitivity, fitted_specificity : float
        Of the images that it was fitted to, and so too good.
    note : str
        What should be known about it.
    """

    class_name: str
    value: float
    sensitivity: Metric
    specificity: Metric
    fitted_sensitivity: float
    fitted_specificity: float
    note: str = ""


class Thresholds(Struct, frozen=True):
    """The thresholds of a model, and how they were chosen.

    Attributes
    ----------
    rule : str
    each : tuple of Threshold
        One for each class that has images of both kinds. Of two classes that exclude each other only the second one:
        below it is the first.
    folds, seed : int
        Of the cross-fitting.
    """

    rule: str
    each: tuple[Threshold, ...]
    folds: int
    seed: int

    @property
    def values(self) -> dict[str, float]:
        """The threshold of each class."""
        return {each.class_name: each.value for each in self.each}

    def as_dict(self) -> dict[str, Any]:
        """Return them as plain JSON values."""
        return {
            "rule": self.rule,
            "folds": self.folds,
            "seed": self.seed,
            "classes": [
                {
                    "class": each.class_name,
                    "threshold": each.value,
                    "sensitivity": _bounded(each.sensitivity),
                    "specificity": _bounded(each.specificity),
                    "fitted_sensitivity": each.fitted_sensitivity,
                    "fitted_specificity": each.fitted_specificity,
                    "note": each.note,
                }
                for each in self.each
            ],
        }


def _bounded(metric: Metric) -> dict[str, float | int | None]:
    numbers = {"value": metric.value, "low": metric.low, "high": metric.high}
    return {name: None if math.isnan(value) else value for name, value in numbers.items()} | {"n": metric.n}


def rule_of(text: str) -> Rule:
    """Read a rule as the user writes it: ``youden``, ``sensitivity=0.95``, ``specificity=0.9`` or ``cost=5``.

    Raises
    ------
    OptionError
        It is none of these.
    """
    kind, _, number = text.partition("=")
    if kind == "youden" and not number:
        return Rule("youden")
    try:
        target = float(number)
    except ValueError:
        target = math.nan
    if kind in {"sensitivity", "specificity"} and 0 < target <= 1:
        return Rule(kind, target)  # type: ignore[arg-type]
    if kind == "cost" and 0 < target < math.inf:
        return Rule("cost", target)
    raise OptionError(f"{text} is no rule for thresholds.", _FORMS)


def choose(cohort: Cohort, rule: Rule, folds: int = FOLDS, seed: int = 0) -> Thresholds:
    """Choose a threshold for each class, and try it on images that it was not fitted to.

    Raises
    ------
    OptionError
        No class has images with it and without it.
    """
    parts = folds_of(cohort, folds, seed)
    two = cohort.is_exclusive and len(cohort.classes) == 2
    indices = [1] if two else range(len(cohort.classes))
    found = [_of_class(cohort, index, rule, parts) for index in indices if _has_both(cohort.truth[:, index])]
    if not found:
        raise OptionError("No class has images with it and without it.", "Thresholds need labels of both kinds.")
    return Thresholds(str(rule), tuple(found), int(parts.max()) + 1, seed)


def _has_both(truth: NDArray[np.bool_]) -> bool:
    return bool(truth.any() and not truth.all())


def _of_class(cohort: Cohort, index: int, rule: Rule, parts: NDArray[np.intp]) -> Threshold:
    truth, given = cohort.truth[:, index], cohort.probabilities[:, index].astype(np.float32)
    name = cohort.classes[index]
    value = best(truth, given, rule)
    tried, assigned = np.zeros(len(truth), np.bool_), np.zeros(len(truth), np.bool_)
    for part in range(int(parts.max()) + 1):
        here, others = parts == part, parts != part
        if _has_both(truth[others]):
            tried |= here
            assigned[here] = given[here] >= np.float32(best(truth[others], given[others], rule))
    chosen = given >= np.float32(value)
    sensitivity = share("sensitivity", name, truth & assigned & tried, truth & tried, cohort.groups)
    specificity = share("specificity", name, ~truth & ~assigned & tried, ~truth & tried, cohort.groups)
    fitted = float(chosen[truth].mean()), float((~chosen[~truth]).mean())
    reached = {"sensitivity": fitted[0], "specificity": fitted[1]}.get(rule.kind, math.inf)
    missed = reached < rule.target - ROUNDING
    note = f"No threshold from 0 to 1 reaches a {rule.kind} of {rule.target:g}." if missed else ""
    if not tried.all():
        note = f"{note} Not all images could be tried: too few have the class, or do not have it.".strip()
    return Threshold(name, value, sensitivity, specificity, *fitted, note)


def best(truth: NDArray[np.bool_], given: NDArray[np.float32], rule: Rule) -> float:
    """Return the threshold that a rule chooses for these images.

    It lies in the middle between two probabilities, so that it holds for images that are a little different; of equally
    good ones the highest counts.
    """
    # From the highest threshold, which no image reaches, to the lowest, which all do.
    steps = np.unique(given)[::-1].astype(np.float64)
    order = np.sort(given[truth])
    having = len(order) - np.searchsorted(order, steps.astype(np.float32), "left")
    order = np.sort(given[~truth])
    false = len(order) - np.searchsorted(order, steps.astype(np.float32), "left")
    sensitivity = np.r_[0, having / truth.sum()]
    specificity = 1 - np.r_[0, false / (~truth).sum()]
    edges = np.r_[min(np.nextafter(np.float32(steps[0]), np.float32(2)), 1), steps]
    low = np.r_[steps, 0]
    middle = ((edges + low) / 2).astype(np.float32)
    values = np.where(middle > low.astype(np.float32), middle, edges.astype(np.float32)).astype(np.float64)
    values[0] = edges[0]
    if edges[0] <= steps[0]:  # an image has a probability of 1: every threshold assigns it
        values, sensitivity, specificity = values[1:], sensitivity[1:], specificity[1:]
    return float(values[_place(sensitivity, specificity, rule, float(truth.mean()))])


def _place(sensitivity: NDArray[np.float64], specificity: NDArray[np.float64], rule: Rule, share_of: float) -> int:
    """Return the place that a rule chooses, from high to low thresholds."""
    if rule.kind == "youden":
        return int(np.argmax(np.round(sensitivity + specificity, 12)))
    if rule.kind == "sensitivity":
        reached = np.flatnonzero(sensitivity >= rule.target - ROUNDING)
        return int(reached[0]) if len(reached) else len(sensitivity) - 1
    if rule.kind == "specificity":
        reached = np.flatnonzero(specificity >= rule.target - ROUNDING)
        return int(reached[-1]) if len(reached) else 0
    cost = rule.target * (1 - sensitivity) * share_of + (1 - specificity) * (1 - share_of)
    return int(np.argmin(np.round(cost, 12)))

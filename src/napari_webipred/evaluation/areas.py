"""The areas under ROC curves, and the means of them over the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.evaluation import intervals
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.metric import Interval, Metric, left_out


class Areas:
    """The areas under the ROC curves."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self.classes = range(len(cohort.classes))
        self._found = [intervals.placements(cohort.truth[:, c], cohort.probabilities[:, c]) for c in self.classes]
        self.units = [_units(cohort, cohort.truth[:, c]) for c in self.classes]

    def of_class(self, index: int, name: str) -> Metric:
        """Return the area of one class against the rest."""
        truth, found = self._cohort.truth[:, index], self._found[index]
        if math.isnan(found.area):
            which = "Every" if truth.any() else "No"
            return Metric("auc", name, math.nan, n=len(truth), note=f"{which} image has this class.")
        part = intervals.contributions(truth, found)
        variance = intervals.delong_variance(truth, part, self._cohort.groups)
        low, high = intervals.logit_interval(found.area, variance)
        how: Interval = "delong"
        if math.isnan(low):
            (low, high), how = intervals.newcombe(found.area, *self.units[index]), "newcombe"
        return Metric("auc", name, found.area, low, high, len(truth), how)

    def mean(self, name: str) -> Metric:
        """Return the mean of the areas, of all classes alike or by how many images have them."""
        cohort = self._cohort
        areas = np.array([found.area for found in self._found])
        defined = np.flatnonzero(~np.isnan(areas))
        note = left_out(cohort, areas)
        if len(areas) == len(defined) == 2 and cohort.is_exclusive:  # both are the same area
            return replace(self.of_class(1, ""), name=name)
        if not len(defined):
            return Metric(name, "", math.nan, n=len(cohort), note=note or "No class has images of both kinds.")
        share = np.ones(len(defined)) if name == "auc" else cohort.truth[:, defined].sum(0).astype(np.float64)
        share /= share.sum()
        value, variance = float(share @ areas[defined]), self._variance(defined, share)
        low, high = intervals.logit_interval(value, variance)
        how: Interval = "delong"
        if math.isnan(low):
            each = np.array([intervals.newcombe(areas[c], *self.units[c]) for c in defined])
            (low, high), how = (share @ each).tolist(), "newcombe"
        return Metric(name, "", value, low, high, len(cohort), how, note)

    def _variance(self, defined: Sequence[int] | NDArray[np.intp], share: NDArray[np.float64]) -> float:
        cohort = self._cohort
        if len(defined) == 1:
            index = int(defined[0])
            part = intervals.contributions(cohort.truth[:, index], self._found[index])
            return intervals.delong_variance(cohort.truth[:, index], part, cohort.groups)
        part = np.zeros(len(cohort))
        for index, weight in zip(defined, share, strict=True):
            part += weight * intervals.contributions(cohort.truth[:, index], self._found[index])
        if cohort.groups is not None:
            part = np.bincount(cohort.groups, part).astype(np.float64)
        if len(part) < 2:
            return math.nan
        return float(len(part) / (len(part) - 1) * (part**2).sum())


def _units(cohort: Cohort, truth: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many independent images, or groups, there are with a class and without it."""
    if cohort.groups is None:
        return int(truth.sum()), int((~truth).sum())
    return len(np.unique(cohort.groups[truth])), len(np.unique(cohort.groups[~truth]))

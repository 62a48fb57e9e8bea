"""All metrics of a cohort, each with its interval, or with the reason why it has none."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from napari_webipred.evaluation import bounds, counts, intervals, scores
from napari_webipred.evaluation.areas import Areas
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.counts import Counts
from napari_webipred.evaluation.metric import Metric, drawn, left_out, mean, share
from napari_webipred.evaluation.resampling import DRAWS, SEED, Draws, drawing
from napari_webipred.evaluation.scores import Sorted, categories

_OF_CLASS = ("balanced_accuracy", "f1", "cohen_kappa", "matthews_correlation")
_MEANS = ("balanced_accuracy", "sensitivity", "specificity", "precision", "npv", "f1")


def measuring(
    cohort: Cohort, draws: int = DRAWS, seed: int = SEED
) -> Generator[tuple[int, int], None, tuple[Metric, ...]]:
    """Compute all metrics, step by step; yields how many steps are done, and how many there are.

    Those of all classes together come first.
    """
    resampled = yield from drawing(cohort, draws, seed)
    measured = _Measured(cohort, resampled)
    found = list(measured.whole())
    for index, name in enumerate(cohort.classes):
        found += measured.of_class(index, name)
    return tuple(found)


class _Measured:
    """A cohort, and what was counted in it and in its draws."""

    def __init__(self, cohort: Cohort, draws: Draws) -> None:
        self.cohort, self.draws = cohort, draws
        self.n = len(cohort)
        self.areas = Areas(cohort)
        self.counts = counts.of(cohort)
        self.in_draws = Counts.of(draws.both, draws.assigned, draws.having, draws.total[:, None])
        self.ends = [bounds.ends(cohort, index) for index in range(len(cohort.classes))]
        every = np.ones(self.n)
        self.sorted = [Sorted.of(*pair) for pair in zip(cohort.truth.T, cohort.probabilities.T, strict=True)]
        self.precise = np.array([each.average_precision(every) for each in self.sorted])
        self.off = np.array([each.calibration_error(every) for each in self.sorted])
        self.brier = scores.squared_error(cohort)

    def of_class(self, index: int, name: str) -> Iterator[Metric]:
        """Measure one class against the rest."""
        yield from self._shares(index, name)
        own = bounds.one(self.counts, index)
        for metric in _OF_CLASS:
            compute = counts.PER_CLASS[metric]
            n = int(own.true_positive + own.false_positive + own.false_negative) if metric == "f1" else self.n
            ends = [float(compute(end)) for end in self.ends[index]]
            found = compute(bounds.one(self.in_draws, index))
            yield drawn(metric, name, float(compute(own)), draws=found, n=n, ends=ends, note=_why(metric, own))
        yield self.areas.of_class(index, name)
        yield self._average_precision(index, name)
        yield drawn("brier", name, float(self.brier[index]), draws=self.draws.brier[:, index], n=self.n)
        yield drawn("ece", name, float(self.off[index]), draws=self.draws.ece[:, index], n=self.n, biased=True)

    def _shares(self, index: int, name: str) -> Iterator[Metric]:
        truth, assigned = self.cohort.truth[:, index], self.cohort.assigned[:, index]
        pairs = {
            "accuracy": (truth == assigned, np.ones_like(truth)),
            "sensitivity": (truth & assigned, truth),
            "specificity": (~truth & ~assigned, ~truth),
            "precision": (truth & assigned, assigned),
            "npv": (~truth & ~assigned, ~assigned),
        }
        for metric, (success, trial) in pairs.items():
            yield share(metric, name, success, trial, self.cohort.groups)

    def _average_precision(self, index: int, name: str) -> Metric:
        value, note = float(self.precise[index]), ""
        if math.isnan(value):
            note = "No image has this class."
        n, draws = int(self.cohort.truth[:, index].sum()), self.draws.average_precision[:, index]
        return drawn("average_precision", name, value, draws=draws, n=n, ends=self._precise_ends(index), note=note)

    def _precise_ends(self, index: int) -> intervals.Bounds:
        """Return the interval of an average precision as a share of the images, or groups, with the class."""
        units = self.areas.units[index][0]
        return intervals.wilson(float(self.precise[index]) * units, units)

    def whole(self) -> Iterator[Metric]:
        """Measure all classes together."""
        cohort, draws, n = self.cohort, self.draws, self.n
        right = (cohort.truth == cohort.assigned).all(1)
        yield share("accuracy", "", right, np.ones_like(right), cohort.groups)
        yield from self._means()
        yield self.areas.mean("auc")
        yield self.areas.mean("auc_weighted")
        value, note = float(mean(self.precise)), left_out(cohort, self.precise)
        edges = mean(np.array([self._precise_ends(index) for index in range(len(self.precise))]).T).tolist()
        found = mean(draws.average_precision)
        yield drawn("average_precision", "", value, draws=found, n=n, ends=edges, note=note)
        brier = [scores.whole_brier(each, cohort.is_exclusive) for each in (self.brier, draws.brier)]
        yield drawn("brier", "", float(brier[0]), draws=brier[1], n=n)
        yield self._calibration()
        if cohort.is_exclusive:
            yield from self._agreement()

    def _means(self) -> Iterator[Metric]:
        low, high = (bounds.joined([each[end] for each in self.ends]) for end in (0, 1))
        for metric in _MEANS:
            # The balanced accuracy of classes that exclude each other is the mean of their sensitivities.
            is_mean = metric == "balanced_accuracy" and self.cohort.is_exclusive
            compute = counts.PER_CLASS["sensitivity" if is_mean else metric]
            values = compute(self.counts)
            ends = [float(mean(compute(end))) for end in (low, high)]
            found = mean(compute(self.in_draws))
            note = left_out(self.cohort, values)
            yield drawn(metric, "", float(mean(values)), draws=found, n=self.n, ends=ends, note=note)

    def _calibration(self) -> Metric:
        """Return the expected calibration error: of the most probable class where classes exclude each other."""
        if not self.cohort.is_exclusive:
            return drawn("ece", "", float(self.off.mean()), draws=self.draws.ece.mean(1), n=self.n, biased=True)
        most, is_right = scores.confidence(self.cohort)
        off = np.bincount(scores.bins_of(most), is_right - most, scores.BINS)
        return drawn(
            "ece", "", float(np.abs(off).sum() / self.n), draws=self.draws.confident_ece, n=self.n, biased=True
        )

    def _agreement(self) -> Iterator[Metric]:
        """Return kappa and Matthews correlation over all classes."""
        cohort, draws, k = self.cohort, self.draws, len(self.cohort.classes)
        true, assigned = categories(cohort.truth), categories(cohort.assigned)
        having, given = (np.bincount(each, minlength=k + 2).astype(np.float64) for each in (true, assigned))
        having_drawn = np.pad(draws.having, ((0, 0), (0, 2)))
        right = np.array((true == assigned).sum(), np.float64)
        ends = [bounds.agreement(cohort, end) for end in (0, 1)]
        both = {"cohen_kappa": counts.overall_kappa, "matthews_correlation": counts.overall_matthews}
        for metric, compute in both.items():
            value = float(compute(right, given, having))
            note = "All images have, or were assigned, the same class." if math.isnan(value) else ""
            found = compute(draws.right, draws.given, having_drawn)
            edges = [float(compute(*end)) for end in ends]
            yield drawn(metric, "", value, draws=found, n=self.n, ends=edges, note=note)
        if cohort.ordinal:
            yield self._ordinal_agreement(true, assigned, having, given)

    def _ordinal_agreement(
        self, true: NDArray[np.intp], assigned: NDArray[np.intp], having: counts.Numbers, given: counts.Numbers
    ) -> Metric:
        k, draws = len(self.cohort.classes), self.draws
        if given[k:].any():
            note = "Some images were assigned none or several classes."
            return Metric("quadratic_kappa", "", math.nan, n=self.n, note=note)
        distance = np.array(((true - assigned) ** 2).sum(), np.float64)
        value = float(counts.quadratic_kappa(distance, given[:k], having[:k]))
        found = counts.quadratic_kappa(draws.distance, draws.given[:, :k], draws.having)
        note = "All images have, and were assigned, the same class." if math.isnan(value) else ""
        return drawn("quadratic_kappa", "", value, draws=found, n=self.n, note=note)


def _why(metric: str, own: Counts) -> str:
    """Say why a metric of a class is not defined; empty if it is."""
    if not math.isnan(float(counts.PER_CLASS[metric](own))):
        return ""
    if not own.true_positive + own.false_negative:
        return "No image has this class."
    if not own.true_negative + own.false_positive:
        return "Every image has this class."
    given = own.true_positive + own.false_positive
    return "Every image was assigned this class." if given else "No image was assigned this class."

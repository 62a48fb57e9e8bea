"""What one source says about how good a model is: plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from napari_webipred.evaluation import counts, intervals
from napari_webipred.evaluation.counts import Counts
from napari_webipred.evaluation.curves import Curve
from napari_webipred.evaluation.metric import Metric


class Published(Struct, frozen=True, eq=False):
    """What one source says about how good a model is.

    Attributes
    ----------
    source : str
        What it is about: ``"JavaScript"`` and ``"Python"`` are the converted and the original model of WebIPred.
    classes : tuple of str
    metrics : tuple of Metric
        Without intervals, except where the number of images is known: shares then have theirs, of Wilson.
    confusion : ndarray of int64, shape (classes, classes), or None
        Rows are true classes, columns assigned ones.
    roc : dict of str to Curve
        By class, without bands.
    distribution : dict of str to int
        How many images have each class.
    milliseconds : dict of str to float
        How long each step took for all images.
    remarks : tuple of str
        What the source says about itself.
    """

    source: str
    classes: tuple[str, ...]
    metrics: tuple[Metric, ...] = ()
    confusion: NDArray[np.int64] | None = None
    roc: Mapping[str, Curve] = field(default_factory=dict)
    distribution: Mapping[str, int] = field(default_factory=dict)
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def of_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> Iterator[Metric]:
    """Compute what a confusion matrix says, with the intervals of Wilson.

    Parameters
    ----------
    matrix : ndarray of int64, shape (true classes, assigned classes)
    classes : sequence of str
    """
    total, right = float(matrix.sum()), float(np.trace(matrix))
    if not total:
        return
    yield Metric("accuracy", "", right / total, *intervals.wilson(right, total), int(total), "wilson")
    diagonal, assigned, having = (np.asarray(x, np.float64) for x in (np.diag(matrix), matrix.sum(0), matrix.sum(1)))
    counted = Counts.of(diagonal, assigned, having, np.full(len(diagonal), total))
    for metric, compute in counts.PER_CLASS.items():
        for index, value in enumerate(compute(counted).tolist()):
            n = _trials(metric, counted, index)
            bounds = intervals.wilson(value * n, n) if n and not math.isnan(value) else intervals.NONE
            yield Metric(metric, classes[index], value, *bounds, n or int(total), "wilson" if n else "")


def _trials(metric: str, c: Counts, index: int) -> int:
    """Return of how many images a metric is a share; 0 if it is none."""
    parts = {
        "accuracy": (c.true_positive, c.false_positive, c.false_negative, c.true_negative),
        "sensitivity": (c.true_positive, c.false_negative),
        "specificity": (c.true_negative, c.false_positive),
        "precision": (c.true_positive, c.false_positive),
        "npv": (c.true_negative, c.false_negative),
    }
    return int(sum(part[index] for part in parts.get(metric, ())))


def with_intervals(metrics: Sequence[Metric], spread: Mapping[str, int], total: int) -> Iterator[Metric]:
    """Give sensitivities, specificities and accuracies the intervals that so many images have.

    Parameters
    ----------
    metrics : sequence of Metric
    spread : mapping of str to int
        How many images have each class.
    total : int
        How many images there are; 0 if it is not known, so that sensitivities alone have intervals.
    """
    for metric in metrics:
        having = spread.get(metric.class_name, 0)
        known = {"sensitivity": having, "specificity": total - having, "accuracy": total}
        trials = max(known.get(metric.name, 0), 0)
        if metric.interval or not trials or not 0 <= metric.value <= 1:
            yield metric
            continue
        low, high = intervals.wilson(metric.value * trials, trials)
        yield Metric(metric.name, metric.class_name, metric.value, low, high, trials, "wilson")

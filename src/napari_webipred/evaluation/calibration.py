"""Probabilities that mean what they say: fitted to images whose classes are known, and tried on others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import scores
from napari_webipred.evaluation.cohort import Cohort, Task
from napari_webipred.evaluation.folds import FOLDS, folds_of
from napari_webipred.evaluation.scores import Sorted
from napari_webipred.results.calibration import LEAST, Calibration, log_odds, logarithms, sigmoid, tempered

Numbers = NDArray[np.float64]
_ROUNDS = 100
_HALVINGS = 40


def calibrate(cohort: Cohort, folds: int = FOLDS, seed: int = 0) -> tuple[Calibration, Cohort]:
    """Fit a calibration.

    Returns
    -------
    Calibration
        Fitted to all images.
    Cohort
        With calibrated probabilities of each image from a fit to other ones: what to judge the calibration by.

    Raises
    ------
    OptionError
        There are too few images.
    """
    parts = folds_of(cohort, folds, seed)
    if not parts.any():
        raise OptionError("A calibration needs images of at least two groups.", "Label more images.")
    tried = np.empty_like(cohort.probabilities)
    for part in range(int(parts.max()) + 1):
        others = parts != part
        fitted = _fitted(cohort.probabilities[others], cohort.truth[others], cohort.task, cohort.classes)
        tried[parts == part] = fitted.applied(cohort.probabilities[parts == part])
    after = replace(cohort, probabilities=tried)
    whole = _fitted(cohort.probabilities, cohort.truth, cohort.task, cohort.classes)
    return (
        replace(whole, folds=int(parts.max()) + 1, seed=seed, before=quality(cohort), after=quality(after)),
        after,
    )


def quality(cohort: Cohort) -> dict[str, float]:
    """Return log loss, Brier score and expected calibration error of probabilities."""
    given = np.clip(cohort.probabilities, LEAST, 1 - LEAST)
    if cohort.is_exclusive:
        loss = -np.log(given[cohort.truth]).mean()
        most, right = scores.confidence(cohort)
        off = np.abs(np.bincount(scores.bins_of(most), right - most, scores.BINS)).sum() / len(cohort)
    else:
        loss = -np.log(np.where(cohort.truth, given, 1 - given)).mean()
        pairs = zip(cohort.truth.T, cohort.probabilities.T, strict=True)
        off = np.mean([Sorted.of(*pair).calibration_error(np.ones(len(cohort))) for pair in pairs])
    brier = scores.whole_brier(scores.squared_error(cohort), cohort.is_exclusive)
    return {"log_loss": float(loss), "brier": float(brier), "ece": float(off)}


def _fitted(given: Numbers, truth: NDArray[np.bool_], task: Task, classes: tuple[str, ...]) -> Calibration:
    if task == "multi-class":
        return Calibration("temperature", classes, temperature(logarithms(given), truth))
    if task == "binary":  # one number for two classes: the second decides
        slope, offset = platt(log_odds(given[:, 1]), truth[:, 1])
        return Calibration("platt", classes, slopes=(slope, slope), offsets=(-offset, offset))
    pairs = [platt(log_odds(given[:, index]), truth[:, index]) for index in range(len(classes))]
    slopes, offsets = zip(*pairs, strict=True)
    return Calibration("platt", classes, slopes=slopes, offsets=offsets)


def temperature(logs: Numbers, target: NDArray[Any], weights: Numbers | None = None) -> float:
    """Return the temperature with the least log loss.

    The loss is convex in the inverse of the temperature, so its slope has one zero, which is found by halving. It may
    lie at an end, 1/100 or 100, if all images are right or the model knows nothing.

    Parameters
    ----------
    logs : ndarray, shape (n, classes)
        Logarithms of probabilities, or logits.
    target : ndarray, shape (n, classes)
        The probabilities that each image should have; they add up to 1.
    weights : ndarray, shape (n,), optional
        How much each image counts.
    """
    true = np.average((target * logs).sum(1), weights=weights)
    low, high = -math.log(100), math.log(100)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        given = tempered(logs, math.exp(-middle))
        if np.average((given * logs).sum(1), weights=weights) < true:
            low = middle
        else:
            high = middle
    return math.exp(-(low + high) / 2)


def platt(odds: Numbers, truth: NDArray[np.bool_], weights: Numbers | None = None) -> tuple[float, float]:
    """Return slope and offset with the least log loss, by Newton's method (Lin, Lin and Weng, 2007).

    The targets are a little off 0 and 1, as many images are not seen: so that the fit is finite.

    Parameters
    ----------
    odds : ndarray, shape (n,)
        Log-odds of a class.
    truth : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,), optional
        How much each image counts.
    """
    each = np.ones(len(odds)) if weights is None else weights
    positives, negatives = float(truth.sum()), float((~truth).sum())
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, offset = 0.0, math.log((float(each[truth].sum()) + 1) / (float(each[~truth].sum()) + 1))

    def loss(a: float, b: float) -> float:
        z = a * odds + b
        return float((each * (np.logaddexp(0, z) - target * z)).sum())

    now = loss(slope, offset)
    for _ in range(_ROUNDS):
        p = sigmoid(slope * odds + offset)
        off, weight = each * (p - target), each * p * (1 - p)
        gradient = np.array([off @ odds, off.sum()])
        if np.abs(gradient).max() < 1e-9 * len(odds):
            break
        curvature = np.array([[weight @ odds**2, weight @ odds], [weight @ odds, weight.sum()]]) + np.eye(2) * 1e-12
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-10 and (then := loss(slope - size * step[0], offset - size * step[1])) > now:
            size /= 2
        if size <= 1e-10:
            break
        slope, offset, now = slope - size * float(step[0]), offset - size * float(step[1]), then
    return slope, offset

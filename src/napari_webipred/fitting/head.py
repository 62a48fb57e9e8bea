"""A head for own classes: a regularised logistic regression on the features of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.calibration import platt, temperature
from napari_webipred.evaluation.folds import FOLDS, dealt
from napari_webipred.fitting.labels import Label, Labels, Task, labels_of
from napari_webipred.results.calibration import Calibration, sigmoid, tempered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from threadpoolctl import ThreadpoolController

Numbers = NDArray[np.float64]
# The inverse of how strongly weights are kept small, from strong to weak; features have a standard deviation of 1.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
USUAL = 1e-2  # where there are too few images to choose


class Head(Struct, frozen=True, eq=False):
    """What makes probabilities of own classes from the features of an image: ``features @ kernel + bias``.

    The standardisation of the features and the calibration are part of kernel and bias.

    Attributes
    ----------
    classes : tuple of str
    task : "single" or "multi"
        Whether an image has exactly one class (softmax), or any number of them (sigmoid).
    kernel : ndarray of float32, shape (channels, classes)
    bias : ndarray of float32, shape (classes,)
    strength : float
        The ``C`` of scikit-learn's `LogisticRegression` that did best on images that were held out.
    calibration : Calibration or None
        What was folded into kernel and bias; None if there were too few images for one.
    """

    classes: tuple[str, ...]
    task: Task
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    strength: float
    calibration: Calibration | None = None

    def logits(self, features: NDArray[np.float32]) -> Numbers:
        """Return the numbers before softmax or sigmoid; float64, shape (n, classes)."""
        _check_channels(features, len(self.kernel))
        return np.asarray(features.astype(np.float64) @ self.kernel.astype(np.float64) + self.bias, np.float64)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of the classes.

        Parameters
        ----------
        features : ndarray of float32, shape (n, channels)
            What `Model.features` gives.

        Returns
        -------
        ndarray of float32, shape (n, classes)
        """
        logits = self.logits(features)
        return (tempered(logits, 1.0) if self.task == "single" else sigmoid(logits)).astype(np.float32)


def fit(
    features: NDArray[np.float32],
    labels: Sequence[Label],
    classes: Sequence[str] | None = None,
    *,
    task: Task = "single",
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    seed: int = 0,
) -> Head:
    """Fit a head to labelled images; see `fitted`.

    Parameters
    ----------
    features : ndarray of float32, shape (n, channels)
        What `Model.features` gives.
    labels : sequence of str, or of collections of str
        One of each image; with ``task="multi"`` the classes that each image has, which may be none.
    classes : sequence of str, optional
        In the order that the model will have; by default in that of the alphabet.
    task : "single" or "multi"
        Whether an image has exactly one class, or any number of them.
    groups : sequence, optional
        What each image has in common with others, such as the name of a patient: they are held out together.
    seed : int
        What the random numbers begin with that make the parts.

    Raises
    ------
    OptionError
        Labels or features cannot be used; see `labels_of`.
    """
    return fitted(features, labels_of(labels, classes, task=task, groups=groups), seed)


def fitted(features: NDArray[np.float32], labels: Labels, seed: int = 0) -> Head:
    """Fit a head to labelled images.

    Features are standardised, but channels that hardly vary are not blown up. All classes count as much, however many
    images they have. The strength is the one with the least log loss on parts that were held out, after a calibration
    that is fitted to the same parts. So probabilities are those of images of which each class is as common as the
    others.

    Raises
    ------
    OptionError
        There is another number of features than of labels, or numbers that are not finite.
    """
    check(features, labels)
    parts = [(train, test) for train, test in held_out(labels, seed) if labels.part(train).is_whole()]
    # The products are small: several threads would mostly wait for one another, and take cores from what is shown.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        strength, logits = _chosen(features, labels, parts, seed)
        line = _line(features, labels, strength)
    calibration = None
    if parts:
        calibration = _calibration(logits, labels, np.concatenate([test for _, test in parts]), seed)
        line = _applied(calibration, line)
    kernel, bias = (np.ascontiguousarray(each, np.float32) for each in line)
    return Head(labels.classes, labels.task, kernel, bias, strength, calibration)


@cache
def _linear_algebra() -> ThreadpoolController:
    import sklearn.linear_model  # noqa: F401  so that its libraries are among those that are found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def check(features: NDArray[np.float32], labels: Labels) -> None:
    """Refuse features that do not fit the labels.

    Raises
    ------
    OptionError
        There is another number of features than of labels, or numbers that are not finite.
    """
    if features.ndim != 2 or len(features) != len(labels):
        raise OptionError(
            f"There are features of the shape {list(features.shape)} for {len(labels)} labels.",
            "Give the features and the label of each image.",
        )
    if not np.isfinite(features).all():
        raise OptionError("The features of an image are not finite.", "Leave it out, or choose another model.")


def held_out(labels: Labels, seed: int, folds: int = FOLDS) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield which images are fitted to, and which are held out; images of a group are held out together."""
    parts = dealt(labels.truth, labels.groups, folds, seed)
    for part in range(int(parts.max()) + 1) if parts.any() else ():
        yield np.flatnonzero(parts != part), np.flatnonzero(parts == part)


def _chosen(
    features: NDArray[np.float32],
    labels: Labels,
    parts: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    seed: int,
) -> tuple[float, Numbers]:
    """Return the strength with the least log loss on parts that were held out, and the logits there."""
    best = np.inf, USUAL, np.zeros(labels.truth.shape)
    if not parts:
        return best[1:]
    tried = np.concatenate([test for _, test in parts])
    standardised = [_Standardised.of(features[train]) for train, _ in parts]
    worse = 0
    for strength in STRENGTHS:
        logits = np.zeros(labels.truth.shape)
        for (train, test), scaled in zip(parts, standardised, strict=True):
            kernel, bias = scaled.unfolded(*_regression(scaled.values, labels.part(train), strength, quick=True))
            logits[test] = features[test].astype(np.float64) @ kernel + bias
        # What counts is the loss after calibration: a few wild logits would else ask for the strongest shrinkage.
        loss = _loss(_calibrated(logits, labels, tried, seed), labels, tried)
        if loss < best[0]:
            best, worse = (loss, strength, logits), 0
        elif (worse := worse + 1) == 2:  # weaker ones are worse still
            break
    return best[1:]


def _calibrated(logits: Numbers, labels: Labels, rows: NDArray[np.intp], seed: int) -> Numbers:
    """Return logits with a calibration that was fitted to some of them."""
    scaled, shift = _applied(_calibration(logits, labels, rows, seed), (logits, np.zeros(logits.shape[1])))
    return scaled + shift


def _loss(logits: Numbers, labels: Labels, rows: NDArray[np.intp]) -> float:
    """Return the log loss of some images, all classes counting as much."""
    z, truth, weights = logits[rows], labels.truth[rows], labels.weights[rows]
    if labels.task == "multi":
        return float(np.average(np.logaddexp(0, z) - truth * z, weights=weights))
    most = z.max(1, keepdims=True)
    loss = most[:, 0] + np.log(np.exp(z - most).sum(1)) - z[truth]
    return float(np.average(loss, weights=weights[:, 0]))


class _Standardised(Struct, frozen=True, eq=False):
    """Features with a mean of 0 and a standard deviation of 1, of few images.

    Channels that hardly vary in these are divided by the median deviation of all channels instead of by their own. So
    little is known of them that they would be blown up to noise: a channel that a network uses rarely would decide
    wherever it is used.
    """

    values: NDArray[Any]
    mean: Numbers
    scale: Numbers

    @classmethod
    def of(cls, features: NDArray[np.float32], dtype: type = np.float32) -> _Standardised:
        mean = features.mean(0, dtype=np.float64)
        scale = features.std(0, dtype=np.float64)
        constant = scale <= 1e-6 * np.abs(mean)  # what is left of it is rounding
        scale = np.maximum(scale, np.median(scale[~constant]) if not constant.all() else 1.0)
        scale[constant] = np.inf
        return cls(((features - mean) / scale).astype(dtype), mean, scale)

    def unfolded(self, kernel: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
        """Return kernel and bias for features that are not standardised."""
        kernel = kernel / self.scale[:, None]
        return kernel, bias - self.mean @ kernel


def _line(features: NDArray[np.float32], labels: Labels, strength: float) -> tuple[Numbers, Numbers]:
    """Return kernel and bias of the regression on all images."""
    scaled = _Standardised.of(features, np.float64)
    return scaled.unfolded(*_regression(scaled.values, labels, strength))


def _regression(
    values: NDArray[Any], labels: Labels, strength: float, *, quick: bool = False
) -> tuple[Numbers, Numbers]:
    """Return kernel and bias of a logistic regression on standardised features.

    A `quick` one is less exact, but good enough to compare strengths.
    """
    from sklearn.linear_model import LogisticRegression

    def line(truth: NDArray[Any], weights: Numbers) -> tuple[Numbers, Numbers]:
        made = LogisticRegression(C=strength, tol=3e-3 if quick else 1e-5, max_iter=10_000)
        made.fit(values, truth, sample_weight=weights)
        return made.coef_.T.astype(np.float64), made.intercept_.astype(np.float64)

    weights = labels.weights
    if labels.task == "multi":
        pairs = [line(labels.truth[:, index], weights[:, index]) for index in range(len(labels.classes))]
        return np.hstack([kernel for kernel, _ in pairs]), np.concatenate([bias for _, bias in pairs])
    kernel, bias = line(labels.truth.argmax(1), weights[:, 0])
    if len(labels.classes) == 2:  # one number tells two classes apart; as a softmax, each gets half of it
        return np.hstack([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    return kernel, bias


def _calibration(logits: Numbers, labels: Labels, rows: NDArray[np.intp], seed: int) -> Calibration:
    """Fit a calibration to images that were held out, all classes counting as much."""
    logits, truth, weights = logits[rows], labels.truth[rows], labels.weights[rows]
    folds = len(np.unique(labels.units)) if labels.groups is not None else len(labels)
    folds = min(FOLDS, folds)
    if labels.task == "multi":
        pairs = [_rising(logits[:, index], truth[:, index], weights[:, index]) for index in range(len(labels.classes))]
        slopes, offsets = zip(*pairs, strict=True)
        return Calibration("platt", labels.classes, slopes=slopes, offsets=offsets, folds=folds, seed=seed)
    # Targets are a little off 0 and 1, as in Platt's method: else a few images that are all right make it quite sure.
    have = truth.sum(0)
    hit = (have + 1) / (have + len(labels.classes))
    off = 1 / (have + len(labels.classes))
    target = np.where(truth, (truth @ hit)[:, None], (truth @ off)[:, None])
    found = temperature(logits, target, weights[:, 0])
    return Calibration("temperature", labels.classes, found, folds=folds, seed=seed)


def _rising(logits: Numbers, truth: NDArray[np.bool_], weights: Numbers) -> tuple[float, float]:
    """Return slope and offset of one class; a slope of 0 where a negative one would fit best.

    Logits of few images that were held out often point the wrong way, as each fit is pushed away from what it lacks.
    That tells that they are worth nothing: the head that is fitted to all images would be turned upside down by it.
    """
    slope, offset = platt(logits, truth, weights)
    return (slope, offset) if slope >= 0 else platt(np.zeros_like(logits), truth, weights)


def _applied(calibration: Calibration, line: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    """Fold a calibration into kernel and bias."""
    kernel, bias = line
    if calibration.method == "temperature":
        return kernel / calibration.temperature, bias / calibration.temperature
    slopes, offsets = np.array(calibration.slopes), np.array(calibration.offsets)
    return kernel * slopes, bias * slopes + offsets


def _check_channels(features: NDArray[np.float32], channels: int) -> None:
    if features.ndim != 2 or features.shape[1] != channels:
        raise OptionError(
            f"The features have the shape {list(features.shape)}, but the head takes {channels} of each image.",
            "Compute them with the model that the head was fitted for.",
        )

"""How good a head for own classes is, told by images that it has not seen."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.evaluation import Evaluation, evaluating
from napari_webipred.evaluation.folds import FOLDS
from napari_webipred.evaluation.resampling import DRAWS
from napari_webipred.fitting.head import check
from napari_webipred.fitting.labels import Labels
from napari_webipred.fitting.learning import LearningCurve, learning
from napari_webipred.names import listed, plain
from napari_webipred.steps import result_of

FEW = 5  # images of a class
FEW_GROUPS = 2
# What a card says of all classes together; of the other metrics it says those of each class.
WHOLE = {"accuracy", "balanced_accuracy", "auc", "brier", "ece", "cohen_kappa", "matthews_correlation"}


class Honest(Struct, frozen=True, eq=False):
    """How good a head is, told by images that it has not seen.

    Attributes
    ----------
    evaluation : Evaluation
        All metrics with intervals, of nested cross-validation.
    curve : LearningCurve
    warnings : tuple of str
        What speaks against trusting them, a sentence each.
    """

    evaluation: Evaluation
    curve: LearningCurve
    warnings: tuple[str, ...] = ()

    def as_metrics(self) -> dict[str, Any]:
        """Return the figures as model cards have them, in plain JSON values."""
        cohort = self.evaluation.cohort
        units = len(cohort) if cohort.groups is None else int(cohort.groups.max()) + 1
        grouped = "" if cohort.groups is None else f" of {units} groups"
        found: dict[str, Any] = {
            "test_set": f"nested {min(FOLDS, units)}-fold cross-validation of {len(cohort)} labelled images{grouped}; "
            "95 % intervals",
            "images": len(cohort),
        }
        for metric in self.evaluation.metrics:
            bounds = None if np.isnan(metric.low) else [metric.low, metric.high]
            if np.isnan(metric.value) or (metric.name in WHOLE) == bool(metric.class_name):
                continue
            if not metric.class_name:
                found |= {metric.name: metric.value} | ({f"{metric.name}_interval": bounds} if bounds else {})
                continue
            found.setdefault(metric.name, {})[metric.class_name] = metric.value
            if bounds:
                found.setdefault(f"{metric.name}_interval", {})[metric.class_name] = bounds
        if cohort.is_exclusive:
            counts = self.evaluation.confusion.to_numpy()[:, : len(cohort.classes)]
            found["confusion_matrix"] = {"rows": "true", "classes": list(cohort.classes), "counts": counts.tolist()}
        return {**found, "learning_curve": self.curve.as_dict(), "warnings": list(self.warnings)}


def judging(
    features: NDArray[np.float32], labels: Labels, seed: int = 0, draws: int = DRAWS
) -> Generator[tuple[int, int], None, Honest]:
    """Tell how good a head would be, step by step; yields how many steps are done, and how many there are.

    In nested cross-validation each image is judged by a head that was fitted, with its strength and its calibration,
    to other images, of other groups.

    Raises
    ------
    OptionError
        The features cannot be used, or all images are of one group.
    """
    check(features, labels)
    if len(np.unique(labels.units)) < FEW_GROUPS:
        raise OptionError(
            "All labelled images are of one group, so that no figure would be honest.",
            "Label images of a second group, such as another patient or another day.",
        )
    parts = learning(features, labels, seed)
    total = min(FOLDS, len(np.unique(labels.units)))
    done = 0
    while True:
        try:
            next(parts)
        except StopIteration as finished:
            given, curve = finished.value
            break
        done += 1
        yield done, total + 1
    evaluation = result_of(evaluating(_cohort(given, labels), draws, seed))
    yield total + 1, total + 1
    return Honest(evaluation, curve, tuple(warnings(labels)))


def _cohort(given: NDArray[np.float64], labels: Labels) -> Cohort:
    if labels.task == "single":
        assigned = np.zeros_like(labels.truth)
        assigned[np.arange(len(given)), given.argmax(1)] = True
    else:
        assigned = given >= 0.5
    rows = np.arange(len(labels))
    # Those of a part of the images have gaps in their numbers, which would count as groups without images.
    groups = None if labels.groups is None else np.unique(labels.groups, return_inverse=True)[1].reshape(-1)
    return Cohort(
        rows,
        tuple(str(row) for row in rows),
        labels.classes,
        "multi-class" if labels.task == "single" else "multi-label",
        given,
        labels.truth,
        assigned,
        groups,
        "" if groups is None else "group",
    )


def warnings(labels: Labels) -> list[str]:
    """Say what speaks against trusting figures of so few labels, a sentence each."""
    found = []
    if few := [f"{name} ({count})" for name, count in labels.counts.items() if count < FEW]:
        found.append(
            f"Too few images to trust any figure: {listed(few)}. Label at least {FEW} of each class, better 20 or more."
        )
    by_name: dict[str, list[str]] = {}
    for name in labels.classes:
        by_name.setdefault(plain(name), []).append(name)
    found += [
        f"The classes {listed(same)} differ in capitals, spaces, hyphens or underscores only. If they are the same, "
        "correct the labels."
        for same in by_name.values()
        if len(same) > 1
    ]
    if labels.groups is None:
        return found
    if len(np.unique(labels.groups)) < FEW_GROUPS:
        found.append("All labelled images are of one group. Label images of a second one.")
        return found
    alone = [
        name
        for name, has in zip(labels.classes, labels.truth.T, strict=True)
        if has.any() and len(np.unique(labels.groups[has])) < FEW_GROUPS
    ]
    if alone:
        found.append(
            f"All images of {listed(alone)} are of one group, so that the head may have learned the group instead of "
            "the class. Label images of that class from another group."
        )
    return found

"""Figures of a head for own classes are those of images that it has not seen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from clouds import clouds
from napari_webipred.errors import OptionError
from napari_webipred.fitting.head import fit
from napari_webipred.fitting.honest import Honest, judging
from napari_webipred.fitting.labels import labels_of
from napari_webipred.fitting.learning import LearningCurve
from napari_webipred.steps import result_of

DRAWS = 50


def honest(features: Any, labels: Any, **how: Any) -> Honest:
    return result_of(judging(features, labels_of(labels, **how), draws=DRAWS))


def test_an_estimate_holds_for_images_that_nobody_has_labelled() -> None:
    features, labels = clouds(200, apart=0.3)
    told = honest(features, labels).evaluation.metric("accuracy")
    new, truth = clouds(3000, apart=0.3, seed=1)
    head = fit(features, labels)
    right = float(np.mean(np.array(head.classes)[head.probabilities(new).argmax(1)] == truth))
    assert 0.5 < right < 0.95
    assert told.low < right < told.high
    own = float(np.mean(np.array(head.classes)[head.probabilities(features).argmax(1)] == labels))
    assert own > right + 0.05, "the images that were fitted to would have told too much"


def test_labels_by_chance_are_not_told_to_be_better_than_chance() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(100, 200)).astype(np.float32)
    told = honest(features, ["ab"[i] for i in random.integers(0, 2, 100)])
    assert told.evaluation.metric("accuracy").low < 0.5


def test_a_group_is_never_judged_by_a_head_that_knows_it() -> None:
    """Labels are those of groups, by chance, and each group has a mark: who knows the mark knows the label."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 6)
    labels = ["ab"[group % 2] for group in groups]
    features = (random.normal(size=(24, 30))[groups] * 3 + random.normal(size=(144, 30))).astype(np.float32)
    apart = honest(features, labels).evaluation.metric("accuracy")
    together = honest(features, labels, groups=groups).evaluation.metric("accuracy")
    assert apart.value > 0.9
    assert together.value < 0.7
    assert together.interval == "grouped wilson"


def test_the_learning_curve_tells_whether_more_labels_would_help() -> None:
    few = honest(*clouds(40, apart=0.35, channels=100)).curve
    assert few.sizes == tuple(sorted(few.sizes))
    assert few.scores[-1] > few.scores[0]
    many = honest(*clouds(300, apart=1.5)).curve
    assert many.helps is False
    assert "flat" in many.words
    assert LearningCurve((10, 20), (0.5, 0.8), 0.3, 0.05).helps is True
    assert LearningCurve((10, 20), (0.5, 0.55), 0.05, 0.05).helps is None
    assert LearningCurve((10,), (0.5,), float("nan"), float("nan")).helps is None


def test_few_labels_and_groups_are_warned_of() -> None:
    features, labels = clouds(20)
    (few,) = honest(features[:12], labels[:12]).warnings
    assert "class 0 (4)" in few
    (same,) = honest(features, [label.replace("class 1", "Class-0") for label in labels]).warnings
    assert "The classes Class-0, class 0 differ in capitals, spaces" in same
    groups = ["x" if label == "class 1" else f"p{row % 4}" for row, label in enumerate(labels)]
    (alone,) = honest(features, labels, groups=groups).warnings
    assert "All images of class 1 are of one group" in alone
    with pytest.raises(OptionError, match="one group") as caught:
        honest(features, labels, groups=["p"] * 20)
    assert "second group" in caught.value.hint


def test_figures_go_into_a_card_as_plain_values() -> None:
    features, labels = clouds(45)
    metrics = honest(features, labels, groups=np.arange(45) // 3).as_metrics()
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics["images"] == 45
    assert "15 groups" in metrics["test_set"]
    low, high = metrics["accuracy_interval"]
    assert low <= metrics["accuracy"] <= high
    assert set(metrics["sensitivity"]) == {"class 0", "class 1", "class 2"}
    assert np.sum(metrics["confusion_matrix"]["counts"]) == 45
    assert metrics["learning_curve"]["sizes"]


def test_a_card_says_how_many_parts_few_groups_were_held_out_in() -> None:
    features, labels = clouds(45)
    for groups, folds in ((3, 3), (9, 5)):
        metrics = honest(features, labels, groups=np.arange(45) % groups).as_metrics()
        assert metrics["test_set"].startswith(f"nested {folds}-fold cross-validation of 45 labelled images of {groups}")


def test_classes_that_do_not_exclude_each_other_have_figures_of_their_own() -> None:
    features, _ = clouds(60)
    labels = [{name for name, channel in (("a", 0), ("b", 1)) if row[channel] > 2.5} for row in features]
    told = honest(features, labels, task="multi")
    assert told.evaluation.metric("auc", "a").value > 0.5
    assert "confusion_matrix" not in told.as_metrics()


def test_a_group_of_which_no_image_could_be_read_counts_nowhere() -> None:
    features, names = clouds(48)
    groups = np.arange(48) // 6
    kept = groups != 3
    left = labels_of(names, groups=groups).part(kept)
    part = result_of(judging(features[kept], left, draws=DRAWS))
    alone = judging(
        features[kept], labels_of([n for n, k in zip(names, kept, strict=True) if k], groups=groups[kept]), draws=DRAWS
    )
    assert "of 7 groups" in part.as_metrics()["test_set"]
    assert part.as_metrics() == result_of(alone).as_metrics()

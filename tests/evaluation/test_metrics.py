"""Metrics are those of scikit-learn; what it makes 0 or refuses is not defined here, and says why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn import metrics as judge

from cohorts import cohort_of, exclusive, several
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.evaluation import Evaluation, evaluated

PER_CLASS = {
    "accuracy": judge.accuracy_score,
    "balanced_accuracy": judge.balanced_accuracy_score,
    "sensitivity": judge.recall_score,
    "precision": judge.precision_score,
    "f1": judge.f1_score,
    "cohen_kappa": judge.cohen_kappa_score,
    "matthews_correlation": judge.matthews_corrcoef,
}
SCORES = {
    "auc": judge.roc_auc_score,
    "average_precision": judge.average_precision_score,
    "brier": judge.brier_score_loss,
}


def compare_classes(found: Evaluation) -> None:
    cohort = found.cohort
    for index, name in enumerate(cohort.classes):
        truth, assigned, scores = cohort.truth[:, index], cohort.assigned[:, index], cohort.probabilities[:, index]
        for metric, compute in PER_CLASS.items():
            assert found.metric(metric, name).value == pytest.approx(compute(truth, assigned), abs=1e-12), metric
        for metric, compute in SCORES.items():
            assert found.metric(metric, name).value == pytest.approx(compute(truth, scores), abs=1e-12), metric
        assert found.metric("specificity", name).value == pytest.approx(judge.recall_score(~truth, ~assigned))
        assert found.metric("npv", name).value == pytest.approx(judge.precision_score(~truth, ~assigned))


@pytest.mark.parametrize("cohort", [exclusive(80, 2), exclusive(120, 3), exclusive(90, 3, ties=True)])
def test_classes_that_exclude_each_other_have_the_metrics_of_scikit_learn(cohort: Cohort) -> None:
    found = evaluated(cohort, draws=20)
    compare_classes(found)
    true, assigned, given = cohort.truth.argmax(1), cohort.assigned.argmax(1), cohort.probabilities
    given = given / given.sum(1, keepdims=True)  # the judge refuses what does not add up exactly
    scored = evaluated(replace(cohort, probabilities=given), draws=20)
    two = len(cohort.classes) == 2
    for metric, value in {
        "accuracy": judge.accuracy_score(true, assigned),
        "balanced_accuracy": judge.balanced_accuracy_score(true, assigned),
        "sensitivity": judge.recall_score(true, assigned, average="macro"),
        "precision": judge.precision_score(true, assigned, average="macro"),
        "f1": judge.f1_score(true, assigned, average="macro"),
        "cohen_kappa": judge.cohen_kappa_score(true, assigned),
        "matthews_correlation": judge.matthews_corrcoef(true, assigned),
        "average_precision": judge.average_precision_score(cohort.truth, given, average="macro"),
        "brier": judge.brier_score_loss(true, given[:, 1]) if two else judge.brier_score_loss(true, given),
        "auc": judge.roc_auc_score(cohort.truth, given, average="macro"),
        "auc_weighted": judge.roc_auc_score(cohort.truth, given, average="weighted"),
    }.items():
        assert scored.metric(metric).value == pytest.approx(value, abs=1e-12), metric
    assert found.confusion.to_numpy().tolist() == judge.confusion_matrix(true, assigned).tolist()


def test_images_with_several_classes_have_the_metrics_of_scikit_learn() -> None:
    cohort = several(100, 4)
    found = evaluated(cohort, draws=20)
    compare_classes(found)
    assert found.metric("accuracy").value == judge.accuracy_score(cohort.truth, cohort.assigned)
    assert found.metric("f1").value == pytest.approx(judge.f1_score(cohort.truth, cohort.assigned, average="macro"))
    assert found.metric("auc").value == pytest.approx(judge.roc_auc_score(cohort.truth, cohort.probabilities))
    with pytest.raises(KeyError):
        found.metric("cohen_kappa")
    with pytest.raises(OptionError, match="several of the classes"):
        _ = found.confusion


def test_classes_with_an_order_have_a_kappa_that_counts_distances() -> None:
    cohort = replace(exclusive(150, 5), ordinal=True)
    found = evaluated(cohort, draws=50).metric("quadratic_kappa")
    true, assigned = cohort.truth.argmax(1), cohort.assigned.argmax(1)
    assert found.value == pytest.approx(judge.cohen_kappa_score(true, assigned, weights="quadratic"))
    assert found.low < found.value < found.high


def test_a_seed_that_no_random_numbers_begin_with_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="cannot begin with -1"):
        evaluated(exclusive(20, 2), draws=5, seed=-1)


def test_a_class_that_no_image_has_is_left_out_by_name_and_never_counts_as_0() -> None:
    cohort = exclusive(60, 3)
    given = np.c_[cohort.probabilities, np.zeros(60)]
    found = evaluated(cohort_of(cohort.truth.argmax(1), given), draws=20)
    for metric in ("sensitivity", "auc", "average_precision", "precision"):
        own = found.metric(metric, "d")
        assert math.isnan(own.value)
        assert own.note
        assert found.metric(metric).value == pytest.approx(evaluated(cohort, draws=20).metric(metric).value)
        assert "Without d" in found.metric(metric).note
    assert found.metric("specificity", "d").value == 1


def test_metrics_that_are_not_defined_say_why() -> None:
    given = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    found = evaluated(cohort_of(np.zeros(3, int), given), draws=20)
    assert found.metric("auc").note
    assert math.isnan(found.metric("auc").value)
    assert found.metric("auc", "a").note == "Every image has this class."
    assert found.metric("matthews_correlation").note == "All images have, or were assigned, the same class."
    assert math.isnan(found.metric("matthews_correlation", "a").value)
    assert found.metric("precision", "b").note == "No image was assigned this class."
    assert found.metric("accuracy").value == 1


def test_the_brier_score_of_two_classes_is_not_doubled_and_that_of_three_is_a_sum() -> None:
    two = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    assert evaluated(cohort_of(np.array([0, 1, 1]), two), draws=20).metric("brier").value == pytest.approx(0.07)
    three = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert evaluated(cohort_of(np.arange(3), three), draws=20).metric("brier").value == pytest.approx(
        0.193333, abs=1e-6
    )


def test_the_calibration_error_is_the_mean_distance_of_ten_bins() -> None:
    """By hand: two images of .75, one of them right, are .25 off; two of .95, both right, are .05 off."""
    given = np.array([[0.75, 0.25], [0.75, 0.25], [0.95, 0.05], [0.05, 0.95]])
    found = evaluated(cohort_of(np.array([0, 1, 0, 1]), given), draws=20)
    assert found.metric("ece").value == pytest.approx(0.15)


def test_rows_of_no_class_or_several_have_columns_of_their_own() -> None:
    cohort = exclusive(30, 3)
    assigned = cohort.assigned.copy()
    assigned[0], assigned[1] = False, True
    found = evaluated(replace(cohort, assigned=assigned), draws=20)
    assert list(found.confusion.columns) == ["a", "b", "c", "(none)", "(several)"]
    assert found.confusion.to_numpy().sum() == 30
    true = cohort.truth.argmax(1)
    as_categories = np.where(np.arange(30) < 2, 3 + np.arange(30), cohort.assigned.argmax(1))
    assert found.metric("cohen_kappa").value == pytest.approx(judge.cohen_kappa_score(true, as_categories))
    assert found.metric("matthews_correlation").value == pytest.approx(judge.matthews_corrcoef(true, as_categories))
    assert found.rows(int(true[0]), 3).tolist() == [0]


def test_the_same_seed_gives_the_same_intervals() -> None:
    cohort = exclusive(40, 3)
    assert evaluated(cohort, 30, 1).metrics == evaluated(cohort, 30, 1).metrics
    assert evaluated(cohort, 30, 1).metric("f1").low != evaluated(cohort, 30, 2).metric("f1").low


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.tuples(*[st.integers(1, 5)] * 3)), min_size=1, max_size=12))
def test_every_value_lies_in_its_interval_and_every_gap_has_a_reason(rows: list[tuple[int, tuple[int, ...]]]) -> None:
    given = np.array([row[1] for row in rows], np.float64)
    cohort = cohort_of(np.array([row[0] for row in rows]), given / given.sum(1, keepdims=True))
    for metric in evaluated(cohort, draws=20).metrics:
        if math.isnan(metric.value):
            assert metric.note
        elif math.isnan(metric.low):
            assert "no interval" in metric.note
        elif metric.interval != "bootstrap":
            assert metric.low - 1e-9 <= metric.value <= metric.high + 1e-9
            # The interval of the calibration error is as narrow as its draws lie together, which they do where all
            # images are off by about as much. One of 0 has no draw below it, so that its interval ends there, too.
            assert metric.high - metric.low > 0.01 or metric.interval == "reversed bootstrap"


def test_the_interval_of_a_large_calibration_error_ends_at_1() -> None:
    given = np.repeat([[0.95, 0.05]], 8, axis=0)
    error = evaluated(cohort_of(np.array([1] * 7 + [0]), given), draws=200).metric("ece")
    assert error.value == pytest.approx(0.825)
    assert error.low < error.value < error.high == 1

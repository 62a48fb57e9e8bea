"""Intervals are those of independent programs and of published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn.metrics import average_precision_score
from statsmodels.stats.proportion import proportion_confint

from cohorts import cohort_of, exclusive
from napari_webipred.evaluation import intervals
from napari_webipred.evaluation.evaluation import evaluated
from napari_webipred.evaluation.resampling import drawing, weights
from napari_webipred.evaluation.scores import Sorted


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_statsmodels(trials: tuple[int, int]) -> None:
    expected = proportion_confint(*trials, method="wilson")
    assert intervals.wilson(*trials) == pytest.approx(expected, abs=1e-12)


def test_no_trial_has_no_interval() -> None:
    assert all(map(math.isnan, intervals.wilson(0, 0)))


def test_the_variance_of_an_area_is_that_of_delong() -> None:
    """By hand: 21 of 24 pairs are in order, and the variance is .0125."""
    truth = np.array([0, 0, 1, 1, 0, 1, 1, 0, 1, 1], np.bool_)
    scores = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.9, 0.2, 0.7, 0.6])
    found = intervals.placements(truth, scores)
    assert found.area == 0.875
    part = intervals.contributions(truth, found)
    assert intervals.delong_variance(truth, part, None) == pytest.approx(0.0125)
    assert intervals.delong_variance(truth, part, np.arange(10)) == pytest.approx(0.0125)


def test_a_published_area_has_its_published_interval() -> None:
    """Ratings of 109 CT images by Hanley and McNeil (1982); area, error and interval as in Stata's manual of roctab."""
    scores = np.r_[np.repeat(range(5), [33, 6, 6, 11, 2]), np.repeat(range(5), [3, 2, 2, 11, 33])].astype(float)
    truth = np.arange(109) >= 58
    found = intervals.placements(truth, scores)
    error = math.sqrt(intervals.delong_variance(truth, intervals.contributions(truth, found), None))
    assert (round(found.area, 4), round(error, 4)) == (0.8932, 0.0307)
    both = found.area - intervals.Z * error, found.area + intervals.Z * error
    assert tuple(round(bound, 5) for bound in both) == (0.83295, 0.95339)


def test_an_area_has_the_variance_that_another_program_publishes() -> None:
    """The marker S100B of 113 patients (Turck et al., 2010), which the R package pROC has as its data aSAH.

    A digit is how many patients have each of its 50 values, the highest first: 72 with a good outcome, 41 with a poor
    one. pROC's own tests expect this area and this variance by DeLong's method.
    """
    good = [int(digit) for digit in "00000000000201211010101110100010021234430476662350"]
    poor = [int(digit) for digit in "11111121111011000201010111011101100010121122130001"]
    scores = -np.r_[np.repeat(range(50), good), np.repeat(range(50), poor)].astype(float)
    truth = np.arange(len(scores)) >= sum(good)
    found = intervals.placements(truth, scores)
    assert found.area == pytest.approx(0.73136856368563685, rel=1e-12)
    variance = intervals.delong_variance(truth, intervals.contributions(truth, found), None)
    assert variance == pytest.approx(0.00266868245717244, rel=1e-12)


def test_an_area_of_images_that_are_there_twice_is_as_uncertain_as_once() -> None:
    cohort = exclusive(60, 2)
    once = evaluated(cohort, draws=5).metric("auc")
    twice = cohort_of(
        np.tile(cohort.truth.argmax(1), 2), np.tile(cohort.probabilities, (2, 1)), groups=np.tile(np.arange(60), 2)
    )
    found = evaluated(twice, draws=5)
    assert (found.metric("auc").low, found.metric("auc").high) == pytest.approx((once.low, once.high))
    once = evaluated(cohort, draws=5).metric("accuracy")
    assert found.metric("accuracy").high - found.metric("accuracy").low == pytest.approx(once.high - once.low, rel=0.03)


def test_images_that_are_all_right_still_have_an_interval() -> None:
    given = np.array([[0.9, 0.1]] * 8 + [[0.2, 0.8]] * 4)
    found = evaluated(cohort_of(np.repeat([0, 1], [8, 4]), given), draws=50)
    for metric in found.metrics:
        if metric.name not in {"brier", "ece"}:
            assert metric.value == 1
            assert metric.high == pytest.approx(1)
            assert metric.low < 0.9, metric


def test_a_single_group_has_no_narrow_interval() -> None:
    cohort = replace(exclusive(30, 2), groups=np.zeros(30, np.intp), grouped_by="patient")
    found = evaluated(cohort, draws=20)
    assert found.metric("accuracy").high - found.metric("accuracy").low > 0.7
    assert found.metric("auc").high - found.metric("auc").low > 0.4
    assert "no interval" in found.metric("brier").note


def test_draws_count_what_rows_that_are_written_out_would_give() -> None:
    cohort = exclusive(50, 3, ties=True)
    steps = drawing(cohort, 3, seed=4)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            found = finished.value
            break
    (drawn,) = weights(50, None, 3, seed=4)
    for number, weight in enumerate(drawn):
        rows = np.repeat(np.arange(50), weight.astype(int))
        truth, assigned, given = cohort.truth[rows], cohort.assigned[rows], cohort.probabilities[rows]
        assert found.both[number].tolist() == (truth & assigned).sum(0).tolist()
        assert found.having[number].tolist() == truth.sum(0).tolist()
        assert found.brier[number] == pytest.approx(((given - truth) ** 2).mean(0), rel=1e-5)
        for index in range(3):
            expected = average_precision_score(truth[:, index], given[:, index])
            assert found.average_precision[number, index] == pytest.approx(expected, rel=1e-5)
            own = Sorted.of(truth[:, index], given[:, index]).calibration_error(np.ones(50))
            assert found.ece[number, index] == pytest.approx(own, rel=1e-4)


def test_groups_are_drawn_whole() -> None:
    groups = np.array([0, 0, 1, 2, 2, 2])
    for some in weights(6, groups, 20, seed=0):
        assert (some[:, 0] == some[:, 1]).all()
        assert (some[:, 3] == some[:, 5]).all()
        assert (some[:, [0, 2, 3]].sum(1) == 3).all()


def test_newcombe_reaches_up_to_1_if_all_pairs_are_in_order() -> None:
    low, high = intervals.newcombe(1.0, 10, 10)
    assert high == 1
    assert 0.6 < low < 0.9
    assert intervals.newcombe(1.0, 100, 100)[0] > low
    assert intervals.newcombe(0.0, 10, 10) == pytest.approx((0, 1 - low))

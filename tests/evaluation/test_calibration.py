"""Calibrated probabilities stand beside the raw ones, and are judged by images that they were not fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from cohorts import cohort_of, exclusive, several
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.calibration import calibrate, quality
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.evaluation import evaluated


def too_sure(n: int, k: int, factor: float) -> Cohort:
    """Classes drawn from known probabilities; the model says these, with logits so many times too large."""
    random = np.random.default_rng(3)
    logits = random.normal(size=(n, k)) * 1.5
    powers = np.exp(logits)
    true = (random.random((n, 1)) > np.cumsum(powers / powers.sum(1, keepdims=True), 1)).sum(1).clip(max=k - 1)
    sure = np.exp(logits * factor)
    return cohort_of(true, (sure / sure.sum(1, keepdims=True)).astype(np.float32))


def test_the_temperature_is_how_much_too_large_the_logits_were() -> None:
    cohort = too_sure(4000, 3, 3.0)
    found, tried = calibrate(cohort)
    assert found.method == "temperature"
    assert found.temperature == pytest.approx(3, rel=0.08)
    assert found.after["log_loss"] < found.before["log_loss"] - 0.1
    assert found.after["ece"] < 0.03 < found.before["ece"]
    assert tried.probabilities.sum(1) == pytest.approx(np.ones(4000))
    assert (tried.probabilities.argmax(1) == cohort.probabilities.argmax(1)).all()
    assert found.before["log_loss"] == pytest.approx(
        log_loss(cohort.truth.argmax(1), cohort.probabilities / cohort.probabilities.sum(1, keepdims=True)), abs=1e-6
    )


def test_platts_line_is_that_of_logistic_regression_on_the_same_targets() -> None:
    cohort = several(400, 2)
    found, _ = calibrate(cohort)
    assert found.method == "platt"
    given = cohort.probabilities[:, 0].clip(1e-7, 1 - 1e-7)
    odds = np.log(given / (1 - given))
    truth = cohort.truth[:, 0]
    n, m = truth.sum(), (~truth).sum()
    target = np.where(truth, (n + 1) / (n + 2), 1 / (m + 2))
    judge = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    judge.fit(np.r_[odds, odds][:, None], np.r_[np.ones(400), np.zeros(400)], np.r_[target, 1 - target])
    assert found.slopes[0] == pytest.approx(judge.coef_[0, 0], rel=1e-4)
    assert found.offsets[0] == pytest.approx(judge.intercept_[0], abs=1e-4)


def test_two_classes_of_one_number_still_add_up() -> None:
    cohort = replace(exclusive(100, 2), task="binary")
    found, tried = calibrate(cohort)
    assert found.method == "platt"
    assert tried.probabilities.sum(1) == pytest.approx(np.ones(100))


def test_saturated_and_separable_probabilities_have_finite_fits() -> None:
    given = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    for task in ("multi-class", "binary", "multi-label"):
        cohort = replace(cohort_of(np.array([0, 0, 1, 1]), given), task=task)
        found, tried = calibrate(cohort, folds=2)
        assert np.isfinite(tried.probabilities).all()
        assert all(map(np.isfinite, found.after.values()))
        assert np.isnan(found.applied(np.array([[np.nan, np.nan]]))).all()
    with pytest.raises(OptionError, match="at least two groups"):
        calibrate(replace(cohort_of(np.array([0, 0, 1, 1]), given), groups=np.zeros(4, np.intp)))


def test_calibrated_columns_are_labelled_and_raw_ones_stay() -> None:
    cohort = too_sure(100, 3, 2.0)
    found = evaluated(cohort, draws=5, calibrate=True)
    frame = found.calibrated
    assert list(frame.columns[2:]) == ["a", "b", "c", "a (calibrated)", "b (calibrated)", "c (calibrated)"]
    assert frame["b"].to_numpy() == pytest.approx(cohort.probabilities[:, 1])
    assert quality(found.calibrated_cohort or cohort) == found.calibration.after  # type: ignore[union-attr]
    assert found.metrics == evaluated(cohort, draws=5).metrics
    with pytest.raises(OptionError, match="There is no calibration"):
        _ = evaluated(cohort, draws=5).calibrated


def test_thresholds_and_calibration_are_saved(tmp_path) -> None:
    found = evaluated(too_sure(60, 3, 2.0), draws=5, rule="sensitivity=0.8", calibrate=True)
    names = {path.name for path in found.save(tmp_path / "out", figures=False)}
    assert {"thresholds.csv", "calibrated.csv"} <= names
    record = (tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8")
    assert '"rule": "sensitivity=0.8"' in record
    assert '"method": "temperature"' in record

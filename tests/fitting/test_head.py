"""Heads for own classes: fitted as scikit-learn would, calibrated, the same every time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clouds import clouds, standardised
from napari_webipred.errors import OptionError
from napari_webipred.fitting.head import STRENGTHS, Head, fit
from napari_webipred.fitting.labels import labels_of


def plain(head: Head, features: NDArray[np.float32], labels: list[str]) -> NDArray[np.float64]:
    """Return the log-odds of a plain fit by scikit-learn with the same strength, shape (n, classes)."""
    model = LogisticRegression(C=head.strength, class_weight="balanced", tol=1e-8, max_iter=10_000)
    model.fit(standardised(features), labels)
    return np.log(model.predict_proba(standardised(features)))


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_a_head_is_a_plain_logistic_regression_whose_logits_are_divided_by_a_temperature(classes: int) -> None:
    features, labels = clouds(90, classes=classes)
    del labels[5:20], labels[30:35]  # classes of different sizes
    features = features[: len(labels)]
    labels = sorted(labels)
    head = fit(features, labels)
    assert head.calibration is not None
    logits = plain(head, features, labels) / head.calibration.temperature
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(head.probabilities(features), expected, atol=2e-4)
    assert head.probabilities(features).dtype == np.float32


def test_classes_that_do_not_exclude_each_other_are_fitted_one_by_one() -> None:
    features, _ = clouds(80)
    labels = [{name for name, channel in (("a", 0), ("b", 1)) if row[channel] > 2.5} for row in features]
    head = fit(features, labels, task="multi")
    assert head.calibration is not None
    for index, name in enumerate(head.classes):
        odds = plain(head, features, [str(name in each) for each in labels])
        odds = odds[:, 1] - odds[:, 0]
        expected = head.calibration.slopes[index] * odds + head.calibration.offsets[index]
        np.testing.assert_allclose(head.logits(features)[:, index], expected, atol=2e-3)


def noise(n: int, seed: int) -> tuple[NDArray[np.float32], list[set[str]]]:
    """Return features without a meaning, and labels by chance of classes that do not exclude each other."""
    random = np.random.default_rng(seed)
    features = np.maximum(random.normal(size=(n, 40)), 0).astype(np.float32)
    return features, [{name for name in "ab" if random.random() < 0.5} for _ in range(n)]


@pytest.mark.parametrize("seed", range(6))
def test_few_labels_by_chance_never_turn_a_head_upside_down(seed: int) -> None:
    features, labels = noise(16, seed)
    head = fit(features, labels, ["a", "b"], task="multi")
    assert head.calibration is not None
    assert min(head.calibration.slopes) >= 0
    probabilities = head.probabilities(features)
    for index, name in enumerate(head.classes):
        has = np.array([name in each for each in labels])
        assert probabilities[has, index].mean() > probabilities[~has, index].mean() - 1e-6


def test_a_class_of_which_nothing_can_be_told_is_as_likely_as_it_is_common() -> None:
    """The two groups contradict each other, so that what one of them teaches is wrong for the other."""
    features, labels = noise(40, 0)
    groups = np.repeat([0, 1], 20)
    labels = [{"a"} if row % 2 else set() for row in range(40)]
    features[:, :20] = ((np.arange(40) % 2) ^ groups)[:, None] * 4
    head = fit(features, labels, task="multi", groups=groups)
    assert head.calibration is not None
    assert head.calibration.slopes == (0.0,)
    np.testing.assert_allclose(head.probabilities(features), 0.5, atol=0.05)


def test_the_same_images_give_the_same_head() -> None:
    features, labels = clouds(60)
    one, other = (fit(features, labels, seed=3) for _ in range(2))
    assert one.kernel.tobytes() == other.kernel.tobytes()
    assert one.bias.tobytes() == other.bias.tobytes()


def test_classes_have_the_order_that_was_given() -> None:
    features, labels = clouds(30)
    head = fit(features, labels, ["class 2", "class 0", "class 1"])
    assert head.classes == ("class 2", "class 0", "class 1")
    assert head.probabilities(features)[2].argmax() == 0


def test_groups_are_held_out_together_when_the_strength_is_chosen() -> None:
    """Each group has a mark of its own, by which its images would be recognised if they were not held out together."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    labels = [f"class {group % 2}" for group in groups]
    marks = random.normal(size=(30, 40)) * 3
    features = (marks[groups] + random.normal(size=(240, 40))).astype(np.float32)
    together, apart = fit(features, labels, groups=groups), fit(features, labels)
    assert together.calibration is not None
    assert apart.calibration is not None
    assert together.calibration.temperature > 2 * apart.calibration.temperature
    assert together.strength <= apart.strength


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    features, labels = clouds(300, classes=2, apart=0.3)
    rare = [row for row, label in enumerate(labels) if label == "class 0" or row % 20 == 1]
    head = fit(features[rare], [labels[row] for row in rare])
    new, truth = clouds(400, classes=2, apart=0.3, seed=1)
    found = head.probabilities(new).argmax(1)
    unweighted = make_pipeline(StandardScaler(), LogisticRegression(C=head.strength, max_iter=10_000))
    unweighted.fit(features[rare], [labels[row] for row in rare])
    has = np.array(truth) == "class 1"
    assert np.mean(found[has] == 1) > np.mean(unweighted.predict(new[has]) == "class 1") + 0.1


def test_few_images_that_are_all_right_do_not_make_it_quite_sure() -> None:
    features, labels = clouds(12, apart=3)
    head = fit(features, labels)
    assert head.probabilities(features).max() < 0.99
    assert (head.probabilities(features).argmax(1) == np.arange(12) % 3).all()


def test_one_image_of_each_class_is_enough_to_begin() -> None:
    features, labels = clouds(3, apart=3)
    head = fit(features, labels)
    assert head.calibration is None
    assert head.strength in STRENGTHS
    assert (head.probabilities(features).argmax(1) == np.arange(3)).all()


def test_a_feature_that_never_changes_counts_nothing() -> None:
    features, labels = clouds(30)
    features[:, 7] = 1e5
    features[:, 8] = 0
    head = fit(features, labels)
    assert not head.kernel[7:9].any()
    assert np.isfinite(head.kernel).all()


def test_a_channel_that_hardly_varies_in_few_images_does_not_decide_about_others() -> None:
    """Networks have channels that are mostly 0; divided by a deviation of next to nothing, they would be enormous."""
    features, labels = clouds(30, apart=2)
    features[:, 5] = 0
    features[3, 5] = 0.01
    head = fit(features, labels)
    new, truth = clouds(60, apart=2, seed=1)
    new[:, 5] = 20
    assert np.mean(np.array(head.classes)[head.probabilities(new).argmax(1)] == truth) > 0.9


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (["a"] * 4, {}, "one class only, a"),
        ([], {}, "no labels"),
        (["a", "b", "c", "a"], {"classes": ["a", "b"]}, "c is a label"),
        (["a", "b", "a", "b"], {"classes": ["a", "b", "c"]}, "No image has the label c"),
        (["a", "b", "a", "b"], {"classes": ["a", "b", "a"]}, "Several classes are called 'a'"),
        ([["a"], ["b"], ["a", "b"], ["a"]], {}, "An image has 2 labels"),
        ([["a"], ["a", "b"], ["a"], ["a"]], {"task": "multi"}, "Every image has the label a"),
        (["a", "b", "a", "b"], {"groups": ["p", "q"]}, "4 labels, but 2 groups"),
        (["a", "b", "a"], {}, r"shape \[4, 40\] for 3 labels"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels: list, options: dict, message: str) -> None:
    features, _ = clouds(4)
    with pytest.raises(OptionError, match=message) as caught:
        fit(features, labels, **options)
    assert caught.value.hint


def test_features_that_are_no_numbers_are_refused() -> None:
    features, labels = clouds(6)
    features[2, 3] = np.nan
    with pytest.raises(OptionError, match="not finite"):
        fit(features, labels)
    head = fit(*clouds(6))
    with pytest.raises(OptionError, match="takes 40"):
        head.probabilities(features[:, :7])


def test_an_image_without_a_group_is_a_group_of_its_own() -> None:
    found = labels_of(["a", "b", "a", "b"], groups=["p", "", "p", None])
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1, 0, 2]


def test_images_whose_group_is_missing_are_groups_of_their_own() -> None:
    groups = [None, "", float("nan"), np.float32("nan"), pd.NA, pd.NaT, "p", "p", "nan", "None"]
    found = labels_of(["a", "b"] * 5, groups=groups).groups
    assert found is not None
    assert found.tolist() == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8]
    numbers = labels_of(["a", "b"] * 2, groups=np.array([1.0, np.nan, np.nan, 1.0])).groups
    assert numbers is not None
    assert numbers.tolist() == [0, 1, 2, 0]

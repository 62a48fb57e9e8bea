from __future__ import annotations

import numpy as np
import pytest

from napari_webipred.card import ModelCard
from napari_webipred.errors import ActivationError, ModelError
from napari_webipred.results.probabilities import assigned, class_probabilities


def card(names="ABC", **fields) -> ModelCard:
    classes = [{"index": i, "name": name} for i, name in enumerate(names)]
    return ModelCard.model_validate({"id": "test", "name": "test", "classes": classes, **fields})


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_probabilities_of_the_model_are_passed_on_unchanged():
    given = numbers(0.1, 0.7, 0.2)
    np.testing.assert_array_equal(class_probabilities(given, card()), given)


def test_a_single_sigmoid_becomes_two_classes():
    result = class_probabilities(numbers(0.25), card("NP", task="binary"))
    np.testing.assert_array_equal(result, numbers(0.75, 0.25))


def test_logits_become_probabilities_only_where_the_card_says_so():
    logits = numbers(1000, 1001, 999)
    result = class_probabilities(logits, card(output={"activation": "softmax"}))
    np.testing.assert_allclose(result, [0.24472848, 0.66524094, 0.09003057], atol=1e-6)
    with pytest.raises(ActivationError, match="not probabilities"):
        class_probabilities(logits, card())
    np.testing.assert_array_equal(class_probabilities(logits, card(output={"activation": "none"})), logits)


def test_sigmoids_of_extreme_logits_stay_finite():
    result = class_probabilities(numbers(-200, 0, 200), card(output={"activation": "sigmoid"}, task="multi-label"))
    np.testing.assert_array_equal(result, numbers(0, 0.5, 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_never_shown_as_probabilities(bad):
    with pytest.raises(ModelError, match="not finite"):
        class_probabilities(numbers(0.5, bad, 0.5), card())


def test_the_most_probable_class_is_assigned_and_the_first_of_equals():
    assert assigned(numbers(0.2, 0.4, 0.4), card(), 0.9) == (1,)


def test_a_multi_label_model_assigns_every_class_at_or_above_its_threshold():
    labels = card(task="multi-label")
    assert assigned(numbers(0.5, 0.49, 0.9), labels, 0.5) == (0, 2)
    assert assigned(numbers(0.1, 0.1, 0.1), labels, 0.5) == ()


def test_a_threshold_on_the_card_goes_before_the_general_one():
    classes = [{"index": 0, "name": "A", "threshold": 0.8}, {"index": 1, "name": "B"}]
    labels = card(task="multi-label").model_copy(
        update={"classes": ModelCard.model_validate({"id": "x", "name": "x", "classes": classes}).classes}
    )
    assert assigned(numbers(0.79, 0.79), labels, 0.5) == (1,)

"""Which images are suggested for labelling."""

from __future__ import annotations

import numpy as np

from napari_webipred.fitting.suggestion import suggest, uncertainty


def test_what_the_head_is_unsure_of_comes_first() -> None:
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    given = np.array([[0.9, 0.1], [0.5, 0.5], [0.99, 0.01], [0.55, 0.45], [0.8, 0.2], [1, 0]], np.float32)
    labelled = np.array([False, False, False, False, False, True])
    assert set(suggest(given, features, labelled, 2).tolist()) == {1, 3}


def test_images_that_are_much_alike_are_asked_about_once() -> None:
    random = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), 10)
    features = (random.normal(size=(4, 8))[kinds] * 5 + random.normal(size=(40, 8)) * 0.01).astype(np.float32)
    given = np.full((40, 2), 0.5, np.float32)
    found = suggest(given, features, np.zeros(40, bool), 4)
    assert sorted(kinds[found]) == [0, 1, 2, 3]


def test_before_there_is_a_head_variety_decides() -> None:
    features = np.array([[0, 0], [0.1, 0], [10, 0], [10, 0.1], [5, 9]], np.float32)
    found = suggest(None, features, np.array([True, False, False, False, False]), 2)
    assert 4 in found
    assert 1 not in found


def test_labelled_images_are_never_suggested_and_nothing_more_than_there_is() -> None:
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    labelled = np.array([True, False, True, False, True])
    assert sorted(suggest(None, features, labelled, 9).tolist()) == [1, 3]
    assert not len(suggest(None, features, np.ones(5, bool), 3))
    assert not len(suggest(None, features, labelled, 0))


def test_doubt_of_classes_that_do_not_exclude_each_other_is_that_of_the_most_doubtful() -> None:
    given = np.array([[0.5, 0.99], [0.9, 0.95]], np.float32)
    np.testing.assert_allclose(uncertainty(given), [1.0, 0.2], atol=1e-6)

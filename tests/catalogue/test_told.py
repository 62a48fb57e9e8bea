from __future__ import annotations

import numpy as np
import pytest

from napari_webipred.cache import overrides
from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.imaging.standardise import standardise

CARD = ModelCard.model_validate({"id": "own", "name": "Own"})


def telling(standardize: str) -> overrides.Told:
    return overrides.tell(None, standardize, None, None)


def test_from_0_to_1_divides_by_255():
    card = overrides.apply(CARD, telling("0-1"))
    picture = np.float32([[[0, 51, 255]]])
    assert card.preprocessing is not None
    np.testing.assert_allclose(standardise(picture, card.preprocessing), [[[0, 0.2, 1]]], rtol=1e-6)


def test_what_is_told_takes_the_place_of_the_numbers_in_a_card():
    own = {"standardize_mode": "custom", "mean": [3], "std": [2]}
    card = ModelCard.model_validate({"id": "own", "name": "Own", "preprocessing": own})
    steps = overrides.apply(card, telling("0-1")).preprocessing
    assert steps is not None
    assert (steps.rescale, steps.mean, steps.std) == (1 / 255, None, None)


@pytest.mark.parametrize("mode", overrides.MODES)
def test_every_mode_that_can_be_told_is_complete(mode):
    steps = overrides.apply(CARD, telling(mode)).preprocessing
    assert steps is not None
    assert np.isfinite(standardise(np.ones((2, 2, 3), np.float32), steps)).all()


@pytest.mark.parametrize("mode", ["custom", "TF", "255"])
def test_other_modes_are_refused_with_those_there_are(mode):
    with pytest.raises(OptionError, match=rf"no standardise mode '{mode}'.*0-1, none, torch"):
        telling(mode)


def test_what_was_told_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path))
    checksum = "sha256:" + "0" * 64
    given = overrides.tell(["a", "b"], "0-1", (32, 16), "softmax")
    overrides.keep(checksum, given)
    assert overrides.recall(checksum) == given

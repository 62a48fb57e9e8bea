from __future__ import annotations

import numpy as np
import pytest

from napari_webipred.cache import overrides
from napari_webipred.card import ModelCard, Preprocessing
from napari_webipred.errors import OptionError
from napari_webipred.imaging.standardise import standardise
from napari_webipred.model_overrides import MODES, ModelOverrides

CARD = ModelCard.model_validate({"id": "own", "name": "Own"})


def scaled(standardize: str, card: ModelCard = CARD) -> Preprocessing:
    steps = ModelOverrides(standardize=standardize).applied_to(card).preprocessing
    assert steps is not None
    return steps


def test_from_0_to_1_divides_by_255():
    image = np.float32([[[0, 51, 255]]])
    np.testing.assert_allclose(standardise(image, scaled("0-1")), [[[0, 0.2, 1]]], rtol=1e-6)


def test_an_override_takes_the_place_of_the_numbers_in_a_card():
    own = {"standardize_mode": "custom", "mean": [3], "std": [2]}
    card = ModelCard.model_validate({"id": "own", "name": "Own", "preprocessing": own})
    steps = scaled("0-1", card)
    assert (steps.rescale, steps.mean, steps.std) == (1 / 255, None, None)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_complete(mode):
    assert np.isfinite(standardise(np.ones((2, 2, 3), np.float32), scaled(mode))).all()


@pytest.mark.parametrize("mode", ["custom", "TF", "255"])
def test_other_modes_are_refused_with_those_there_are(mode):
    with pytest.raises(OptionError, match=rf"no standardise mode '{mode}'.*0-1, none, torch"):
        ModelOverrides(standardize=mode)


def test_overrides_are_kept_for_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path))
    checksum = "sha256:" + "0" * 64
    given = ModelOverrides.of(["a", " b "], "0-1", [32, 16], "softmax", 1)
    overrides.save(checksum, given)
    assert overrides.load(checksum) == given == ModelOverrides(("a", "b"), "0-1", (32, 16), "softmax", "1")


def test_the_letters_of_a_text_are_no_classes():
    with pytest.raises(OptionError, match="The classes are the text 'ab'") as caught:
        ModelOverrides.of("ab")
    assert "Give a list of names" in caught.value.hint

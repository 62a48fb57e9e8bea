from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_webipred.card import Preprocessing
from napari_webipred.imaging.appearance import as_image
from napari_webipred.imaging.standardise import standardise

CUSTOM = {"rescale": 1 / 255, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
REVERSIBLE = [
    ("none", {}),
    ("torch", {}),
    ("tf", {}),
    ("caffe", {}),
    ("custom", CUSTOM),
    ("custom", {"mean": (127.0,)}),
]
WHOLE = arrays.arrays(np.uint8, (4, 5, 3))


@pytest.mark.parametrize(("mode", "numbers"), REVERSIBLE)
@given(image=WHOLE)
def test_the_image_before_standardising_comes_back(mode: str, numbers: dict[str, Any], image: np.ndarray) -> None:
    how = Preprocessing(standardize_mode=mode, **numbers)
    assert (as_image(standardise(image.astype(np.float32), how), how, "RGB") == image).all()


@pytest.mark.parametrize("mode", ["minmax", "z-score", "grayscale"])
@given(image=WHOLE)
def test_what_standardising_forgets_is_shown_from_black_to_white(mode: str, image: np.ndarray) -> None:
    how = Preprocessing(standardize_mode=mode)
    shown = as_image(standardise(image.astype(np.float32), how), how, "RGB").astype(float)
    low, high = int(image.min()), int(image.max())
    expected = (image - float(low)) * 255 / (high - low) if high > low else np.zeros(image.shape)
    assert abs(shown - expected).max() <= 1.5


def test_blue_green_red_is_shown_as_red_green_blue() -> None:
    red = np.zeros((2, 2, 3), np.float32)
    red[..., 0] = 200
    none = Preprocessing(standardize_mode="none")
    assert (as_image(red[..., ::-1], none, "BGR") == red).all()
    assert (as_image(red, none, "RGB") == red).all()


def test_one_channel_is_shown_as_grey() -> None:
    tensor = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    shown = as_image(tensor, Preprocessing(standardize_mode="none"), "L")
    assert shown.shape == (2, 3, 3)
    assert (shown == tensor).all()


@given(
    tensor=arrays.arrays(np.float32, (3, 3, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    rescale=st.floats(allow_nan=False, allow_infinity=False),
)
def test_numbers_of_a_card_that_lead_nowhere_still_give_an_image(tensor: np.ndarray, rescale: float) -> None:
    shown = as_image(tensor, Preprocessing(standardize_mode="custom", rescale=rescale), "RGB")
    assert shown.dtype == np.uint8
    assert shown.shape == tensor.shape

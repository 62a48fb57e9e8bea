from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.imaging.remarks import remark_on

BLANK = "The image is blank: all its pixels are the same."
EIGHT_BIT = (0.0, 255.0)


def textured(height: int, width: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (height, width)).astype(dtype)


def remark(pixels: np.ndarray, height: int = 32, width: int = 32, used: tuple[float, float] = EIGHT_BIT) -> str:
    return remark_on(pixels, height, width, used)


def test_there_is_nothing_to_say_of_an_ordinary_image() -> None:
    for pixels in (textured(200, 300), textured(32, 32, np.float32), np.dstack([textured(64, 64)] * 4)):
        assert remark(pixels) == ""


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("shape", [(200, 300), (200, 300, 1), (200, 300, 3), (200, 300, 4)])
@pytest.mark.parametrize("dtype", ["u1", ">u2", "f4"])
def test_a_blank_image_is_remarked_upon(value: int, shape: tuple[int, ...], dtype: str) -> None:
    assert remark(np.full(shape, value, dtype)) == BLANK


def test_an_image_of_one_colour_is_blank_and_alpha_does_not_count() -> None:
    red = np.zeros((40, 40, 4), np.uint8)
    red[..., 0] = 255
    assert remark(red) == BLANK
    red[3, 3, 3] = 9
    assert remark(red) == BLANK
    red[3, 3, 2] = 9
    assert remark(red) == ""
    grey = np.zeros((40, 40, 2), np.uint8)
    grey[3, 3, 1] = 9
    assert remark(grey) == BLANK


@settings(deadline=None, max_examples=60)
@given(height=st.integers(8, 900), width=st.integers(8, 900), data=st.data())
def test_a_single_other_pixel_makes_an_image_not_blank(height: int, width: int, data: Any) -> None:
    pixels = np.full((height, width), 1000, np.uint16)
    assert remark(pixels, used=(1000, 1001)) == BLANK
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    pixels[y, x] = data.draw(st.sampled_from([999, 1001]))
    assert remark(pixels, used=(999, 1001)) == ""


def test_an_image_outside_of_the_intensity_range_is_blank_for_the_model() -> None:
    deep = textured(64, 64, np.uint16) + np.uint16(300)
    assert remark(deep, used=(0, 4095)) == ""
    words = "The model sees a blank image: the intensity range 0 to 255 makes all its pixels the same."
    assert remark(deep, used=(0, 255)) == words
    assert "intensity range 5000 to 6000" in remark(np.dstack([deep] * 3), used=(5000, 6000))


@pytest.mark.parametrize(("shape", "small"), [((8, 8), False), ((7, 300), True), ((300, 7), True), ((8, 32), False)])
def test_an_image_of_less_than_a_quarter_of_the_input_is_far_too_small(shape: tuple[int, int], small: bool) -> None:
    words = f"The image has only {shape[1]}x{shape[0]} pixels, far fewer than the 32x32 that the model sees."
    assert remark(textured(*shape)) == (words if small else "")


def test_a_single_pixel_is_told_as_such() -> None:
    for shape in ((1, 1), (1, 1, 3)):
        assert remark(np.zeros(shape, np.uint8)) == "The image is a single pixel."


def test_all_there_is_to_say_is_said() -> None:
    assert remark(np.zeros((3, 3))).startswith(f"{BLANK} The image has only 3x3 pixels")


def test_the_image_is_not_changed_and_may_be_a_view() -> None:
    pixels = np.zeros((300, 300, 4), np.uint8)
    pixels.flags.writeable = False
    assert remark(pixels.transpose(1, 0, 2)[::-1, ::2, :3]) == BLANK

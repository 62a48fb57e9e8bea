from __future__ import annotations

import hashlib
import json
import runpy
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from napari_webipred.card import Input, Preprocessing
from napari_webipred.errors import ImageError, OptionError, WebIPredError
from napari_webipred.imaging import preprocess

GOLDENS = json.loads((Path(__file__).parents[1] / "goldens" / "preprocess.json").read_text())["cases"]
MODES = ["torch", "tf", "caffe", "minmax", "z-score", "grayscale", "none"]


def image(height: int, width: int, channels: int) -> np.ndarray:
    """An image with slopes, edges and texture, made of whole numbers only. The goldens are made from it."""
    y, x, c = np.ogrid[0:height, 0:width, 0:channels]
    slope = 3 * x + 2 * y + 40 * c
    texture = (x * y + 5 * c) % 31 * 4 + ((x ^ (y + c)) & 15) * 9
    return ((slope + texture + 90 * ((x // 7 + y // 5) % 2)) % 256).astype(np.uint8)


def how(mode: str = "none", **more: Any) -> Preprocessing:
    return Preprocessing(standardize_mode=mode, **more)


def prepare(
    pixels: np.ndarray,
    height: int,
    width: int,
    channels: int,
    preprocessing: Preprocessing,
    channel_order: Any = "RGB",
    intensity: Any = "auto",
) -> tuple[np.ndarray, tuple[float, float]]:
    target = Input(width=width, height=height, channels=channels, channel_order=channel_order)
    return preprocess.prepare(pixels, target, preprocessing, intensity)


def tensor(pixels: np.ndarray, preprocessing: Preprocessing | None = None, size: int = 8, **more: Any) -> np.ndarray:
    return prepare(pixels, size, size, more.pop("channels", 3), preprocessing or how(), **more)[0]


def grey_levels(pixels: np.ndarray, intensity: Any = "auto") -> tuple[np.ndarray, tuple[float, float]]:
    """The plane in its own size, scaled to 0..255, and the range that was used."""
    result, used = prepare(pixels, *pixels.shape[:2], 1, how(resize_mode="none"), intensity=intensity)
    return result[..., 0], used


def sha256(array: np.ndarray) -> str:
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    return hashlib.sha256(array.tobytes()).hexdigest()


# Resizing and standardising as in the browser


@pytest.mark.parametrize("case", GOLDENS, ids=lambda case: case["name"])
def test_the_tensor_equals_that_of_opencv_js_bit_for_bit(case: dict[str, Any]) -> None:
    pixels = image(case["height"], case["width"], case["channels"])
    size = case["target_height"], case["target_width"], 3
    assert sha256(prepare(pixels, *size, how("none"))[0]) == case["sha256_resized"]
    assert sha256(prepare(pixels, *size, how("torch"))[0]) == case["sha256_standardised"]


@pytest.mark.parametrize("case", GOLDENS, ids=lambda case: case["name"])
def test_resizing_whole_numbers_equals_opencv_bit_for_bit(case: dict[str, Any]) -> None:
    pixels = image(case["height"], case["width"], case["channels"])
    levels, _ = prepare(pixels, case["target_height"], case["target_width"], 3, how("none", profile="aucmedi"))
    whole = levels.astype(np.uint8)
    np.testing.assert_array_equal(levels, whole)
    assert hashlib.sha256(whole.tobytes()).hexdigest() == case["sha256_eight_bit"]


def test_the_goldens_cover_what_images_are_like() -> None:
    shapes = [((c["height"], c["width"]), (c["target_height"], c["target_width"]), c["channels"]) for c in GOLDENS]
    for channels in (1, 3, 4):
        some = [(shape, target) for shape, target, count in shapes if count == channels]
        assert any(shape == (1, 1) for shape, _ in some)
        assert any(shape > target and shape[0] % 2 and shape[1] % 2 for shape, target in some)
        assert any(shape[0] < target[0] and shape[1] < target[1] and shape > (1, 1) for shape, target in some)
        assert any(shape == (2 * target[0], 2 * target[1]) for shape, target in some)


def test_the_tensor_equals_that_of_webipred_for_the_shared_images(shared_models: Path, shared_oracle: Path) -> None:
    make = runpy.run_path(str(shared_models / "pictures.py"))["picture"]
    cases = json.loads((shared_oracle / "preprocess.json").read_text())
    assert len(cases) == 15
    for case in cases:
        pixels = make(case["picture"], case["height"], case["width"], 3)
        size = case["target_height"], case["target_width"], 3
        assert sha256(prepare(pixels, *size, how("none"))[0]) == case["sha256_resized"], case
        assert sha256(prepare(pixels, *size, how("torch"))[0]) == case["sha256_standardised"], case


@pytest.mark.parametrize("mode", MODES)
def test_grey_gives_the_same_bits_as_grey_written_as_rgb(mode: str) -> None:
    grey = image(57, 91, 1)[..., 0]
    expected = tensor(np.repeat(grey[..., None], 3, axis=2), how(mode), 33)
    np.testing.assert_array_equal(tensor(grey, how(mode), 33), expected)
    np.testing.assert_array_equal(tensor(grey[..., None], how(mode), 33), expected)


@pytest.mark.parametrize("intensity", ["auto", "dtype", (3, 200)])
def test_alpha_is_dropped_and_has_no_part_in_the_range(intensity: Any) -> None:
    rgba = image(40, 50, 4).astype(np.uint16)
    rgba[..., 3] = 60000
    plain, plain_range = prepare(rgba[..., :3].copy(), 8, 8, 3, how(), intensity=intensity)
    result, used = prepare(rgba, 8, 8, 3, how(), intensity=intensity)
    np.testing.assert_array_equal(result, plain)
    assert used == plain_range
    grey, grey_range = prepare(rgba[..., [0, 3]], 8, 8, 1, how(), intensity=intensity)
    np.testing.assert_array_equal(grey, prepare(rgba[..., 0], 8, 8, 1, how(), intensity=intensity)[0])
    assert grey_range == prepare(rgba[..., 0], 8, 8, 1, how(), intensity=intensity)[1]


@pytest.mark.parametrize("view", [np.s_[::-1, ::2], np.s_[:, ::-1, ::-1], np.s_[3:, 5:, 1:]])
def test_views_and_other_byte_orders_give_the_same_tensor(view: Any) -> None:
    seen = image(40, 50, 4)[view]
    np.testing.assert_array_equal(tensor(seen), tensor(np.ascontiguousarray(seen)))
    deep = seen.astype(np.uint16)
    np.testing.assert_array_equal(tensor(deep.astype(">u2")), tensor(deep))
    np.testing.assert_array_equal(tensor(np.asfortranarray(deep)), tensor(deep))


def test_the_image_is_not_changed() -> None:
    for pixels in (image(20, 30, 3), image(20, 30, 3).astype(np.float32)):
        before = pixels.copy()
        for mode in MODES:
            tensor(pixels, how(mode), 20)
        np.testing.assert_array_equal(pixels, before)
        pixels.flags.writeable = False
        tensor(pixels, how("z-score"))


def test_threads_get_the_same_tensors() -> None:
    images = [image(90 + i, 120 - i, 3) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda p: tensor(p, how("torch"), 64), images))
    for result, pixels in zip(together, images, strict=True):
        np.testing.assert_array_equal(result, tensor(pixels, how("torch"), 64))


@pytest.mark.parametrize("shape", [(1, 20_000_000), (3, 7_000_000, 3), (3000, 3000, 3), (20_000_000, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_preparing_takes_little_memory_whatever_the_shape(shape: tuple[int, ...], dtype: Any) -> None:
    pixels = np.zeros(shape, dtype)
    pixels[0, 0] = 9
    tensor(pixels[:9, :9], how("torch"), 224)
    tracemalloc.start()
    tensor(pixels, how("torch"), 224)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20


# Resize modes


def test_padding_repeats_the_edges_and_puts_the_odd_pixel_behind() -> None:
    pixels = image(7, 12, 3)
    padded = np.pad(pixels, ((2, 3), (0, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(tensor(pixels, how(resize_mode="pad"), 9), tensor(padded, size=9))
    np.testing.assert_array_equal(
        tensor(pixels.transpose(1, 0, 2), how(resize_mode="pad"), 9), tensor(padded.transpose(1, 0, 2), size=9)
    )


def test_cropping_takes_the_centred_square() -> None:
    pixels = image(30, 47, 3)
    np.testing.assert_array_equal(tensor(pixels, how(resize_mode="center-crop")), tensor(pixels[:, 8:38]))
    np.testing.assert_array_equal(
        tensor(pixels, how(resize_mode="center-crop", crop_pct=0.8)), tensor(pixels[3:27, 11:35])
    )


def test_cropping_keeps_the_aspect_ratio_of_the_model_input() -> None:
    pixels = image(60, 60, 3)
    cropped, _ = prepare(pixels, 10, 20, 3, how(resize_mode="center-crop"))
    np.testing.assert_array_equal(cropped, prepare(pixels[15:45], 10, 20, 3, how())[0])


def test_a_tiny_crop_still_has_a_pixel() -> None:
    result = tensor(image(5, 5, 3), how(resize_mode="center-crop", crop_pct=0.001))
    np.testing.assert_array_equal(result, np.broadcast_to(image(5, 5, 3)[2, 2].astype(np.float32), (8, 8, 3)))


def test_without_resizing_only_the_right_size_is_taken() -> None:
    right = image(8, 8, 3)
    np.testing.assert_array_equal(tensor(right, how(resize_mode="none", interpolation="nearest")), right)
    with pytest.raises(ImageError, match="9x8 pixels, but the model takes 8x8"):
        tensor(image(8, 9, 3), how(resize_mode="none"))


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic", "area", "lanczos"])
def test_an_interpolation_that_is_not_checked_is_refused(interpolation: str) -> None:
    with pytest.raises(OptionError, match=f"{interpolation}.*not supported yet"):
        tensor(image(9, 9, 3), how(interpolation=interpolation))


# Profiles


def test_the_profile_of_the_browser_is_the_default() -> None:
    pixels = image(53, 41, 3)
    np.testing.assert_array_equal(tensor(pixels), tensor(pixels, how(profile="webipred")))
    difference = np.abs(tensor(pixels) - tensor(pixels, how(profile="aucmedi")))
    assert 0 < difference.max() < 1


@pytest.mark.parametrize("mode", MODES)
def test_the_aucmedi_profile_standardises_whole_numbers(mode: str) -> None:
    pixels = image(53, 41, 3)
    levels = tensor(pixels, how("none", profile="aucmedi"), 24)
    np.testing.assert_array_equal(tensor(pixels, how(mode, profile="aucmedi"), 24), reference(levels, mode))


def test_the_aucmedi_profile_pads_to_a_square() -> None:
    pixels = image(7, 12, 3)
    padded = np.pad(pixels, ((2, 3), (0, 0), (0, 0)), mode="edge")
    for size in (5, 6, 9):  # 6: the padded square is halved
        squared = tensor(pixels, how(profile="aucmedi", resize_mode="pad"), size)
        np.testing.assert_array_equal(squared, tensor(padded, how(profile="aucmedi"), size))


def test_the_aucmedi_profile_rounds_deep_images_half_to_even_before_resizing() -> None:
    deep = np.array([[0, 1, 3, 5, 509, 510]], np.uint16)
    levels, _ = prepare(deep, 1, 6, 1, how(profile="aucmedi"), intensity=(0, 510))
    np.testing.assert_array_equal(levels[0, :, 0], [0, 0, 2, 2, 254, 255])
    pixels = image(53, 41, 3)
    fine = pixels.astype(np.float64) / 255 + 0.3 / 255 * (pixels < 200)
    np.testing.assert_array_equal(
        tensor(fine, how(profile="aucmedi"), intensity=(0, 1)), tensor(pixels, how(profile="aucmedi"))
    )


@pytest.mark.parametrize("more", [{"channels": 1}, {"channel_order": "L"}, {"channels": 1, "channel_order": "L"}])
def test_the_aucmedi_profile_makes_grey_as_pillow_does_before_resizing(more: dict[str, Any]) -> None:
    pixels = image(53, 41, 4)
    grey = np.asarray(Image.fromarray(pixels[..., :3]).convert("L"))
    np.testing.assert_array_equal(
        tensor(pixels, how(profile="aucmedi"), **more), tensor(grey, how(profile="aucmedi"), **more)
    )


def test_the_teachable_machine_profile_takes_the_centred_square_from_minus_1_to_1() -> None:
    pixels = image(30, 47, 3)
    profile = Preprocessing.model_validate({"profile": "teachable-machine"})
    result = tensor(pixels, profile, 12)
    np.testing.assert_allclose(result, tensor(pixels[:, 8:38], size=12) / np.float32(127) - 1, rtol=0, atol=2e-7)
    levels = np.array([[0, 127, 254]], np.uint8).repeat(3, axis=0)
    np.testing.assert_array_equal(prepare(levels, 3, 3, 3, profile)[0][0, :, 0], [-1, 0, 1])


def test_the_teachable_machine_profile_weighs_colours_with_its_own_numbers() -> None:
    profile = Preprocessing.model_validate({"profile": "teachable-machine"})
    pixels = image(8, 8, 3)
    expected = pixels.astype(np.float64) @ [0.2989, 0.587, 0.114] / 127 - 1
    np.testing.assert_allclose(tensor(pixels, profile, channels=1)[..., 0], expected, rtol=0, atol=3e-7)
    white = tensor(np.full((8, 8, 3), 255, np.uint8), profile, channels=1)
    np.testing.assert_allclose(white, 255 * 0.9999 / 127 - 1, rtol=0, atol=3e-7)


# Channels


def test_rgb_becomes_grey_by_luma_without_rounding() -> None:
    pixels = image(8, 8, 3)
    expected = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    for grey in (tensor(pixels, channels=1), tensor(pixels, channels=1, channel_order="L")):
        assert grey.shape == (8, 8, 1)
        np.testing.assert_allclose(grey[..., 0], expected, rtol=0, atol=3e-5)
        assert (grey != np.rint(grey)).any()
    repeated = tensor(pixels, channel_order="L")
    assert repeated.shape == (8, 8, 3)
    np.testing.assert_array_equal(repeated, np.repeat(tensor(pixels, channels=1), 3, axis=2))


def test_bgr_models_get_their_channels_reversed_once() -> None:
    pixels = image(8, 8, 3)
    np.testing.assert_array_equal(tensor(pixels, channel_order="BGR"), pixels[..., ::-1])
    custom = how("custom", mean=(1, 2, 3), std=(1, 2, 4))
    expected = (pixels[..., ::-1].astype(np.float32) - np.float32([1, 2, 3])) / np.float32([1, 2, 4])
    np.testing.assert_array_equal(tensor(pixels, custom, channel_order="BGR"), expected)
    caffe = tensor(pixels, how("caffe"), channel_order="BGR")
    np.testing.assert_array_equal(caffe, tensor(pixels, how("caffe"), channel_order="RGB"))


def test_a_model_with_other_channels_is_refused() -> None:
    with pytest.raises(ImageError, match="4 channels"):
        tensor(image(8, 8, 4), channels=4)


@pytest.mark.parametrize("shape", [(8,), (8, 8, 5), (8, 8, 0), (0, 8), (8, 0, 3), (2, 8, 8, 3), ()])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"shape|empty"):
        tensor(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.complex64, object, "U3", "M8[s]", "m8[s]", [("r", "u1"), ("g", "u1")]])
def test_pixels_without_an_intensity_are_refused(dtype: Any) -> None:
    with pytest.raises(ImageError, match="have no intensity"):
        tensor(np.zeros((8, 8), dtype))


# Standardising


def reference(x: np.ndarray, mode: str) -> np.ndarray:
    """The modes of AUCMEDI, written down a second time and pixel by pixel of the plainest kind."""
    e = 1e-6
    one, wide = np.float32, x.astype(np.float64)
    if mode == "torch":
        mean, std = np.array([0.485, 0.456, 0.406], one), np.array([0.229, 0.224, 0.225], one)
        return (x / one(255) - mean) / std
    if mode == "tf":
        return x / one(127.5) - one(1)
    if mode == "caffe":
        blue, green, red = x[..., 2] - one(103.939), x[..., 1] - one(116.779), x[..., 0] - one(123.68)
        return np.stack([blue, green, red], axis=-1)
    if mode == "z-score":
        return one((wide - np.mean(wide) + e) / (np.std(wide) + e))
    unit = (wide - np.min(wide) + e) / (np.max(wide) - np.min(wide) + e)
    if mode == "grayscale":
        return one(np.round(255 * unit))
    return {"minmax": one(unit), "none": x}[mode]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [5, 40, 224])
def test_each_standardise_mode_equals_its_formula_bit_for_bit(mode: str, size: int) -> None:
    pixels = image(53, 41, 3)
    result = tensor(pixels, how(mode), size)
    np.testing.assert_array_equal(result, reference(tensor(pixels, how("none"), size), mode))
    assert result.dtype == np.float32


@pytest.mark.parametrize("mode", ["tf", "minmax", "z-score", "grayscale", "none"])
def test_modes_without_colours_work_for_grey_models(mode: str) -> None:
    pixels = image(53, 41, 1)[..., 0]
    result = tensor(pixels, how(mode), channels=1)
    np.testing.assert_array_equal(result, reference(tensor(pixels, channels=1), mode))


@pytest.mark.parametrize("mode", ["torch", "caffe"])
def test_modes_for_colours_are_refused_for_grey_models(mode: str) -> None:
    with pytest.raises(OptionError, match=f"{mode} has 3 values for mean, but the model takes 1 channel"):
        tensor(image(8, 8, 1), how(mode), channels=1)


def test_custom_rescales_then_centres_then_scales() -> None:
    x = image(8, 8, 3).astype(np.float32)
    result = tensor(image(8, 8, 3), how("custom", rescale=1 / 127, mean=(1,), std=(0.5,)))
    np.testing.assert_array_equal(result, (x * np.float32(1 / 127) - np.float32(1)) / np.float32(0.5))
    np.testing.assert_array_equal(tensor(image(8, 8, 3), how("custom", rescale=0.5)), x / 2)
    np.testing.assert_array_equal(tensor(image(8, 8, 3), how("custom", std=(2, 4, 8))), x / np.float32([2, 4, 8]))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({}, "neither rescale nor mean nor std"),
        ({"mean": (1, 2)}, "2 values for mean"),
        ({"std": (1, 2, 3, 4)}, "4 values for std"),
        ({"mean": ()}, "0 values for mean"),
        ({"rescale": 1e300}, "finite"),
        ({"rescale": float("nan")}, "finite"),
        ({"std": (1e-60,)}, "finite"),
    ],
)
def test_custom_without_usable_numbers_is_refused(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        tensor(image(8, 8, 3), how("custom", **numbers))


# Intensities


def test_8_bit_values_are_taken_as_they_are() -> None:
    for plane in (np.arange(256, dtype=np.uint8).reshape(16, 16), np.full((4, 4), 7, np.uint8)):
        for intensity in ("auto", "dtype", (0, 255)):
            levels, used = grey_levels(plane, intensity)
            np.testing.assert_array_equal(levels, plane)
            assert used == (0, 255)
    wide, _ = grey_levels(np.arange(256, dtype=np.uint16).reshape(16, 16), (0, 255))
    np.testing.assert_array_equal(wide, np.arange(256).reshape(16, 16))


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        (np.array([[100, 4000]], np.uint16), (100, 4000)),
        (np.array([[-5, 5]], np.int8), (-5, 5)),
        (np.array([[-(2**40), 2**40]], np.int64), (-(2.0**40), 2.0**40)),
        (np.array([[False, True]]), (0, 1)),
        (np.array([[0.25, 0.5]], np.float32), (0, 1)),
        (np.array([[0.25, 1.5]], np.float64), (0.25, 1.5)),
        (np.array([[-0.25, 0.5]], np.float16), (-0.25, 0.5)),
        (np.full((2, 2), 1000, np.uint16), (1000, 1001)),
        (np.full((2, 2), 3.5), (3.5, 4.5)),
        (np.full((2, 2), 2**60, np.int64), (2.0**60, 2.0**60 + 256)),
    ],
)
def test_auto_finds_the_range_of_the_plane(plane: np.ndarray, expected: tuple[float, float]) -> None:
    levels, used = grey_levels(plane)
    assert used == expected
    assert levels.min() >= 0
    assert levels.max() <= 255
    again, _ = grey_levels(plane, used)
    np.testing.assert_array_equal(again, levels)


def test_a_flat_deep_plane_is_black() -> None:
    np.testing.assert_array_equal(grey_levels(np.full((3, 3), 1000, np.uint16))[0], 0)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("u1", (0, 255)), ("i2", (-32768, 32767)), (">u2", (0, 65535)), ("f4", (0, 1)), ("?", (0, 1))],
)
def test_dtype_takes_all_that_the_type_can_hold(dtype: str, expected: tuple[float, float]) -> None:
    assert grey_levels(np.zeros((2, 2), dtype), "dtype")[1] == expected


def test_a_given_range_is_linear_and_clips() -> None:
    plane = np.array([[0, 100, 150, 200, 65535]], np.uint16)
    levels, used = grey_levels(plane, (100, 200))
    assert used == (100, 200)
    np.testing.assert_array_equal(levels, np.float32([[0, 0, 127.5, 255, 255]]))
    levels, _ = grey_levels(np.array([[-1e300, 0.0, 1e300]]), (-1, 1))
    np.testing.assert_array_equal(levels, np.float32([[0, 127.5, 255]]))
    levels, _ = grey_levels(np.array([[50, 75, 250]], np.uint8), (50, 100))
    np.testing.assert_array_equal(levels, np.float32([[0, 127.5, 255]]))


@pytest.mark.parametrize(
    "intensity",
    [(5, 5), (7, 3), (0, np.nan), (-np.inf, 0), (0, 1e308), (0,), (0, 1, 2), "12", "full", 5, None, ("a", "b")],
)
def test_a_range_that_is_none_is_refused(intensity: Any) -> None:
    with pytest.raises(OptionError, match="intensity range"):
        grey_levels(np.zeros((2, 2), np.uint8), intensity)


@pytest.mark.parametrize("intensity", ["auto", "dtype", (0, 1)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", ">f4"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, r"1 of 2500 values of the image are not numbers \(NaN\)"),
        (np.inf, "1 of 2500 values of the image are inf"),
    ],
)
def test_what_is_no_finite_number_is_refused_wherever_it_lies(
    intensity: Any, dtype: str, value: float, words: str
) -> None:
    for where in ((1, 1), (0, 0), (49, 49)):
        plane = np.zeros((50, 50), dtype)
        plane[where] = value
        with pytest.raises(ImageError, match=words):
            tensor(plane, intensity=intensity)
        plane[where] = -value
        with pytest.raises(ImageError, match=words):
            tensor(plane, intensity=intensity)


def test_what_is_no_number_in_alpha_does_not_matter() -> None:
    pixels = image(40, 50, 4).astype(np.float32)
    expected = tensor(pixels)
    pixels[3, 3, 3], pixels[4, 4, 3] = np.nan, np.inf
    np.testing.assert_array_equal(tensor(pixels), expected)


def test_intensities_that_cannot_be_computed_with_are_refused() -> None:
    with pytest.raises(ImageError, match="4 of 4 values of the image are infinite"):
        grey_levels(np.full((2, 2), np.inf))
    with pytest.raises(ImageError, match="too far"):
        grey_levels(np.array([[-1.7e308, 1.7e308]]))


DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?"),
    arrays.complex_number_dtypes(),
)
RANGES = st.one_of(
    st.sampled_from(["auto", "dtype"]), st.tuples(st.floats(), st.floats()), st.tuples(st.integers(), st.integers())
)


@settings(deadline=None, max_examples=300)
@given(
    pixels=arrays.arrays(DTYPES, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)),
    mode=st.sampled_from(MODES),
    resize=st.sampled_from(["stretch", "center-crop", "pad", "none"]),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    channels=st.sampled_from([1, 3]),
    order=st.sampled_from(["RGB", "BGR", "L"]),
    intensity=RANGES,
    profile=st.sampled_from(["webipred", "aucmedi", "teachable-machine"]),
)
def test_any_array_gives_a_finite_tensor_or_an_explanation(
    pixels: np.ndarray,
    mode: str,
    resize: str,
    size: tuple[int, int],
    channels: int,
    order: str,
    intensity: Any,
    profile: str,
) -> None:
    preprocessing = how(mode, resize_mode=resize, profile=profile)
    try:
        result, (low, high) = prepare(pixels, *size, channels, preprocessing, order, intensity)
    except WebIPredError:
        return
    assert result.shape == (*size, channels)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    assert np.isfinite(result).all()
    assert low < high

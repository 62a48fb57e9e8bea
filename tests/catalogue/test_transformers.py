from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.card import Input, Preprocessing
from napari_webipred.catalogue import transformers
from napari_webipred.imaging.preprocess import prepare

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NORMALISED = {"do_rescale": True, "do_normalize": True, "image_mean": MEAN, "image_std": STD}
STRETCHED = {"size": {"height": 224, "width": 224}}


def preprocessing_of(
    preprocessor: dict[str, Any] | None, config: dict[str, Any]
) -> tuple[Preprocessing | None, Input | None, tuple[str, ...]]:
    said = transformers.describe(preprocessor, config)
    return said.preprocessing, said.input, said.provenance.assumed


@pytest.mark.parametrize(
    ("geometry", "crop_pct", "size"),
    [
        ({"size": {"height": 224, "width": 192}}, None, (192, 224)),
        ({"size": 224, "feature_extractor_type": "ViTFeatureExtractor"}, None, (224, 224)),
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224}, 0.875, (224, 224)),
        ({"size": 256, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}}, 0.875, (224, 224)),
        ({"size": {"shortest_edge": 224}, "image_processor_type": "ConvNextImageProcessor"}, 0.875, (224, 224)),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.95}, 224 / 235, (224, 224)),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, None, (384, 384)),
        (
            {"size": 224, "do_center_crop": True, "crop_size": 224, "feature_extractor_type": "LevitFeatureExtractor"},
            0.875,
            (224, 224),
        ),
    ],
)
def test_known_ways_to_size_are_followed(
    geometry: dict[str, Any], crop_pct: float | None, size: tuple[int, int]
) -> None:
    steps, wanted, notes = preprocessing_of({**NORMALISED, **geometry}, {})
    assert steps is not None
    assert wanted is not None
    assert (wanted.width, wanted.height) == size
    assert steps.resize_mode == ("center-crop" if crop_pct else "stretch")
    assert steps.crop_pct == pytest.approx(crop_pct or 1)
    assert len(notes) == 1
    assert "Pillow" in notes[0]


@pytest.mark.parametrize(
    "geometry",
    [
        {"size": {"height": 256, "width": 256}, "do_center_crop": True, "crop_size": 224},
        {"size": {"shortest_edge": 256}},
        {"size": {"shortest_edge": 800, "longest_edge": 1333}},
        {"size": {"shortest_edge": 200}, "do_center_crop": True, "crop_size": 224},
        {"size": 224, "do_center_crop": True, "crop_size": 224, "crop_pct": 0.9},
        {"size": 256, "do_center_crop": True, "crop_size": 224, "feature_extractor_type": "DeiTFeatureExtractor"},
        {"size": {"shortest_edge": 256}, "do_resize": False, "do_center_crop": True, "crop_size": 224},
        {"size": {"shortest_edge": 224}, "crop_pct": 1e-320},
        {"size": 224},
        {},
    ],
)
def test_other_ways_to_size_are_noted(geometry: dict[str, Any]) -> None:
    steps, _, notes = preprocessing_of({**NORMALISED, **geometry}, {})
    assert steps is not None
    assert steps.resize_mode == "stretch"
    assert any("so they are stretched" in note for note in notes)


def test_images_that_are_not_resized_stay_as_they_are() -> None:
    steps, _, notes = preprocessing_of({**NORMALISED, "do_resize": False}, {})
    assert steps is not None
    assert steps.resize_mode == "none"
    assert notes == ()


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (NORMALISED, lambda x: (x / 255 - np.array(MEAN)) / np.array(STD)),
        ({**NORMALISED, "rescale_factor": 0.5}, lambda x: (x * 0.5 - np.array(MEAN)) / np.array(STD)),
        ({**NORMALISED, "do_rescale": False}, lambda x: (x - np.array(MEAN)) / np.array(STD)),
        ({"do_rescale": True, "do_normalize": False}, lambda x: x / 255),
        ({"do_rescale": False, "do_normalize": False}, lambda x: x),
        ({**NORMALISED, "image_mean": 0.5, "image_std": 0.5}, lambda x: x / 127.5 - 1),
        (
            {**NORMALISED, "do_flip_channel_order": True},
            lambda x: (x[..., ::-1] / 255 - np.array(MEAN)) / np.array(STD),
        ),
    ],
)
def test_pixels_become_what_the_settings_say(scale: dict[str, Any], expected: Any) -> None:
    steps, wanted, _ = preprocessing_of({**scale, "size": {"height": 4, "width": 4}}, {})
    assert steps is not None
    assert wanted is not None
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    got, _ = prepare(image, wanted, steps)
    np.testing.assert_allclose(got, expected(image.astype(np.float64)), rtol=1e-5, atol=1e-5)


def test_a_scale_that_is_left_out_is_assumed_aloud() -> None:
    steps, _, notes = preprocessing_of({**STRETCHED, "image_mean": MEAN, "image_std": STD}, {})
    assert steps is not None
    assert steps.rescale == 1 / 255
    assert any("does not say whether pixel values are rescaled" in note for note in notes)


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ({}, "does not give the mean"),
        ({"do_normalize": True}, "does not give the mean"),
        ({**NORMALISED, "image_std": [0, 1, 1]}, "does not give the mean"),
        ({**NORMALISED, "image_mean": [0.1, 0.2]}, "does not give the mean"),
        ({**NORMALISED, "rescale_offset": True}, "asks for rescale_offset"),
        ({**NORMALISED, "do_pad": True, "include_top": True}, "asks for do_pad, include_top"),
        ({**NORMALISED, "rescale_factor": "1/255"}, "no valid rescale_factor"),
    ],
)
def test_what_cannot_be_expressed_is_asked_for(scale: dict[str, Any], words: str) -> None:
    steps, size, notes = preprocessing_of({**STRETCHED, **scale}, {})
    assert steps is None
    assert size is not None
    assert any(words in note for note in notes)


def test_the_settings_of_timm_are_understood() -> None:
    timm = {"input_size": [3, 224, 224], "crop_pct": 0.95, "interpolation": "bicubic", "mean": MEAN, "std": STD}
    steps, size, notes = preprocessing_of(None, {"pretrained_cfg": timm})
    assert steps is not None
    assert size is not None
    assert (steps.resize_mode, steps.rescale, size.width) == ("center-crop", 1 / 255, 224)
    assert steps.crop_pct == pytest.approx(224 / 235)
    assert "bicubic" in notes[0]
    assert preprocessing_of(None, {"pretrained_cfg": {**timm, "mean": None}})[0] is None
    assert any(
        "unsupported way" in note for note in preprocessing_of(None, {"pretrained_cfg": {**timm, "crop_mode": "b"}})[2]
    )


def test_a_repository_that_says_nothing_is_asked_about() -> None:
    assert preprocessing_of(None, {}) == (None, None, ())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["height", "width", "shortest_edge", "longest_edge"]), inner)
    ),
    max_leaves=5,
)
keys = ["size", "crop_size", "crop_pct", "do_resize", "do_center_crop", "do_rescale", "rescale_factor", "image_mean"]
keys += ["image_std", "do_normalize", "resample", "image_processor_type", "do_flip_channel_order", "input_size", "mean"]
keys += ["std", "crop_mode", "interpolation"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(keys), anything))
def test_settings_may_hold_anything(document: dict[str, Any]) -> None:
    for steps, _, notes in (
        preprocessing_of({**NORMALISED, **document}, {}),
        preprocessing_of(None, {"pretrained_cfg": {"mean": MEAN, "std": STD, **document}}),
    ):
        assert steps is not None or notes


def test_the_settings_of_the_first_vision_transformers_are_understood() -> None:
    # Older repositories name no processor, and a size of one number.
    old = {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 224}
    steps, size, notes = preprocessing_of(old, {"model_type": "vit"})
    assert steps is not None
    assert size is not None
    assert (steps.resize_mode, size.width, size.height) == ("stretch", 224, 224)
    assert ["rescaled" in note or "Pillow" in note for note in notes] == [True, True]

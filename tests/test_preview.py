from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_webipred import engine
from napari_webipred.card import ModelCard
from napari_webipred.execution.plane import Plane, ranged
from napari_webipred.execution.preview import preview
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.region import Region
from napari_webipred.options import Options

RANDOM = np.random.default_rng(0)
MODES = ["none", "torch", "tf", "caffe", "minmax", "z-score", "grayscale", "custom"]


def card(mode: str = "none", channels: int = 3, order: str = "RGB", **preprocessing: Any) -> ModelCard:
    return ModelCard.model_validate(
        {
            "id": "test",
            "name": "Test",
            "classes": [{"index": 0, "name": "a"}, {"index": 1, "name": "b"}],
            "input": {"width": 9, "height": 7, "channels": channels, "channel_order": order},
            "preprocessing": {
                "standardize_mode": mode,
                **({"mean": (3.0,), "std": (7.0,)} if mode == "custom" else {}),
                **preprocessing,
            },
        }
    )


class Listening:
    """A model that keeps what it has to predict."""

    needs_activation = False

    def __init__(self, model_card: ModelCard) -> None:
        self.card = model_card
        self.classes = model_card.class_names
        self.batches: list[np.ndarray] = []

    def session(self, threads: int) -> Listening:
        return self

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch.copy())
        return np.array([[0.25, 0.75]], np.float32)


def stack(dtype: str, colours: bool = False) -> np.ndarray:
    shape = (3, 20, 26, 3) if colours else (3, 20, 26)
    if dtype == "bool":
        return RANDOM.random(shape) > 0.5
    if dtype.startswith("float"):
        return (RANDOM.random(shape) * 50 - 20).astype(dtype)
    information = np.iinfo(dtype)
    return RANDOM.integers(information.min, information.max, shape, dtype, endpoint=True)


def same_as_predicted(data: np.ndarray, model_card: ModelCard, options: Options, region: Region | None = None) -> None:
    source = array_source(data, "stack")
    if region is not None:
        source = engine.find_sources([source])[0][0]
        from msgspec.structs import replace

        source = replace(source, regions=(region,))
    model = Listening(model_card)
    rows = [e.row for e in engine.classify(model, source, options) if isinstance(e, engine.RowDone)]
    assert [row.error for row in rows] == [""] * 3
    assert len(model.batches) == 3
    predicted = {batch.tobytes() for batch in model.batches}
    known = ranged(source) if options.intensity == "stack" else source
    shown = [preview(Plane(0, known, index, part), model_card, options) for index, part in source.parts()]
    assert {each.tensor[None].tobytes() for each in shown} == predicted
    assert [each.intensity_range for each in shown] == [row.intensity_range for row in rows]


@pytest.mark.parametrize("profile", [None, "webipred", "aucmedi", "teachable-machine"])
@pytest.mark.parametrize("mode", MODES)
def test_the_tensor_that_is_shown_is_the_one_that_is_predicted(mode: str, profile: Any) -> None:
    same_as_predicted(stack("uint8", colours=True), card(mode), Options(profile=profile))


@pytest.mark.parametrize("intensity", ["auto", "dtype", "plane", "stack", "percentiles", (3.0, 40.0)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint64", "float32", "float64", "bool"])
def test_it_is_so_for_all_types_and_ranges(dtype: str, intensity: Any) -> None:
    same_as_predicted(stack(dtype), card("torch"), Options(intensity=intensity))


@pytest.mark.parametrize("resize", ["stretch", "center-crop", "pad"])
def test_it_is_so_for_regions_and_all_ways_to_resize(resize: str) -> None:
    outline = np.array([(3, 4), (15, 6), (9, 20)], float)
    region = Region("one", (3, 4, 16, 21), outline=outline)
    same_as_predicted(stack("uint16"), card("tf", resize_mode=resize), Options(), region)


def plane_of(data: np.ndarray) -> Plane:
    return Plane(0, array_source(data, "image"), ())


def test_the_frame_is_the_part_that_the_model_sees() -> None:
    wide = np.zeros((20, 40), np.uint8)
    square = {"width": 8, "height": 8, "channels": 3}
    seen = {
        mode: preview(
            plane_of(wide),
            card(resize_mode=mode).model_copy(update={"input": card().input.model_copy(update=square)}),
            Options(),
        ).frame
        for mode in ("stretch", "center-crop", "pad")
    }
    assert seen == {"stretch": (0, 0, 20, 40), "center-crop": (0, 10, 20, 30), "pad": (-10, 0, 30, 40)}


@pytest.mark.parametrize(
    ("model_card", "data", "words"),
    [
        (card("torch"), (20, 26), "Resized from 26 × 20 to 9 × 7 pixels; the aspect ratio is not kept"),
        (card("torch"), (14, 18), "Resized from 18 × 14 to 9 × 7 pixels"),
        (card("torch"), (7, 9), "Not resized: 9 × 7 pixels"),
        (card(resize_mode="pad"), (20, 26), "Extended from 26 × 20 to 26 × 26 pixels by repeating the edges. Resized"),
        (card(resize_mode="center-crop"), (20, 40), "Cut to the centred 26 × 20 of 40 × 20 pixels. Resized from 26"),
        (card("torch"), (20, 26), "Standardised: torch (mean and standard deviation of ImageNet)"),
        (card("z-score"), (20, 26), "Shown here from its smallest to its largest value"),
        (card("custom"), (20, 26), "values from 0 to 255, minus 3; divided by 7"),
        (card("torch"), (20, 26), "Grey, repeated for the three channels"),
        (card("torch", channels=1), (20, 26, 3), "Colours turned into grey"),
        (card("caffe"), (20, 26, 3), "Colour order: BGR"),
        (card("torch"), (20, 26, 4), "Colour order: RGB"),
        (card("torch", profile="aucmedi"), (20, 26), "As AUCMEDI does"),
    ],
)
def test_the_steps_are_said_in_words(model_card: ModelCard, data: tuple[int, ...], words: str) -> None:
    if model_card.input.channels == 1 and model_card.preprocessing.standardize_mode == "torch":
        model_card = card("none", channels=1)  # torch has three means
    shown = preview(plane_of(RANDOM.integers(0, 255, data, np.uint8)), model_card, Options())
    assert any(words in step for step in shown.steps), shown.steps


def test_the_values_are_those_of_the_channels_in_the_order_of_the_tensor() -> None:
    image = np.zeros((20, 26, 3), np.uint8)
    image[..., 0] = 200
    image[..., 2] = 100
    image[0, 0] = 255
    shown = preview(plane_of(image), card("none", order="BGR"), Options())
    assert [values.name for values in shown.channels] == ["blue", "green", "red"]
    for values, channel in zip(shown.channels, np.moveaxis(shown.tensor, -1, 0), strict=True):
        assert (values.low, values.high) == (channel.min(), channel.max())
        assert values.mean == pytest.approx(channel.mean())
    assert shown.channels[2].mean > shown.channels[0].mean > shown.channels[1].mean


def test_the_original_has_the_black_and_white_of_the_input() -> None:
    image = np.array([[0, 100], [200, 300]], np.uint16)
    shown = preview(plane_of(image), card(), Options(intensity=(100, 200)))
    assert shown.original[..., 0].tolist() == [[0, 0], [255, 255]]
    assert shown.intensity_range == (100, 200)


def test_of_a_very_large_image_some_pixels_are_shown() -> None:
    shown = preview(plane_of(np.zeros((3000, 10), np.uint8)), card(), Options())
    assert shown.original.shape == (1000, 10, 3)
    assert shown.size == (3000, 10)

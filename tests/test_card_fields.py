"""Each field of a card: it works, or the card is refused when the model is opened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import napari_webipred as wp
from napari_webipred._napari.models.origin import format_of
from napari_webipred.cache import store
from napari_webipred.card import Input, Preprocessing
from napari_webipred.errors import ModelError
from test_model import write_tfjs
from test_model_files import GOLDENS, as_keras_3_weights
from zenodo_server import CONVERTED, ZenodoServer

SIZE = {"width": 8, "height": 8}
PREPARED = {"standardize_mode": "none"}
PIXELS = np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8)


def network(layout: str = "NCHW", dtype: int = TensorProto.FLOAT, name: str = "pixels") -> bytes:
    """Return an ONNX model whose probabilities are the means of the channels, through a softmax."""
    axes, shape = ((2, 3), ["n", 3, 8, 8]) if layout == "NCHW" else ((1, 2), ["n", 8, 8, 3])
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [name], ["mean"], axes=axes, keepdims=0),
            helper.make_node("Softmax", ["mean"], ["scores"]),
        ],
        "g",
        [helper.make_tensor_value_info(name, dtype, shape)],
        [helper.make_tensor_value_info("scores", dtype, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def write(folder: Path, content: bytes | None = None, **fields: Any) -> Path:
    """Write a model folder with a card; a field of None is left out."""
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(network() if content is None else content)
    card = {"classes": [{"index": i, "name": c} for i, c in enumerate("abc")], "preprocessing": PREPARED, **fields}
    (folder / "webipred.json").write_text(json.dumps(card))
    return folder


def judged(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    means = pixels.astype(np.float64).mean((0, 1))
    powers = np.exp(means - means.max())
    return np.asarray(powers / powers.sum())


def classified(folder: Path) -> np.ndarray[Any, Any]:
    row = wp.classify([PIXELS], wp.open_model(folder)).iloc[0]
    assert not row["error"]
    return row[["a", "b", "c"]].to_numpy(float)


def refused(folder: Path, field: str, value: str) -> str:
    with pytest.raises(ModelError, match=rf"card.* says {field} = {value}") as caught:
        wp.open_model(folder)
    assert caught.value.hint
    return str(caught.value)


# --- the input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_layout_of_the_file_may_stand_on_the_card(tmp_path: Path, layout: str) -> None:
    folder = write(tmp_path / "m", network(layout), input={**SIZE, "layout": layout})
    np.testing.assert_allclose(classified(folder), judged(PIXELS), atol=1e-5)


def test_a_card_with_another_layout_than_the_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", network("NHWC"), input={**SIZE, "layout": "NCHW"})
    assert "it is 'NHWC' in the model's file" in refused(folder, "input.layout", "'NCHW'")


def test_a_card_that_says_nothing_of_the_layout_fits_every_file(tmp_path: Path) -> None:
    assert Input(**SIZE).layout == "NHWC"
    np.testing.assert_allclose(classified(write(tmp_path / "m", input=SIZE)), judged(PIXELS), atol=1e-5)


def test_the_layout_of_a_keras_model_is_known_too(tmp_path: Path) -> None:
    folder = write_tfjs(tmp_path / "m")
    (folder / "webipred.json").write_text(json.dumps({"input": {"width": 2, "height": 2, "layout": "NCHW"}}))
    refused(folder, "input.layout", "'NCHW'")


def test_the_type_of_the_file_may_stand_on_the_card(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", network(dtype=TensorProto.FLOAT16), input={**SIZE, "dtype": "float16"})
    np.testing.assert_allclose(classified(folder), judged(PIXELS), atol=2e-2)


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_a_card_with_another_type_than_the_file_is_refused(tmp_path: Path, dtype: str) -> None:
    assert "float32" in refused(write(tmp_path / "m", input={**SIZE, "dtype": dtype}), "input.dtype", f"'{dtype}'")


@pytest.mark.parametrize("name", ["pixels", "pixels:0", "serving_default_pixels:0"])
def test_the_name_of_the_input_may_stand_on_the_card(tmp_path: Path, name: str) -> None:
    assert wp.open_model(write(tmp_path / "m", input={**SIZE, "tensor_name": name})).classes == ["a", "b", "c"]


def test_a_card_that_names_another_input_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", input={**SIZE, "tensor_name": "metadata"})
    assert "it is 'pixels' in the model's file" in refused(folder, "input.tensor_name", "'metadata'")


def test_the_order_of_channels_is_that_of_the_card(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", input={**SIZE, "channel_order": "BGR"})
    np.testing.assert_allclose(classified(folder), judged(PIXELS[..., ::-1]), atol=1e-5)


def test_an_order_of_colours_for_a_model_that_takes_grey_is_refused(tmp_path: Path) -> None:
    folder = write_tfjs(tmp_path / "m", shape=(2, 4, 1))
    (folder / "webipred.json").write_text(json.dumps({"input": {"width": 4, "height": 2, "channel_order": "BGR"}}))
    assert "takes grey images" in refused(folder, "input.channel_order", "'BGR'")


# --- preprocessing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic", "area", "lanczos"])
def test_an_interpolation_that_is_not_computed_is_refused(tmp_path: Path, interpolation: str) -> None:
    folder = write(tmp_path / "m", preprocessing={**PREPARED, "interpolation": interpolation})
    assert "bilinear" in refused(folder, "preprocessing.interpolation", f"'{interpolation}'")


def test_where_nothing_is_resized_the_interpolation_does_not_matter(tmp_path: Path) -> None:
    steps = {**PREPARED, "interpolation": "area", "resize_mode": "none"}
    np.testing.assert_allclose(classified(write(tmp_path / "m", preprocessing=steps)), judged(PIXELS), atol=1e-5)


@pytest.mark.parametrize("mode", ["stretch", "pad", "none"])
def test_a_crop_that_the_resize_mode_does_not_make_is_refused(tmp_path: Path, mode: str) -> None:
    folder = write(tmp_path / "m", preprocessing={**PREPARED, "crop_pct": 0.875, "resize_mode": mode})
    assert mode in refused(folder, "preprocessing.crop_pct", "0.875")


def test_a_centred_crop_is_made(tmp_path: Path) -> None:
    steps = {**PREPARED, "crop_pct": 0.5, "resize_mode": "center-crop"}
    enlarged = np.full((16, 16, 3), 255, np.uint8)
    enlarged[4:12, 4:12] = PIXELS
    row = wp.classify([enlarged], wp.open_model(write(tmp_path / "m", preprocessing=steps))).iloc[0]
    np.testing.assert_allclose(row[["a", "b", "c"]].to_numpy(float), judged(PIXELS), atol=1e-5)


@pytest.mark.parametrize(("field", "value"), [("rescale", 0.5), ("mean", [0.5]), ("std", [0.5, 0.5, 0.5])])
def test_numbers_that_the_standardise_mode_does_not_use_are_refused(tmp_path: Path, field: str, value: object) -> None:
    folder = write(tmp_path / "m", preprocessing={"standardize_mode": "tf", field: value})
    assert "mode tf has numbers of its own" in refused(folder, f"preprocessing.{field}", ".")
    assert wp.open_model(folder, standardize="torch").card.preprocessing == Preprocessing(standardize_mode="torch")


def test_a_mode_of_own_numbers_without_numbers_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", preprocessing={"standardize_mode": "custom"})
    assert "neither rescale" in refused(folder, "preprocessing.standardize_mode", "'custom'")


def test_own_numbers_are_used(tmp_path: Path) -> None:
    steps = {"standardize_mode": "custom", "rescale": 0.5, "mean": [1, 2, 3], "std": [2, 4, 8]}
    expected = judged((PIXELS * 0.5 - [1, 2, 3]) / [2, 4, 8])
    np.testing.assert_allclose(classified(write(tmp_path / "m", preprocessing=steps)), expected, atol=1e-5)


@pytest.mark.parametrize("field", ["mean", "std"])
def test_numbers_for_another_number_of_channels_are_refused(tmp_path: Path, field: str) -> None:
    folder = write(tmp_path / "m", preprocessing={"standardize_mode": "custom", field: [1, 2]})
    assert "3 channels" in refused(folder, f"preprocessing.{field}", r"\(1.0, 2.0\)")


# --- the weights -----------------------------------------------------------------------------------------------------


def chosen(entry: str) -> dict[str, Any]:
    return {"weights": [{"format": "onnx", "source": {"type": "local"}, "entry_point": entry}]}


def two_models(folder: Path, entry: str) -> Path:
    write(folder, network(name="first"), **chosen(entry))
    (folder / "other.onnx").write_bytes(network(name="second"))
    return folder


def test_the_entry_point_chooses_one_of_several_models_in_a_folder(tmp_path: Path) -> None:
    folder = two_models(tmp_path / "m", "other.onnx")
    assert wp.open_model(folder).checksum
    (folder / "other.onnx").write_bytes(b"\x08\x08\x12\x07")  # what is chosen is what is read
    with pytest.raises(ModelError, match=r"other\.onnx"):
        wp.open_model(folder)


@pytest.mark.parametrize("below", ["", "inner/"])
def test_the_entry_point_chooses_one_of_several_models_in_a_zip_archive(tmp_path: Path, below: str) -> None:
    folder = two_models(tmp_path / "m", "other.onnx")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, below + path.name)
    assert wp.open_model(tmp_path / "m.zip").classes == ["a", "b", "c"]


def test_an_entry_point_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", **chosen("mode.onnx"))
    assert "found model.onnx" in refused(folder, "weights.entry_point", "'mode.onnx'")


def test_a_file_that_the_user_names_counts_and_it_is_said_that_the_card_is_about_another(tmp_path: Path) -> None:
    folder = two_models(tmp_path / "m", "other.onnx")
    remarks = wp.open_model(folder / "model.onnx").remarks
    assert [each for each in remarks if "describes other.onnx" in each]
    assert not [each for each in wp.open_model(folder / "other.onnx").remarks if "is about" in each]


def test_a_card_in_a_downloaded_archive_chooses_one_of_its_models(zenodo: ZenodoServer, tmp_path: Path) -> None:
    folder = two_models(tmp_path / "m", "other.onnx")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    zenodo.publish("123", {CONVERTED: (tmp_path / "m.zip").read_bytes()})
    model = wp.open_model("123")
    assert store.is_fetched(model.card)
    assert model.card.weights[0].format == "onnx"  # a zip archive is taken for TensorFlow.js until it is opened


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("keras/keras3-flat.h5", "Keras .h5"),
        ("keras/keras3-flat.keras", "Keras .keras"),
        ("graphs/plain-keras3-saved.zip", "SavedModel"),
        ("graphs/plain-keras3-tfjs.zip", "TensorFlow.js graph"),
    ],
)
def test_a_file_of_the_users_own_is_described_as_what_it_is(path: str, label: str) -> None:
    assert format_of(wp.open_model(GOLDENS / path).card) == label


def test_layers_models_and_keras_networks_of_the_users_own_are_described_as_such(tmp_path: Path) -> None:
    assert format_of(wp.open_model(write_tfjs(tmp_path / "m")).card) == "TensorFlow.js"
    (tmp_path / "pair").mkdir()
    as_keras_3_weights(tmp_path / "pair")
    for path in (tmp_path / "pair", tmp_path / "pair" / "m.json", tmp_path / "pair" / "m.weights.h5"):
        assert format_of(wp.open_model(path).card) == "Keras .h5"


def test_an_onnx_file_of_the_users_own_is_described_as_one(tmp_path: Path) -> None:
    assert format_of(wp.open_model(write(tmp_path / "m") / "model.onnx").card) == "ONNX"


def test_every_field_of_preprocessing_and_input_is_looked_at_here() -> None:
    """A new field has to be followed or refused, and tested here."""
    assert set(Preprocessing.model_fields) == {
        "profile", "standardize_mode", "resize_mode", "interpolation", "crop_pct", "rescale", "mean", "std",
    }  # fmt: skip
    assert set(Input.model_fields) == {
        "width", "height", "channels", "channel_order", "layout", "dtype", "tensor_name",
    }  # fmt: skip

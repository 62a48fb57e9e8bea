"""Keras networks, written anew for TensorFlow.js: the same numbers, and nothing that it does not know."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldens import networks
from napari_webipred.errors import ModelError
from napari_webipred.runtime.browser import NewHead, browser_model, with_head
from napari_webipred.runtime.compiler import compile_model, traced
from napari_webipred.runtime.layers_file import SHARD, layers_files
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import LayersModel, read_layers_model

GOLDENS_FOLDER = Path(__file__).parents[1] / "goldens"
GOLDENS: dict[str, Any] = json.loads((GOLDENS_FOLDER / "layers.json").read_text("utf-8"))
NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/]*")  # what TensorFlow.js takes for the name of a weight


def tensor(described: dict[str, Any]) -> np.ndarray:
    return np.array(described["values"], np.float32).reshape(described["shape"])


def layers(*inner: dict[str, Any], shape: tuple[int, ...] = (4, 4, 2), version: str = "2.8.0", **weights: Any):
    """A Sequential model of these layers, whose weights are given as layer__role=array."""
    first = {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, *shape]}}
    topology = {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *inner]}}
    arrays = {name.replace("__", "/"): np.asarray(value, np.float32) for name, value in weights.items()}
    return LayersModel("model.json", topology, version, arrays, {})


def layer(class_name: str, name: str = "it", **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def predicted(model: LayersModel, images: np.ndarray) -> np.ndarray:
    return Session(compile_model(model), 1).predict(images)


def test_what_is_written_anew_gives_the_numbers_of_tensorflow_js() -> None:
    refused = []
    for name, case in GOLDENS.items():
        weights = {key: tensor(value) for key, value in case["weights"].items()}
        model = LayersModel("model.json", case["topology"], "2.8.0", weights, {})
        try:
            written = browser_model(traced(model))
        except ModelError:
            refused.append(name)
            continue
        read = read_layers_model(layers_files(written))
        expected = tensor(case["output"])
        found = predicted(read, tensor(case["input"]))
        np.testing.assert_allclose(found, expected.reshape(len(expected), -1), rtol=1e-5, atol=1e-5, err_msg=name)
        assert all(NAME.fullmatch(each) for each in read.weights)
    assert refused
    assert all("channels" in name for name in refused)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (layer("Activation", activation="exponential"), "activation exponential"),
        (layer("Activation", activation={"class_name": "function", "config": "leaky_relu"}), "activation leaky_relu"),
        (layer("ReLU", max_value=6, negative_slope=0.1), "ReLU with negative_slope"),
        (layer("UpSampling2D", size=[2, 2], interpolation="bilinear"), "UpSampling2D with interpolation"),
        (layer("GlobalAveragePooling2D", keepdims=True), "GlobalAveragePooling2D with keepdims"),
        (layer("Rescaling", scale=[0.5, 2.0], offset=0.0), "Rescaling with numbers for each channel"),
        (layer("Resizing", height=8, width=8), "layers of the class Resizing"),
        (layer("BatchNormalization", axis=[1], scale=False, center=False), "BatchNormalization with axis = 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_tensorflow_js_computes_in_another_way_is_not_written(wrong: dict[str, Any], what: str) -> None:
    statistics = {"it__moving_mean": np.zeros(4), "it__moving_variance": np.ones(4)}
    with pytest.raises(ModelError, match=what) as caught:
        browser_model(traced(layers(wrong, **(statistics if wrong["class_name"] == "BatchNormalization" else {}))))
    assert "ONNX" in caught.value.hint


def test_axes_and_sizes_are_written_such_that_tensorflow_js_takes_the_same() -> None:
    # It takes any negative axis of Concatenate for the last one, and leaves the size for a -1 of Reshape open.
    def calls(*sources: str) -> list[Any]:
        return [[[source, 0, 0, {}] for source in sources]]

    inner = [
        {**layer("InputLayer", "image", batch_input_shape=[None, 4, 4, 2]), "name": "image", "inbound_nodes": []},
        {**layer("Reshape", "rows", target_shape=[2, -1, 2]), "name": "rows", "inbound_nodes": calls("image")},
        {**layer("Concatenate", "join", axis=-3), "name": "join", "inbound_nodes": calls("rows", "rows")},
        {**layer("BatchNormalization", axis=[3], scale=False), "name": "it", "inbound_nodes": calls("join")},
        {**layer("Concatenate", "end"), "name": "end", "inbound_nodes": calls("it", "it")},
    ]
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [["end", 0, 0]]}
    topology = {"class_name": "Functional", "config": {"name": "m", "layers": inner, **ends}}
    arrays = {f"it/{role}": np.ones(2, np.float32) for role in ("beta", "moving_mean", "moving_variance")}
    written = browser_model(traced(LayersModel("model.json", topology, "2.8.0", arrays, {})))
    configs = {each["name"]: each["config"] for each in written.topology["config"]["layers"]}
    assert configs["rows"]["target_shape"] == [2, 8, 2]
    assert [configs[name]["axis"] for name in ("join", "end")] == [1, 3]
    assert configs["it"]["axis"] == -1


@pytest.mark.parametrize("name", ["DenseNet121 of Keras 2", "MobileNetV2 of Keras 3", "NASNetMobile of Keras 3"])
def test_whole_networks_keep_their_numbers(name: str) -> None:
    with zipfile.ZipFile(GOLDENS_FOLDER / "networks.zip") as members:
        stored = json.loads(members.read(f"{name}.json"))
    weights = {each: networks.weight(each, shape, stored["gain"]) for each, shape in stored["shapes"].items()}
    topology = stored["topology"].get("model_config") or stored["topology"]
    model = LayersModel("model.json", topology, stored["topology"].get("keras_version", ""), weights, {})
    read = read_layers_model(layers_files(browser_model(traced(model))))
    *shape, low, high = stored["pictures"]
    expected = np.array(stored["logits"])
    found = predicted(read, networks.images(shape, low, high))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_names_and_options_are_those_of_keras_2() -> None:
    model = layers(
        layer(
            "LeakyReLU",
            "a b/ü",
            negative_slope=0.25,
            dtype={"class_name": "DTypePolicy", "config": {"name": "float32"}},
        ),
        layer("RandomFlip", "flip", mode="horizontal"),
        layer("Activation", "2", activation={"class_name": "function", "config": "silu"}),
        layer("Dropout", "drop", rate=0.5),
        version="3.5.0",
    )
    written = browser_model(traced(model))
    (_, leaky, swish) = written.topology["config"]["layers"]
    assert leaky["config"] == {"name": leaky["name"], "alpha": 0.25}
    assert NAME.fullmatch(leaky["name"])
    assert swish["config"]["activation"] == "swish"
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(predicted(written, images), predicted(model, images), atol=1e-6)


def test_the_hard_sigmoid_of_keras_3_is_another_one() -> None:
    old, new = (layers(layer("Activation", activation="hard_sigmoid"), version=each) for each in ("2.8.0", "3.5.0"))
    assert browser_model(traced(old))
    with pytest.raises(ModelError, match="hard_sigmoid"):
        browser_model(traced(new))


def test_models_with_layers_of_the_same_name_keep_the_weights_of_each() -> None:
    def dense(name: str) -> dict[str, Any]:
        inner = {
            "name": name,
            "layers": [layer("Dense", "dense", units=2, activation="linear", batch_input_shape=[None, 2])],
        }
        return {"class_name": "Sequential", "config": inner}

    model = layers(
        layer("GlobalAveragePooling2D", "pool"),
        dense("one"),
        dense("two"),
        **{"one/dense__kernel": [[1, 2], [3, 4]], "one/dense__bias": [0, 1], "two/dense__kernel": [[5, 6], [7, 8]]},
        **{"two/dense__bias": [2, 3]},
    )
    written = browser_model(traced(model))
    assert sorted(written.weights) == ["dense/bias", "dense/kernel", "dense_1/bias", "dense_1/kernel"]
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(predicted(written, images), predicted(model, images), rtol=1e-6)


def test_another_head_stands_behind_the_mean_of_the_places() -> None:
    model = layers(
        layer("Activation", "features", activation="relu"),
        layer("GlobalAveragePooling2D", "pool"),
        layer("Dense", "own_classes", units=2, activation="softmax"),
        own_classes__kernel=np.eye(2),
        own_classes__bias=[0, 0],
    )
    body = browser_model(traced(model), 1)
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(2, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)
    images = random.normal(size=(5, 4, 4, 2)).astype(np.float32)
    logits = np.maximum(images, 0).mean((1, 2)) @ kernel + bias
    for activation, expected in (
        ("softmax", np.exp(logits) / np.exp(logits).sum(1, keepdims=True)),
        ("sigmoid", 1 / (1 + np.exp(-logits))),
    ):
        whole = with_head(body, (4, 4, 2), NewHead(kernel, bias, activation))  # type: ignore[arg-type]
        np.testing.assert_allclose(predicted(whole, images), expected, rtol=1e-5)
    ends = with_head(browser_model(traced(model), 2), (2,), NewHead(kernel, bias, "softmax"))
    assert [each["class_name"] for each in ends.topology["config"]["layers"]][-2:] == [
        "GlobalAveragePooling2D",
        "Dense",
    ]


def test_weights_are_written_in_parts_that_browsers_keep() -> None:
    side = int((SHARD / 4 + 1000) ** 0.5) + 1
    weights = np.arange(side * side, dtype=np.float32).reshape(1, 1, side, side)
    model = LayersModel("model.json", {"class_name": "Functional", "config": {}}, "2.8.0", {"conv/kernel": weights}, {})
    files = layers_files(model)
    assert [len(content) for name, content in files.items() if name.endswith(".bin")] == [
        SHARD,
        side * side * 4 - SHARD,
    ]
    assert list(files)[1:] == ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    np.testing.assert_array_equal(read_layers_model(files).weights["conv/kernel"], weights)

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_webipred.errors import ModelError, WebIPredError
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.readers import compile_files
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model

Files = dict[str, bytes]
Opener = Callable[..., Session]


def changed(files: Files, **document: Any) -> Files:
    return files | {"model.json": json.dumps(json.loads(files["model.json"]) | document).encode()}


def topology_of(files: Files) -> dict[str, Any]:
    topology: dict[str, Any] = json.loads(files["model.json"])["modelTopology"]["model_config"]
    return topology


def message(files: Files, entry: str | None = None) -> str:
    with pytest.raises(ModelError) as refusal:
        compile_files(files, "folder", entry)
    assert refusal.value.hint
    return refusal.value.message


def test_names_versions_and_metadata_are_kept(dense_files: Files) -> None:
    topology = {"model_config": topology_of(dense_files), "keras_version": "2.8.0"}
    files = changed(dense_files, modelTopology=topology, userDefinedMetadata={"labels": ["ä", "b"]})
    model = read_layers_model(files)
    assert (model.file, model.keras_version) == ("model.json", "2.8.0")
    assert model.metadata == {"labels": ["ä", "b"]}
    assert model.weights["dense/kernel"].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]


@pytest.mark.parametrize("form", ["wrapped", "text", "direct", "list", "without format", "byte order mark"])
def test_every_form_of_the_topology_is_read(form: str, dense_files: Files, open_session: Opener) -> None:
    topology = topology_of(dense_files)
    forms: dict[str, Any] = {
        "text": {"model_config": json.dumps(topology)},
        "direct": topology,
        "list": {"model_config": topology | {"config": topology["config"]["layers"]}},
    }
    files = changed(dense_files, modelTopology=forms[form]) if form in forms else dense_files
    if form == "without format":
        document = json.loads(files["model.json"])
        del document["format"]
        files = files | {"model.json": json.dumps(document).encode()}
    if form == "byte order mark":
        files = files | {"model.json": b"\xef\xbb\xbf" + files["model.json"]}
    np.testing.assert_array_equal(open_session(files).predict(np.ones((1, 2, 2, 1))), [[16.5, 19.5]])


def test_the_model_may_lie_in_a_folder_among_other_files(dense_files: Files, open_session: Opener) -> None:
    files = {f"a/b/{name}": content for name, content in dense_files.items()}
    files |= {
        "a/b/metadata.json": b'{"labels": []}',
        "a/broken.json": b"{",
        "__MACOSX/a/b/model.json": dense_files["model.json"],
        "a/.model.json": dense_files["model.json"],
    }
    assert open_session(files).output_size == 2


def test_the_json_may_have_any_name(dense_files: Files, open_session: Opener) -> None:
    renamed = {("x/net.JSON" if name == "model.json" else f"x/{name}"): data for name, data in dense_files.items()}
    assert open_session(renamed).output_size == 2
    chosen = {("x/net" if name == "x/net.JSON" else name): data for name, data in renamed.items()}
    assert open_session(chosen, "x/net").output_size == 2


def test_of_several_models_one_has_to_be_chosen(dense_files: Files, open_session: Opener) -> None:
    files = {f"{folder}/{name}": content for folder in "ab" for name, content in dense_files.items()}
    said = message(files)
    assert "a/model.json" in said
    assert "b/model.json" in said
    assert open_session(files, "b/model.json").output_size == 2


@pytest.mark.parametrize(
    ("files", "entry", "words"),
    [
        ({}, None, "no file at all"),
        ({"a.txt": b"", "b.json": b"{}"}, None, "a.txt, b.json"),
        ({"m.json": b'{"modelTopology": '}, None, "m.json is not valid JSON"),
        ({"model.json": b"\xff\xfe\xfd"}, None, "model.json is not valid JSON"),
        ({"m.json": b"[" * 100_000}, "m.json", "nested too deeply"),
        ({"m.json": b"{}"}, "m.json", "describes no model"),
        ({"m.json": b"{}"}, "n.json", "no file n.json"),
        ({"m.json": b" " * (2**23 + 1)}, "m.json", "8388609 bytes"),
        ({"m.json": b"[" + b"0," * 300_000 + b"0]"}, "m.json", "more than 300000 values"),
    ],
)
def test_what_holds_no_model_says_what_was_found(files: Files, entry: str | None, words: str) -> None:
    assert words in message(files, entry)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"modelTopology": None}, "only weights"),
        ({"modelTopology": {"node": [], "versions": {}}}, "graph model, not a Layers model"),
        ({"format": "graph-model"}, "graph model, not a Layers model"),
        ({"modelTopology": {"left": 1, "right": 2}}, "left, right"),
        ({"modelTopology": "x"}, "not a JSON object"),
        ({"modelTopology": {"model_config": "{"}}, "not valid JSON"),
        ({"modelTopology": {"model_config": [1]}}, "not a JSON object"),
    ],
)
def test_another_kind_of_model_is_named(document: dict[str, Any], words: str, dense_files: Files) -> None:
    with pytest.raises(ModelError) as caught:
        read_layers_model(changed(dense_files, **document))
    said = caught.value.message
    assert words in said
    assert "model.json" in said


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["Dense", "Sequential", "Functional", "InputLayer", "dense", "float32", "__keras_tensor__"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(below for key in keys for below in paths(value[key], (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = replaced(value[path[0]], path[1:], new)
    return value


def functional_document() -> dict[str, Any]:
    def entry(name: str, class_name: str, inbound: list[Any], **config: Any) -> dict[str, Any]:
        return {"name": name, "class_name": class_name, "config": config, "inbound_nodes": inbound}

    inner = {
        "class_name": "Sequential",
        "config": {
            "name": "inner",
            "layers": [
                {"class_name": "BatchNormalization", "config": {"name": "bn", "axis": [3], "epsilon": 0.001}},
                {"class_name": "ReLU", "config": {"name": "relu", "max_value": 6}},
            ],
        },
    }
    layers = [
        entry("image", "InputLayer", [], batch_input_shape=[None, 4, 4, 1]),
        entry("pad", "ZeroPadding2D", [[["image", 0, 0, {}]]], padding=[[1, 0], [0, 1]]),
        entry("conv", "Conv2D", [[["pad", 0, 0, {}]]], filters=2, kernel_size=[2, 2], strides=[1, 1], padding="same"),
        entry("pool", "MaxPooling2D", [[["conv", 0, 0]]], pool_size=[2, 2], strides=None, padding="valid"),
        {**inner, "name": "inner", "inbound_nodes": [[["pool", 0, 0, {}]]]},
        entry("add", "Add", [[["pool", 0, 0, {}], ["inner", 1, 0, {}]]]),
        entry("scale", "TFOpLambda", [["add", 0, 0, {"y": 2.0, "name": None}]], function="math.multiply"),
        entry("join", "Concatenate", [{"args": [[
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["scale", 0, 0]}},
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["pool", 0, 0]}},
        ]], "kwargs": {}}], axis=-1),
        entry("flat", "Flatten", [[["join", 0, 0, {}]]]),
        entry("probs", "Activation", [[["flat", 0, 0, {}]]], activation="softmax"),
    ]  # fmt: skip
    ends = {"input_layers": [["image", 0, 0]], "output_layers": ["probs", 0, 0]}
    quantised = {"dtype": "uint8", "scale": 0.1, "min": -1}
    weights = [
        {"name": "conv/kernel", "shape": [2, 2, 1, 2], "dtype": "float32"},
        {"name": "conv/bias", "shape": [2], "dtype": "float32", "quantization": quantised},
        *({"name": f"bn/{role}", "shape": [2], "dtype": "float32"} for role in ("gamma", "beta", "moving_mean")),
        {"name": "bn/moving_variance", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
    ]  # fmt: skip
    return {
        "modelTopology": {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}},
        "weightsManifest": [{"paths": ["a", "b"], "weights": weights}],
    }


DOCUMENT = functional_document()
PATHS = paths(DOCUMENT)
SHARDS = {"a": bytes(30), "b": bytes(28) + b"\x00\x3c\x00\x3c"}


def test_the_model_that_is_mutated_is_sound(open_session: Opener) -> None:
    session = open_session({"m.json": json.dumps(DOCUMENT).encode()} | SHARDS)
    assert (session.input_shape, session.output_size) == ((4, 4, 1), 16)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_change_of_the_json_gives_a_model_or_a_plain_error(data: st.DataObject) -> None:
    document = DOCUMENT
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(PATHS))
        try:
            document = replaced(document, path, data.draw(VALUES))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed what this one would change
    with suppress(WebIPredError):
        compile_model(read_layers_model({"m.json": json.dumps(document).encode()} | SHARDS, "m.json"))


@settings(max_examples=100, deadline=None)
@given(text=st.binary(max_size=200), shard=st.binary(max_size=80))
def test_any_bytes_give_a_model_or_a_plain_error(text: bytes, shard: bytes) -> None:
    sound = json.dumps(DOCUMENT).encode()
    for files in (
        {"m.json": text} | SHARDS,
        {"m.json": sound[: len(text)] + text + sound[2 * len(text) :]} | SHARDS,
        {"m.json": sound, "a": shard, "b": bytes(max(0, 62 - len(shard)))},
    ):
        with suppress(WebIPredError):
            compile_model(read_layers_model(files, "m.json"))

"""From a reference to rows, over servers on this machine that stand for those of the world."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

import napari_webipred as wp
from napari_webipred.errors import CatalogueError
from napari_webipred.opening import opening
from napari_webipred.steps import result_of
from zenodo_server import ZenodoServer, model_zip

COMMIT = "c0ffee" * 6 + "c0ff"
GREEN = np.zeros((8, 8, 3), np.uint8) + np.array([0, 255, 0], np.uint8)


def onnx_model(ending: str | None = None) -> bytes:
    """Return a model of three classes that takes (n, 3, 8, 8): the logits are the means of the channels."""
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "kernel"], ["scores" if ending else "logits"]),
    ]
    if ending:
        nodes.append(helper.make_node(ending, ["scores"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.eye(3, dtype=np.float32), "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(onnx.ModelProto.SerializeToString(model))


@pytest.fixture
def world(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> ZenodoServer:
    monkeypatch.setenv("HF_ENDPOINT", zenodo.url)
    monkeypatch.setenv("NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL", zenodo.url)
    return zenodo


def publish_on_hugging_face(
    world: ZenodoServer, preprocessor: dict[str, Any], config: dict[str, Any], content: bytes | None = None
) -> None:
    content = content or onnx_model()
    files = {
        "config.json": json.dumps(config).encode(),
        "preprocessor_config.json": json.dumps(preprocessor).encode(),
        "onnx/model.onnx": content,
    }
    siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
    siblings[-1]["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    for name, body in files.items():
        world.put(f"/owner/colours/resolve/{COMMIT}/{name}", body)
    world.put("/api/models/owner/colours", {"id": "owner/colours", "sha": COMMIT, "siblings": siblings})


CONFIG = {"architectures": ["ViTForImageClassification"], "id2label": {"0": "red", "1": "green", "2": "blue"}}
PREPROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 8, "width": 8},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def test_a_model_of_hugging_face_classifies_as_its_settings_say(
    world: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_on_hugging_face(world, PREPROCESSOR, CONFIG)
    model = result_of(opening("hf:owner/colours"))
    assert model.classes == ["red", "green", "blue"]
    row = wp.classify([GREEN], model).iloc[0]
    expected = np.exp([-1, 1, -1]) / np.exp([-1, 1, -1]).sum()
    np.testing.assert_allclose([row["red"], row["green"], row["blue"]], expected, rtol=1e-5)
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    asked = len(world.requests)
    assert result_of(opening("hf:owner/colours")).checksum == model.checksum
    assert len(world.requests) == asked


def test_a_model_that_gives_probabilities_already_is_not_taken_for_one_that_gives_logits(world: ZenodoServer) -> None:
    publish_on_hugging_face(world, PREPROCESSOR, CONFIG, onnx_model("Softmax"))
    model = result_of(opening("hf:owner/colours"))
    assert model.card.output.activation == "in-model"
    assert "The network ends in a softmax already, so no softmax is applied after it." in model.remarks
    expected = np.exp([-1, 1, -1]) / np.exp([-1, 1, -1]).sum()
    assert wp.classify([GREEN], model).iloc[0]["green"] == pytest.approx(expected[1], rel=1e-5)


def test_what_a_repository_does_not_say_is_asked_for_and_kept(world: ZenodoServer) -> None:
    publish_on_hugging_face(world, {"size": {"height": 8, "width": 8}}, {"architectures": CONFIG["architectures"]})
    with pytest.raises(wp.errors.OptionError):
        wp.classify([GREEN], result_of(opening("hf:owner/colours")))
    result_of(opening("hf:owner/colours", classes=["r", "g", "b"], standardize="tf"))
    again = result_of(opening("hf:owner/colours"))
    assert again.classes == ["r", "g", "b"]
    assert wp.classify([GREEN], again).iloc[0]["prediction"] == "g"


def test_a_model_of_teachable_machine_is_fetched_file_by_file(world: ZenodoServer) -> None:
    with zipfile.ZipFile(io.BytesIO(model_zip(2, 32))) as archive:
        topology, weights = (archive.read(name) for name in archive.namelist())
    metadata = {"tmVersion": "2.4.7", "packageName": "@teachablemachine/image", "labels": ["a", "b"], "imageSize": 32}
    for name, content in (
        ("model.json", topology),
        ("group1-shard1of1.bin", weights),
        ("metadata.json", json.dumps(metadata).encode()),
    ):
        world.put(f"/models/AbC/{name}", content)
    address = "https://teachablemachine.withgoogle.com/models/AbC/"
    model = result_of(opening(address))
    assert model.classes == ["a", "b"]
    table = wp.classify([GREEN], model)
    assert table[["a", "b"]].sum(axis=1).iloc[0] == pytest.approx(1)
    asked = len(world.requests)
    assert result_of(opening(address)).checksum == model.checksum
    assert len(world.requests) == asked


def test_a_file_at_an_address_is_compared_with_the_checksum_behind_it(zenodo: ZenodoServer) -> None:
    content = onnx_model()
    address = zenodo.put("/get/colours.onnx", content)
    digest = hashlib.sha256(content).hexdigest()
    model = result_of(opening(f"{address}#sha256={digest}", standardize="tf"))
    assert model.checksum == f"sha256:{digest}"
    with pytest.raises(CatalogueError, match="checksum"):
        result_of(opening(f"{address}#sha256={'0' * 64}"))


def description(content: bytes) -> bytes:
    axes = [{"type": "batch"}, {"type": "channel"}]
    space = [{"type": "space", "id": name, "size": 8} for name in "yx"]
    document = {
        "type": "model",
        "name": "Colours",
        "inputs": [
            {
                "axes": [*axes, *space],
                "data": {"type": "uint8"},
                "preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 1 / 127.5, "offset": -1}}],
            }
        ],
        "outputs": [
            {
                "axes": [axes[0], {"type": "channel", "channel_names": ["red", "green", "blue"]}],
                "postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}],
            }
        ],
        "weights": {"onnx": {"source": "weights.onnx", "sha256": hashlib.sha256(content).hexdigest()}},
    }
    return yaml.safe_dump(document).encode()


@pytest.mark.parametrize("packed", [True, False])
def test_a_model_of_the_zoo_is_prepared_for_as_its_description_says(zenodo: ZenodoServer, packed: bool) -> None:
    files = {"weights.onnx": onnx_model(), "rdf.yaml": description(onnx_model())}
    for name, content in files.items():
        zenodo.put(f"/zoo/{name}", content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    zenodo.put("/zoo/package.zip", buffer.getvalue())
    model = result_of(opening(f"{zenodo.url}/zoo/{'package.zip' if packed else 'rdf.yaml'}"))
    row = wp.classify([GREEN], model).iloc[0]
    expected = np.exp([-1, 1, -1]) / np.exp([-1, 1, -1]).sum()
    np.testing.assert_allclose([row["red"], row["green"], row["blue"]], expected, rtol=1e-5)


def test_an_onnx_file_of_a_zenodo_record_is_fetched_and_named_by_its_labels(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {"colours.onnx": onnx_model(), "labels.txt": b"red\ngreen\nblue\n"})
    model = result_of(opening("10.5281/zenodo.123", standardize="tf", activation="softmax"))
    assert model.classes == ["red", "green", "blue"]
    assert wp.classify([GREEN], model).iloc[0]["prediction"] == "green"

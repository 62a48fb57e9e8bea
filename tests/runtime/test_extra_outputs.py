"""A compiled graph can give tensors from within, beside the classes and without changing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from napari_webipred.cache.graphs import compiled_paths, keep_compiled, verified
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.bounds import first_bounds, read_network, with_bounds
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.extra_outputs import with_outputs
from napari_webipred.runtime.onnx_file import adapt
from napari_webipred.runtime.onnx_graph import read_graph
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model

RANDOM = np.random.default_rng(4)
KERNEL, HEAD = RANDOM.normal(size=(3, 3, 1, 4)), RANDOM.normal(size=(4, 2))
IMAGES = RANDOM.normal(size=(3, 8, 8, 1)).astype(np.float32)
BATCH_NAME = "batch"


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


@pytest.fixture
def graph(layer_files: Callable[..., dict[str, bytes]]) -> bytes:
    """A convolution, the mean of each channel, and a dense layer with a softmax."""
    layers = [
        layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], padding="same", activation="relu", use_bias=False),
        layer("GlobalAveragePooling2D", "pool"),
        layer("Dense", "head", units=2, activation="softmax", use_bias=False),
    ]
    weights = {"conv/kernel": KERNEL, "head/kernel": HEAD}
    return compile_model(read_layers_model(layer_files(layers, (8, 8, 1), weights)))


def made_by(graph: bytes, kind: str) -> str:
    (found,) = (each.outputs[0] for each in read_graph(graph).operations if each.kind == kind)
    return found


def test_named_tensors_come_out_beside_the_classes(graph: bytes) -> None:
    tensors = {"maps": made_by(graph, "Relu"), "features": made_by(graph, "GlobalAveragePool")}
    session = Session(with_bounds(with_outputs(graph, tensors)), 1)
    assert session.outputs == ("classes", "maps", "features")
    found = session.predict(IMAGES, outputs=["features", "maps", "classes"])
    assert list(found) == ["features", "maps", "classes"]
    maps = found["maps"]
    assert maps.shape == (3, 4, 8, 8)
    features = found["features"].reshape(3, 4)
    np.testing.assert_allclose(features, maps.mean(axis=(2, 3)), rtol=1e-5)
    scores = np.exp(features @ HEAD)
    np.testing.assert_allclose(found["classes"], scores / scores.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(session.predict(IMAGES), found["classes"])


def test_the_classes_are_those_of_the_plain_graph(graph: bytes) -> None:
    plain = Session(graph, 1).predict(IMAGES)
    session = Session(with_outputs(graph, {"features": made_by(graph, "GlobalAveragePool")}), 1)
    np.testing.assert_allclose(session.predict(IMAGES), plain, rtol=1e-6)
    assert with_outputs(graph, {}) is graph
    assert list(Session(graph, 1).predict(IMAGES, outputs=["classes"])) == ["classes"]
    np.testing.assert_array_equal(Session(graph, 1).predict(IMAGES, outputs=["classes"])["classes"], plain)


def test_an_extra_output_counts_in_memory_as_long_as_the_run_lasts(
    layer_files: Callable[..., dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is an intermediate result otherwise is gone before the largest tensors of this network are made."""
    layers = [
        layer("Activation", "first", activation="relu"),
        *(layer("UpSampling2D", f"up{i}", size=[2, 2]) for i in range(2)),
        layer("GlobalAveragePooling2D", "pool"),
    ]
    whole = compile_model(read_layers_model(layer_files(layers, (256, 256, 3))))
    plain = first_bounds(read_network(whole))
    large = with_outputs(whole, {"maps": made_by(whole, "Relu")})
    bounds = first_bounds(read_network(large))
    assert bounds.run >= plain.run + 4 * 256 * 256 * 3
    needed = bounds.run + bounds.weights
    monkeypatch.setattr("napari_webipred.limits.memory_budget", lambda: needed - 1)
    with_bounds(whole)
    with pytest.raises(LimitError):
        with_bounds(large)


def test_bounds_that_were_told_before_are_replaced(graph: bytes) -> None:
    large = with_bounds(with_outputs(with_bounds(graph), {"maps": made_by(graph, "Relu")}))
    assert Session(large, 1).bounds((1, 8, 8, 1)) == first_bounds(read_network(large))


@pytest.mark.parametrize("tensors", [{"maps": "no such tensor"}, {"maps": "image"}, {"classes": "t0"}, {"t0": "t0"}])
def test_what_cannot_be_given_is_refused(graph: bytes, tensors: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="compiled model"):
        with_outputs(graph, tensors)


def test_an_output_that_is_not_there_is_refused_with_those_that_are(graph: bytes) -> None:
    session = Session(with_outputs(graph, {"maps": made_by(graph, "Relu")}), 1)
    with pytest.raises(ModelError, match="no output 'features', but classes, maps"):
        session.predict(IMAGES, outputs=["maps", "features"])


def test_a_tensor_that_is_not_one_per_image_is_refused() -> None:
    network = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0], keepdims=0),
                helper.make_node("ReduceMean", ["image"], ["m"], axes=[1, 2], keepdims=0),
                helper.make_node("Flatten", ["m"], ["classes"]),
            ],
            "network",
            [helper.make_tensor_value_info("image", 1, [BATCH_NAME, 8, 8, 1])],
            [helper.make_tensor_value_info("classes", 1, [BATCH_NAME, 1])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    session = Session(with_outputs(network.SerializeToString(), {"all": "mean"}), 1)
    with pytest.raises(ModelError, match=r"'all' of the model has the shape \(8, 8, 1\) for 3 images"):
        session.predict(IMAGES, outputs=["all"])


def test_half_precision_of_others_comes_out_in_single_and_image_by_image() -> None:
    """Their file takes one image at a time, so a batch is cut and put together again."""
    half = TensorProto.FLOAT16
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
    ]
    network = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", half, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", half, [1, 2])],
        [numpy_helper.from_array(RANDOM.normal(size=(3, 2)).astype(np.float16), "head")],
    )
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    graph = adapt("x.onnx", model.SerializeToString())
    session = Session(with_bounds(with_outputs(graph, {"features": made_by(graph, "GlobalAveragePool")})), 1)
    images = RANDOM.normal(size=(4, 8, 8, 3)).astype(np.float32)
    found = session.predict(images, outputs=["classes", "features"])
    assert found["features"].dtype == np.float32
    np.testing.assert_allclose(found["features"][..., 0, 0], images.mean(axis=(1, 2)), atol=1e-3)
    np.testing.assert_array_equal(found["classes"], session.predict(images))


def test_each_choice_of_extra_outputs_is_kept_as_a_graph_of_its_own(graph: bytes) -> None:
    checksum = "sha256:" + "ab" * 32
    tensors = {"maps": made_by(graph, "Relu"), "features": made_by(graph, "GlobalAveragePool")}
    backwards = dict(reversed(tensors.items()))
    choices: list[tuple[str | None, dict[str, str]]] = [
        *((None, {}), ("a", {}), (None, tensors), ("a", tensors)),
        *((None, {"maps": tensors["maps"]}), (None, {"features": tensors["maps"]})),
    ]
    paths = [compiled_paths(checksum, 1, output, extra)[-1] for output, extra in choices]
    assert len(set(paths)) == len(choices)
    assert compiled_paths(checksum, 1, None, {}) == compiled_paths(checksum, 1)
    assert compiled_paths(checksum, 1, None, backwards)[-1] == paths[2]
    assert keep_compiled(paths[2], with_bounds(with_outputs(graph, tensors)))
    with verified(paths[2]):
        assert set(Session(paths[2], 1).predict(IMAGES, outputs=list(tensors))) == set(tensors)

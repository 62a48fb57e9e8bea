from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model

Files = dict[str, bytes]
Writer = Callable[..., Files]
Opener = Callable[..., Session]

IMAGE = {
    "name": "image",
    "class_name": "InputLayer",
    "config": {"batch_input_shape": [None, 4, 4, 2]},
    "inbound_nodes": [],
}


def entry(name: str, class_name: str, inbound: list[Any], **config: Any) -> dict[str, Any]:
    return {"name": name, "class_name": class_name, "config": config, "inbound_nodes": [inbound]}


def functional(layers: list[Any], outputs: list[str], inputs: tuple[str, ...] = ("image",)) -> dict[str, Any]:
    ends = {
        key: [[name, 0, 0] for name in names] for key, names in (("input_layers", inputs), ("output_layers", outputs))
    }
    return {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}


def compiled(files: Mapping[str, bytes], entry: str = "model.json") -> bytes:
    return compile_model(read_layers_model(files, entry))


def refusal(files: Mapping[str, bytes]) -> str:
    with pytest.raises(ModelError) as raised:
        compiled(files)
    assert raised.value.hint
    assert "model.json" in raised.value.message
    return raised.value.message


CONV = entry("conv", "Conv2D", [["image", 0, 0, {}]], filters=2, kernel_size=3, padding="same", use_bias=False)
KERNEL = np.arange(36, dtype=np.float32).reshape(3, 3, 2, 2)


def test_the_graph_is_valid_onnx_with_one_image_and_one_output(dense_files: Files) -> None:
    model = onnx.load_from_string(compiled(dense_files))
    onnx.checker.check_model(model, full_check=True)
    (image,), (classes,) = model.graph.input, model.graph.output
    assert (image.name, classes.name) == ("image", "classes")
    sizes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (image, classes)]
    assert sizes == [["batch", 2, 2, 1], ["batch", 2]]
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)


def test_the_same_model_gives_the_same_bytes(dense_files: Files) -> None:
    moved = {f"elsewhere/{name}": data for name, data in dense_files.items()}
    assert compiled(dense_files) == compiled(moved, "elsewhere/model.json")


def test_of_several_outputs_the_last_is_computed_and_nothing_else(model_files: Writer, open_session: Opener) -> None:
    layers = [
        IMAGE,
        CONV,
        entry("strange", "NobodyKnowsIt", [["image", 0, 0]]),
        entry("aside", "Dense", [["image", 0, 0]], units=3),
        entry("max", "GlobalMaxPooling2D", [["conv", 0, 0]]),
    ]
    weights = {
        "conv/kernel": KERNEL,
        "aside/kernel": np.ones((2, 3)),
        "aside/bias": np.ones(3),
        "strange/w": np.ones(1),
    }
    files = model_files(functional(layers, ["strange", "aside", "conv", "max"]), weights)
    assert open_session(files).output_size == 2
    assert [node.op_type for node in onnx.load_from_string(compiled(files)).graph.node].count("Conv") == 1


def test_a_kernel_that_is_used_twice_is_stored_once(model_files: Writer) -> None:
    twice = CONV | {"inbound_nodes": [[["image", 0, 0, {}]], [["conv", 0, 0, {}]]]}
    layers = [IMAGE, twice, entry("sum", "Add", [["conv", 0, 0], ["conv", 1, 0]])]
    model = onnx.load_from_string(compiled(model_files(functional(layers, ["sum"]), {"conv/kernel": KERNEL})))
    assert [list(tensor.dims) for tensor in model.graph.initializer] == [[2, 2, 3, 3]]
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used


def test_images_are_turned_once_and_not_back_before_pooling(model_files: Writer) -> None:
    layers = [
        IMAGE,
        CONV,
        entry("relu", "ReLU", [["conv", 0, 0]]),
        entry("join", "Concatenate", [["relu", 0, 0], ["image", 0, 0]]),
        entry("max", "GlobalMaxPooling2D", [["join", 0, 0]]),
    ]
    model = onnx.load_from_string(compiled(model_files(functional(layers, ["max"]), {"conv/kernel": KERNEL})))
    assert [node.op_type for node in model.graph.node].count("Transpose") == 1


@pytest.mark.parametrize(("padding", "strides"), [("valid", 2), ("same", 2), ("valid", 1), ("same", 1)])
@pytest.mark.parametrize("class_name", ["Conv2D", "DepthwiseConv2D"])
def test_zeros_before_a_convolution_become_its_own(
    class_name: str, padding: str, strides: int, model_files: Writer, open_session: Opener
) -> None:
    settings = {"kernel_size": [3, 3], "strides": strides, "padding": padding, "use_bias": False}
    role, kernel = ("kernel", KERNEL) if class_name == "Conv2D" else ("depthwise_kernel", KERNEL[..., :1])

    def files(size: tuple[int, int], *layers: Any) -> Files:
        image = IMAGE | {"config": {"batch_input_shape": [None, *size, 2]}}
        return model_files(functional([image, *layers], [layers[-1]["name"]]), {f"conv/{role}": kernel})

    zeros = entry("pad", "ZeroPadding2D", [["image", 0, 0]], padding=[[0, 1], [3, 2]])
    padded = files((4, 4), zeros, entry("conv", class_name, [["pad", 0, 0]], filters=2, **settings))
    plain = files((5, 9), entry("conv", class_name, [["image", 0, 0]], filters=2, **settings))
    image = np.random.default_rng(0).random((1, 4, 4, 2), np.float32)
    around = np.pad(image, ((0, 0), (0, 1), (3, 2), (0, 0)))
    np.testing.assert_allclose(open_session(padded).predict(image), open_session(plain).predict(around), rtol=1e-5)
    made = onnx.load_from_string(compiled(padded)).graph
    assert [node.op_type for node in made.node] == ["Transpose", "Conv", "Transpose", "Flatten"]
    assert len(made.initializer) == 1


def test_zeros_that_others_need_too_stay(model_files: Writer, open_session: Opener) -> None:
    layers = [
        IMAGE,
        entry("pad", "ZeroPadding2D", [["image", 0, 0]], padding=1),
        entry("conv", "Conv2D", [["pad", 0, 0]], filters=2, kernel_size=3, padding="same", use_bias=False),
        entry("end", "Add", [["conv", 0, 0], ["pad", 0, 0]]),
    ]
    session = open_session(model_files(functional(layers, ["end"]), {"conv/kernel": 0 * KERNEL}))
    image = np.ones((1, 4, 4, 2), np.float32)
    np.testing.assert_array_equal(
        session.predict(image), np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(1, -1)
    )


def test_all_unsupported_layers_are_listed_with_the_option_at_fault(model_files: Writer) -> None:
    layers = [
        IMAGE,
        entry("one", "Attention9D", [["image", 0, 0]]),
        entry("two", "Resizing", [["one", 0, 0]], height=2, width=2, antialias=True),
        entry("three", "Package>LSTM", [["two", 0, 0]]),
        entry("four", "BatchNormalization", [["three", 0, 0]], renorm=True),
    ]
    said = refusal(model_files(functional(layers, ["four"]), {}))
    for words in (
        "one (Attention9D)",
        "two (Resizing with antialias=True)",
        "three (Package>LSTM)",
        "four (BatchNormalization with renorm",
    ):
        assert words in said


@pytest.mark.parametrize(
    "shape", [[None, 10], [None, 4, 3], [None, 4, 4, 4, 1], [None, 4, 4, 0], None, [None, 4, "4", 1]]
)
def test_a_model_that_takes_no_image_is_refused(shape: Any, model_files: Writer) -> None:
    image = IMAGE | {"config": {"batch_input_shape": shape}}
    said = refusal(model_files(functional([image, entry("a", "ReLU", [["image", 0, 0]])], ["a"]), {}))
    assert "not an image model" in said


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_an_input_that_would_drop_decimals_is_refused(dtype: str, model_files: Writer) -> None:
    image = IMAGE | {"config": {**IMAGE["config"], "dtype": dtype}}
    said = refusal(model_files(functional([image, entry("a", "ReLU", [["image", 0, 0]])], ["a"]), {}))
    assert f"has the dtype '{dtype}'; only floating-point images" in said
    shaped = {"batch_input_shape": [None, 4, 4, 2], "dtype": dtype}
    for first in ("InputLayer", "Flatten"):
        layers = [
            {"class_name": first, "config": {"name": "first", **shaped}},
            {"class_name": "ReLU", "config": {"name": "last"}},
        ]
        sequential = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        assert f"has the dtype '{dtype}'" in refusal(model_files(sequential, {}))


def test_a_second_input_is_named(model_files: Writer) -> None:
    age = {"name": "age", "class_name": "InputLayer", "config": {"batch_shape": [None, 1]}, "inbound_nodes": []}
    layers = [IMAGE, age, entry("join", "Add", [["image", 0, 0], ["age", 0, 0]])]
    said = refusal(model_files(functional(layers, ["join"], ("image", "age")), {}))
    assert "besides the image also age" in said


def test_an_output_without_an_input_is_refused(model_files: Writer) -> None:
    assert "has no input" in refusal(model_files(functional([IMAGE, entry("end", "Add", [])], ["end"]), {}))


def test_an_input_that_the_output_does_not_need_is_no_obstacle(model_files: Writer, open_session: Opener) -> None:
    age = {"name": "age", "class_name": "InputLayer", "config": {"batch_shape": [None, 1]}, "inbound_nodes": []}
    layers = [IMAGE, age, entry("end", "GlobalMaxPooling2D", [["image", 0, 0]])]
    assert open_session(model_files(functional(layers, ["end"], ("image", "age")), {})).output_size == 2


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (entry("end", "Add", [["conv", 0, 0], ["small", 0, 0]]), "cannot combine"),
        (entry("end", "Concatenate", [["conv", 0, 0], ["small", 0, 0]]), "cannot concatenate"),
        (entry("end", "ReLU", [["conv", 0, 0], ["small", 0, 0]]), "2 inputs instead of 1"),
        (entry("end", "ReLU", [["conv", 0, 1]]), "second output"),
        (entry("end", "GlobalMaxPooling2D", [["flat", 0, 0]]), "shape (32)"),
    ],
)
def test_tensors_that_do_not_fit_a_layer_are_refused(last: dict[str, Any], words: str, model_files: Writer) -> None:
    small = entry("small", "MaxPooling2D", [["conv", 0, 0]])
    layers = [IMAGE, CONV, small, entry("flat", "Flatten", [["conv", 0, 0]]), last]
    with pytest.raises(ModelError, match="end") as raised:
        compiled(model_files(functional(layers, ["end"]), {"conv/kernel": KERNEL}))
    assert words in raised.value.message


@pytest.mark.parametrize("op", ["Add", "Multiply", "Subtract", "Maximum"])
def test_numbers_in_the_arithmetic_of_keras_3(op: str, model_files: Writer, open_session: Opener) -> None:
    x = {"class_name": "__keras_tensor__", "config": {"keras_history": ["image", 0, 0]}}
    compute = {"Add": np.add, "Multiply": np.multiply, "Subtract": np.subtract, "Maximum": np.maximum}[op]
    image = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
    for args, expected in (([x, 3.0], compute(image, 3)), ([3.0, x], compute(3, image))):
        end = {"name": "end", "class_name": op, "config": {}, "inbound_nodes": [{"args": args, "kwargs": {}}]}
        made = open_session(model_files(functional([IMAGE, end], ["end"]), {})).predict(image)
        np.testing.assert_array_equal(made, np.ravel(expected)[None])


@pytest.mark.parametrize(
    ("function", "compute"),
    [
        ("math.add", np.add),
        ("__operators__.add", np.add),
        ("math.multiply", np.multiply),
        ("math.subtract", np.subtract),
    ],
)
def test_operators_of_tensorflow(
    function: str, compute: Callable[..., Any], model_files: Writer, open_session: Opener
) -> None:
    image = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
    for y, expected in (([["image", 0, 0, {"y": 0.5}]], 0.5), ([["image", 0, 0, {"y": ["twice", 0, 0]}]], 2 * image)):
        layers = [
            IMAGE,
            entry("twice", "Rescaling", [["image", 0, 0]], scale=2),
            entry("end", "TFOpLambda", y[0], function=function),
        ]
        made = open_session(model_files(functional(layers, ["end"]), {})).predict(image)
        np.testing.assert_array_equal(made, compute(image, expected).reshape(1, -1))


@pytest.mark.parametrize("order", ["channels_first", "channels_last"])
def test_images_are_given_with_their_channels_last_whatever_the_model_takes(
    order: str, model_files: Writer, open_session: Opener
) -> None:
    shape = [None, 3, 5, 4] if order == "channels_first" else [None, 5, 4, 3]
    layers = [
        IMAGE | {"config": {"batch_input_shape": shape}},
        entry("max", "GlobalMaxPooling2D", [["image", 0, 0]], data_format=order),
    ]
    session = open_session(model_files(functional(layers, ["max"]), {}))
    image = np.random.default_rng(0).random((2, 5, 4, 3), np.float32)
    assert session.input_shape == (5, 4, 3)
    np.testing.assert_array_equal(session.predict(image), image.max((1, 2)))


def test_a_model_for_any_number_of_channels_is_refused(model_files: Writer) -> None:
    image = IMAGE | {"config": {"batch_input_shape": [None, 4, 4, None]}}
    layers = [image, entry("end", "ReLU", [["image", 0, 0]])]
    with pytest.raises(ModelError, match="no fixed number of channels"):
        compiled(model_files(functional(layers, ["end"]), {}))


def test_fewer_axes_are_added_after_the_batch(model_files: Writer, open_session: Opener) -> None:
    layers = [
        IMAGE,
        entry("mean", "GlobalAveragePooling2D", [["image", 0, 0]]),
        entry("end", "Subtract", [["image", 0, 0], ["mean", 0, 0]]),
    ]
    image = np.random.default_rng(0).random((3, 4, 4, 2), np.float32)
    made = open_session(model_files(functional(layers, ["end"]), {})).predict(image)
    np.testing.assert_allclose(made, (image - image.mean((1, 2), keepdims=True)).reshape(3, -1), atol=1e-6)


def test_a_scaled_sum(model_files: Writer, open_session: Opener) -> None:
    layers = [IMAGE, CONV, entry("end", "CustomScaleLayer", [["image", 0, 0], ["conv", 0, 0]], scale=0.25)]
    plain = [IMAGE, CONV]
    image = np.random.default_rng(0).random((1, 4, 4, 2), np.float32)
    weights = {"conv/kernel": KERNEL}
    conv = open_session(model_files(functional(plain, ["conv"]), weights)).predict(image)
    made = open_session(model_files(functional(layers, ["end"]), weights)).predict(image)
    np.testing.assert_allclose(made, image.reshape(1, -1) + 0.25 * conv, rtol=1e-6)


def test_wrong_weights_are_named_by_layer(dense_files: Files) -> None:
    document = json.loads(dense_files["model.json"])
    document["weightsManifest"][0]["weights"][0]["name"] = "dents/kernel"
    said = refusal(dense_files | {"model.json": json.dumps(document).encode()})
    assert "dense/kernel" in said
    assert "dents/kernel" in said

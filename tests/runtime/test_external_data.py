"""ONNX tensors whose numbers lie in other files: what a file may say about them, and what it may not."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_file import adapt
from napari_webipred.runtime.session import Session

IMAGES = np.random.default_rng(0).uniform(size=(2, 80, 80, 1)).astype(np.float32)
KERNEL = np.random.default_rng(1).uniform(size=(6400, 3)).astype(np.float32)
DATA = b"-" * 64 + KERNEL.tobytes()


def model(**entries: str) -> ModelProto:
    """6400 pixels times a kernel of 76.8 kB that lies behind 64 other bytes in ``w.data``, unless told otherwise."""
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "kernel"], ["y"])]
    kernel = TensorProto(name="kernel", dims=KERNEL.shape, data_type=TensorProto.FLOAT)
    kernel.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "w.data", "offset": "64", "length": str(KERNEL.nbytes)} | entries).items():
        if value is not None:
            kernel.external_data.add(key=key, value=value)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 80, 80])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [kernel])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def numbers(made: ModelProto, name: str = "m.onnx", **files: bytes) -> np.ndarray:
    contents = {key.replace("__", "."): content for key, content in files.items()} or {"w.data": DATA}
    return Session(adapt(name, made.SerializeToString(), files=contents), 1).predict(IMAGES)


def refusal(made: ModelProto, **files: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        numbers(made, **files)
    assert caught.value.hint
    return caught.value.message


EXPECTED = IMAGES.reshape(2, -1) @ KERNEL


def test_numbers_are_read_at_their_place() -> None:
    np.testing.assert_allclose(numbers(model()), EXPECTED, rtol=1e-5)
    np.testing.assert_allclose(numbers(model(length=None)), EXPECTED, rtol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(numbers(model(offset=None), w__data=KERNEL.tobytes()), EXPECTED, rtol=1e-5)  # type: ignore[arg-type]


def test_files_are_looked_for_in_the_folder_of_the_model() -> None:
    content = model(location="deeper/w.data").SerializeToString()
    graph = adapt("a/m.onnx", content, files={"a/deeper/w.data": DATA, "deeper/w.data": b""})
    np.testing.assert_allclose(Session(graph, 1).predict(IMAGES), EXPECTED, rtol=1e-5)


def test_what_the_model_itself_says_of_such_a_tensor_does_not_count() -> None:
    made = model()
    made.graph.initializer[0].raw_data = b"other numbers"
    np.testing.assert_allclose(numbers(made), EXPECTED, rtol=1e-5)


def test_tensors_called_as_ours_are_read() -> None:
    made = model()
    made.graph.initializer[0].name = made.graph.node[1].input[1] = "image"
    np.testing.assert_allclose(numbers(made), EXPECTED, rtol=1e-5)


def test_small_tensors_may_be_sizes_and_lie_outside_too() -> None:
    made = model()
    shape = numpy_helper.from_array(np.array([0, 3, 1, 1]), "shape")
    content = shape.raw_data
    shape.ClearField("raw_data")
    shape.data_location = TensorProto.EXTERNAL
    shape.external_data.add(key="location", value="shape.data")
    made.graph.initializer.append(shape)
    made.graph.node.append(helper.make_node("Reshape", ["y", "shape"], ["z"]))
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3, 1, 1]))
    np.testing.assert_allclose(numbers(made, w__data=DATA, shape__data=content), EXPECTED, rtol=1e-5)


def test_the_value_of_an_operation_may_lie_outside() -> None:
    made = model()
    value = TensorProto(name="value", dims=[3], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="value.data")
    made.graph.node.append(helper.make_node("Constant", [], ["c"], value=value))
    made.graph.node.append(helper.make_node("Add", ["y", "c"], ["z"]))
    made.graph.output[0].name = "z"
    added = np.float32([1, 2, 3])
    found = numbers(made, w__data=DATA, value__data=added.tobytes())
    np.testing.assert_allclose(found, EXPECTED + added, rtol=1e-5)


@pytest.mark.parametrize(
    "location",
    [
        "../w.data",
        "a/../../w.data",
        "/etc/passwd",
        "C:/w.data",
        "c:w.data",
        "a\\b",
        "..",
        "",
        "a//b",
        "./w.data",
        "w\0",
    ],
)
def test_a_place_outside_the_folder_is_refused(location: str) -> None:
    files = {location: DATA, "w.data": DATA, "etc/passwd": DATA}
    with pytest.raises(ModelError, match="outside the model's folder") as caught:
        adapt("m.onnx", model(location=location).SerializeToString(), files=files)
    assert "unless you trust" in caught.value.hint


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"location": "gone"}, "missing: gone"),
        ({"length": "76796"}, "76796"),
        ({"length": "99999999999999999999"}, "invalid external data"),
        ({"length": "-1"}, "invalid external data"),
        ({"offset": "-64"}, "offset '-64'"),
        ({"offset": "0x40"}, "offset '0x40'"),
        ({"offset": "\u0664"}, "invalid external data"),
        ({"offset": "65"}, "outside w.data, which has 76864 bytes"),
        ({"offset": "999999999999999999"}, "outside w.data"),
    ],
)
def test_a_place_that_cannot_be_is_refused(entries: dict[str, str], words: str) -> None:
    assert words in refusal(model(**entries))


def test_a_file_that_was_cut_is_refused() -> None:
    assert "has 76863 bytes" in refusal(model(), w__data=DATA[:-1])
    assert "has 0 bytes" in refusal(model(), w__data=b"")


def with_another(**entries: str) -> ModelProto:
    made = model()
    made.graph.initializer.add().CopyFrom(model(**entries).graph.initializer[0])
    made.graph.initializer[1].name = "second"
    return made


def test_a_large_model_cannot_be_made_of_a_small_file_by_naming_it_again_and_again() -> None:
    assert "'second' of m.onnx overlaps another" in refusal(with_another())
    assert "outside w.data" in refusal(with_another(offset="0"))


def test_the_size_is_known_before_anything_is_read() -> None:
    made = with_another()
    for i, tensor in enumerate(made.graph.initializer):
        tensor.dims[:] = [2**15, 2**13 + 1]
        tensor.external_data[1].value, tensor.external_data[2].value = "0", str(2**17 * (2**13 + 1))
        tensor.external_data[0].value = f"w{i}"

    class Unread(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            raise AssertionError("read")

    with pytest.raises(ModelError, match=r"have 2147745792 bytes; at most 21474[0-9]+ are allowed"):
        adapt("m.onnx", made.SerializeToString(), files=Unread(w0=b"", w1=b""))


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.INT4, TensorProto.UNDEFINED, 999])
def test_texts_and_unknown_numbers_are_not_read_from_outside(kind: int) -> None:
    made = model()
    made.graph.initializer[0].data_type = kind
    assert "'kernel'" in refusal(made)


TEXTS = st.sampled_from(["w.data", "../w.data", "0", "64", "76800", "-1", "", "9" * 30, "\u0661", "w.data/"])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["location", "offset", "length", "checksum", "x"]), TEXTS), st.binary(max_size=9)
)
def test_any_entries_give_numbers_or_a_model_error(entries: dict[str, Any], data: bytes) -> None:
    with contextlib.suppress(ModelError):
        assert numbers(model(**entries), w__data=DATA + data).shape == EXPECTED.shape

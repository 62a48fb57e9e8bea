"""Quantised and optimised classifiers with operators of ONNX Runtime that are not ONNX's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from napari_webipred.errors import ModelError
from napari_webipred.runtime.microsoft_operators import DOMAIN, OPERATORS
from napari_webipred.runtime.onnx_file import adapt
from napari_webipred.runtime.onnx_graph import read_graph
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.shapes import infer

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8


def network(softmax: bool = True) -> ModelProto:
    """A classifier with the operations of real ones: convolutions, a residual, pooling, a gate, a dense layer."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)

    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make("Relu", ["c1"], ["r1"]),
        make("Conv", ["r1", "w2", "b2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make("LeakyRelu", ["c2"], ["l2"], alpha=0.1),
        make("Add", ["l2", "r1"], ["a"]),
        make("AveragePool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p", "w3", "b3"], ["c3"], kernel_shape=[1, 1]),
        make("Sigmoid", ["c3"], ["gate"]),
        make("Mul", ["p", "gate"], ["m"]),
        make("Concat", ["m", "p"], ["joined"], axis=1),
        make("GlobalAveragePool", ["joined"], ["mean"]),
        make("Flatten", ["mean"], ["flat"]),
        make("Gemm", ["flat", "w4", "b4"], ["logits" if softmax else "y"], transB=1),
    ]
    nodes += [make("Softmax", ["logits"], ["y"], axis=-1)] if softmax else []
    weights = [
        *(weight("w1", 6, 3, 3, 3), weight("b1", 6), weight("w2", 6, 6, 3, 3), weight("b2", 6)),
        *(weight("w3", 6, 6, 1, 1), weight("b3", 6), weight("w4", 5, 12), weight("b4", 5)),
    ]
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["n", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("y", FLOAT, ["n", 5])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


IMAGES = np.random.default_rng(2).uniform(-1, 1, (4, 3, 16, 16)).astype(np.float32)


def quantised(folder: Path, form: str, kind: str, softmax: bool = True) -> Path:
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.batches = iter([{"x": IMAGES}, {"x": -IMAGES}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    onnx.save(network(softmax), folder / "plain.onnx")
    quantization.quantize_static(
        folder / "plain.onnx",
        folder / "quantised.onnx",
        Images(),
        quant_format=quantization.QuantFormat[form],
        activation_type=quantization.QuantType[kind],
        weight_type=quantization.QuantType.QInt8,
    )
    return folder / "quantised.onnx"


def optimised(path: Path) -> Path:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_name("optimised.onnx"))
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return path.with_name("optimised.onnx")


def foreign(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node if node.domain == DOMAIN}


def assert_same_numbers(path: Path) -> None:
    (expected,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": IMAGES})
    session = Session(adapt(path.name, path.read_bytes()), 1)
    assert session.output_size == 5
    np.testing.assert_allclose(session.predict(IMAGES.transpose(0, 2, 3, 1)), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["QUInt8", "QInt8"])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_quantised_classifier_gives_the_numbers_of_onnx_runtime(tmp_path: Path, form: str, kind: str) -> None:
    path = quantised(tmp_path, form, kind)
    assert bool(foreign(path)) == (form == "QOperator")
    assert_same_numbers(path)


@pytest.mark.filterwarnings("ignore")
def test_the_quantised_operators_of_classifiers_are_in_the_list(tmp_path: Path) -> None:
    path = quantised(tmp_path, "QOperator", "QUInt8")
    assert foreign(path) == {
        *("QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool"),
        *("QLinearGlobalAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"),
    }
    assert_same_numbers(path)
    assert_same_numbers(quantised(tmp_path, "QOperator", "QUInt8", softmax=False))


def test_what_onnx_runtime_has_optimised_gives_the_same_numbers(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "plain.onnx")
    path = optimised(tmp_path / "plain.onnx")
    assert "FusedConv" in foreign(path)
    assert_same_numbers(path)


# --- one by one ------------------------------------------------------------------------------------------------------

SCALE, ZERO = ("scale", np.float32(0.05)), ("zero", np.uint8(3))
X, Y = ("x", np.zeros((2, 4, 6, 6), np.uint8)), ("y", np.zeros((1, 4, 1, 6), np.uint8))
ROWS, MATRIX = ("x", np.zeros((2, 8), np.uint8)), ("m", np.zeros((8, 5), np.uint8))
FLOATS = ("f", np.ones((2, 3, 8), np.float32))
QX, QY = [X, SCALE, ZERO], [Y, SCALE, ZERO]
POOL = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("QGemm", [ROWS, SCALE, ZERO, MATRIX, SCALE, ZERO, "", SCALE, ZERO], {}),
    ("QGemm", [ROWS, SCALE, ZERO, MATRIX, SCALE, ZERO, ("c", np.zeros(5, np.int32))], {}),
    ("QGemm", [ROWS, SCALE, ZERO, ("t", np.zeros((5, 8), np.uint8)), SCALE, ZERO, "", SCALE, ZERO], {"transB": 1}),
    ("QLinearAdd", [*QX, *QY, SCALE, ZERO], {}),
    ("QLinearMul", [*QY, *QX, SCALE, ZERO], {}),
    ("QLinearAveragePool", [*QX, SCALE, ZERO], POOL),
    ("QLinearAveragePool", [*QX, SCALE, ZERO], {**POOL, "ceil_mode": 1}),
    ("QLinearGlobalAveragePool", [*QX, SCALE, ZERO], {}),
    ("QLinearConcat", [SCALE, ZERO, *QX, *QX], {"axis": 1}),
    ("QLinearSigmoid", [*QX, SCALE, ZERO], {}),
    ("QLinearLeakyRelu", [*QX, SCALE, ZERO], {"alpha": 0.1}),
    ("QLinearSoftmax", [*QX, SCALE, ZERO], {"axis": 1, "opset": 13}),
    ("QuantizeLinear", [FLOATS, SCALE, ZERO], {}),
    ("DequantizeLinear", [X, SCALE, ZERO], {}),
    ("MatMulIntegerToFloat", [ROWS, MATRIX, SCALE, SCALE, ZERO, ZERO], {}),
    ("DynamicQuantizeMatMul", [FLOATS, MATRIX, SCALE, ZERO], {}),
    ("FusedConv", [("x", np.ones((2, 4, 6, 6), np.float32)), ("k", np.ones((3, 4, 3, 3), np.float32))],
     {"activation": "Relu", "kernel_shape": [3, 3], "pads": [1, 1, 0, 0], "strides": [2, 2]}),
    ("FusedGemm", [("x", np.ones((8, 2), np.float32)), ("k", np.ones((8, 3), np.float32)), ("b", np.ones(3, "f4"))],
     {"activation": "Relu", "transA": 1}),
    ("FusedMatMul", [FLOATS, ("k", np.ones((8, 4), np.float32))], {"alpha": 0.5}),
    ("Gelu", [FLOATS], {}),
    ("FastGelu", [FLOATS], {}),
    ("QuickGelu", [FLOATS], {}),
    ("BiasGelu", [FLOATS, ("b", np.ones(8, np.float32))], {}),
]  # fmt: skip


def test_every_operator_of_the_list_is_tried() -> None:
    assert {name for name, _, _ in CASES} == OPERATORS


@pytest.mark.parametrize(("op", "values", "attributes"), CASES)
def test_the_size_and_type_that_are_told_are_those_that_onnx_runtime_computes(
    op: str, values: Sequence[Any], attributes: dict[str, Any]
) -> None:
    arrays = dict(value for value in values if value)
    names = [value[0] if value else "" for value in values]
    node = helper.make_node(op, names, ["result"], domain=DOMAIN, **attributes)
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    result = onnx.ValueInfoProto(name="result")

    graph = helper.make_graph([node], "g", [], [result], weights)
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    (computed,) = session.run(None, {})
    told = infer(read_graph(made), {})["result"]
    assert told.shape == computed.shape
    assert told.element_type == helper.np_dtype_to_tensor_dtype(computed.dtype)


@pytest.mark.parametrize(
    ("op", "domain", "attributes"),
    [
        ("Attention", DOMAIN, {}),
        ("Shell", DOMAIN, {}),
        ("QGemm", "com.other", {}),
        ("Gelu", "com.microsoft.nchwc", {}),
        ("QLinearAveragePool", DOMAIN, {"channels_last": 1}),
        ("FusedMatMul", DOMAIN, {"transA": 1}),
    ],
)
def test_other_operators_and_forms_are_refused(op: str, domain: str, attributes: dict[str, Any]) -> None:
    made = network()
    made.graph.node.append(helper.make_node(op, ["y"], ["z"], domain=domain, **attributes))
    with pytest.raises(ModelError, match=rf"unsupported operators: {domain}\.{op}"):
        adapt("m.onnx", made.SerializeToString())


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_an_operation_with_any_number_of_inputs_is_a_model_or_refused(op: str, count: int) -> None:
    made = network()
    made.graph.node.append(helper.make_node(op, ["y"] * count, ["z"] * (count != 1), domain=DOMAIN))
    made.opset_import.add(domain=DOMAIN, version=1)
    with suppress(ModelError):
        Session(adapt("m.onnx", made.SerializeToString()), 1)

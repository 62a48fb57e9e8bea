"""The shapes that are told before anything is computed are those that ONNX Runtime makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_graph import read_graph
from napari_webipred.runtime.order import in_order
from napari_webipred.runtime.shapes import Value, infer

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
TYPES = {
    "tensor(float)": 1,
    "tensor(uint8)": 2,
    "tensor(int8)": 3,
    "tensor(int32)": 6,
    "tensor(int64)": 7,
    "tensor(bool)": 9,
    "tensor(float16)": 10,
    "tensor(double)": 11,
}
Arrays = dict[str, np.ndarray]


def model(nodes: Sequence[Any], shape: Sequence[int], constants: Arrays, opset: int, kind: int = FLOAT) -> ModelProto:
    """A network whose every tensor is an output."""
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for each in nodes for name in each.output if name]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", kind, list(shape))], outputs, weights)
    versions = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def told(made: ModelProto, shape: Sequence[int]) -> dict[str, Value]:
    return infer(in_order(read_graph(made.SerializeToString())), {"x": tuple(shape)})


def computed(made: ModelProto, x: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    arrays = session.run(None, {"x": x})
    return {value.name: (array, value.type) for value, array in zip(session.get_outputs(), arrays, strict=True)}


def compare(made: ModelProto, x: np.ndarray) -> None:
    """Hold what is told against what ONNX Runtime computes; what it refuses need not be told."""
    try:
        found = computed(made, x)
    except Exception:
        assume(False)
    values = told(made, x.shape)
    for name, (array, kind) in found.items():
        assert values[name].shape == array.shape, name
        assert values[name].element_type == TYPES[kind], name
        if values[name].numbers is not None:
            np.testing.assert_array_equal(values[name].numbers, array, name)


# --- single operations -----------------------------------------------------------------------------------------------

node = helper.make_node
small = st.integers(1, 4)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def numbers(draw: Any, *shape: int) -> np.ndarray:
    return np.random.default_rng(draw(st.integers(0, 9))).uniform(0.1, 1, shape).astype(np.float32)


def pair(draw: Any, low: int = 1, high: int = 3) -> list[int]:
    return [draw(st.integers(low, high)), draw(st.integers(low, high))]


Built = tuple[list[Any], Arrays]
BUILDS: dict[str, Callable[[Any, list[int]], Built]] = {}


def build(function: Callable[[Any, list[int]], Built]) -> Callable[[Any, list[int]], Built]:
    BUILDS[function.__name__] = function
    return function


def windows(draw: Any) -> dict[str, Any]:
    placing: dict[str, Any] = {"strides": pair(draw), "dilations": pair(draw, 1, 2)}
    automatic = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if automatic == "NOTSET":
        return {**placing, "pads": pair(draw, 0, 2) + pair(draw, 0, 2)}
    if automatic.startswith("SAME"):
        placing["dilations"] = [1, 1]
    return {**placing, "auto_pad": automatic}


@build
def convolution(draw: Any, shape: list[int]) -> Built:
    groups = draw(st.sampled_from([1, shape[1]]))
    kernel = pair(draw)
    weight = numbers(draw, groups * draw(small), shape[1] // groups, *kernel)
    return [node("Conv", ["x", "w"], ["y"], group=groups, **windows(draw))], {"w": weight}


@build
def transposed_convolution(draw: Any, shape: list[int]) -> Built:
    placing = windows(draw)
    if draw(st.booleans()):
        placing["output_padding"] = [min(stride - 1, 1) for stride in placing["strides"]]
    weight = numbers(draw, shape[1], draw(small), *pair(draw))
    return [node("ConvTranspose", ["x", "w"], ["y"], **placing)], {"w": weight}


@build
def pooling(draw: Any, shape: list[int]) -> Built:
    kind = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    placing = windows(draw)
    if kind == "AveragePool":
        del placing["dilations"]
    outputs = ["y", "where"] if kind == "MaxPool" and draw(st.booleans()) else ["y"]
    ceil = draw(st.integers(0, 1))
    return [node(kind, ["x"], outputs, kernel_shape=pair(draw), ceil_mode=ceil, **placing)], {}


@build
def unpooling(draw: Any, shape: list[int]) -> Built:
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    return [node("MaxPool", ["x"], ["p", "i"], **pool), node("MaxUnpool", ["p", "i"], ["y"], **pool)], {}


@build
def whole_pooling(draw: Any, shape: list[int]) -> Built:
    return [node(draw(st.sampled_from(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])), ["x"], ["y"])], {}


@build
def each_number(draw: Any, shape: list[int]) -> Built:
    kinds = ["Abs", "Ceil", "Clip", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "Identity", "LeakyRelu", "Log", "Neg"]
    kinds += ["Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh"]
    kinds += ["Softmax", "LogSoftmax", "IsNaN", "ThresholdedRelu", "Dropout", "HardSwish", "Celu", "Acos", "Shrink"]
    return [node(draw(st.sampled_from(kinds)), ["x"], ["y"])], {}


@build
def two_operands(draw: Any, shape: list[int]) -> Built:
    kind = draw(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Greater", "Equal", "Less"]))
    rank = draw(st.integers(0, 5))
    sizes = [draw(st.sampled_from([1, size])) for size in ([draw(small), *shape])[5 - rank :]]
    return [node(kind, draw(st.permutations(["x", "w"])), ["y"])], {"w": numbers(draw, *sizes)}


@build
def choice(draw: Any, shape: list[int]) -> Built:
    sizes = [draw(st.sampled_from([1, size])) for size in shape]
    return [node("Greater", ["x", "half"], ["c"]), node("Where", ["c", "w", "half"], ["y"])], {
        "half": np.float32([0.5]),
        "w": numbers(draw, *sizes),
    }


@build
def slope(draw: Any, shape: list[int]) -> Built:
    return [node("PRelu", ["x", "w"], ["y"])], {"w": numbers(draw, shape[1], 1, 1)}


@build
def cast(draw: Any, shape: list[int]) -> Built:
    return [node("Cast", ["x"], ["y"], to=draw(st.sampled_from([1, 2, 3, 6, 7, 9, 10, 11])))], {}


@build
def reshaping(draw: Any, shape: list[int]) -> Built:
    order = draw(st.permutations(shape))
    sizes = [math.prod(order[:2]), *order[2:]]
    if draw(st.booleans()):
        sizes[draw(st.integers(0, 2))] = -1
    elif draw(st.booleans()):
        sizes = [0, -1]
    return [node("Reshape", ["x", "s"], ["y"])], {"s": integers(*sizes)}


@build
def flattening(draw: Any, shape: list[int]) -> Built:
    return [node("Flatten", ["x"], ["y"], axis=draw(st.integers(-4, 4)))], {}


@build
def axes_of_one(draw: Any, shape: list[int]) -> Built:
    places = draw(st.lists(st.integers(-6, 5), min_size=2, max_size=2, unique_by=lambda n: n % 6))
    squeeze = node("Squeeze", ["u", "a"] if draw(st.booleans()) else ["u"], ["y"])
    return [node("Unsqueeze", ["x", "a"], ["u"]), squeeze], {"a": integers(*places)}


@build
def transposing(draw: Any, shape: list[int]) -> Built:
    order = {"perm": draw(st.permutations(range(4)))} if draw(st.booleans()) else {}
    return [node("Transpose", ["x"], ["y"], **order)], {}


@build
def joining(draw: Any, shape: list[int]) -> Built:
    axis = draw(st.integers(-4, 3))
    sizes = list(shape)
    sizes[axis] = draw(small)
    return [node("Concat", ["x", "w", "x"], ["y"], axis=axis)], {"w": numbers(draw, *sizes)}


@build
def splitting(draw: Any, shape: list[int]) -> Built:
    axis = draw(st.integers(-4, 3))
    if draw(st.booleans()):
        first = draw(st.integers(0, shape[axis]))
        return [node("Split", ["x", "s"], ["y", "z"], axis=axis)], {"s": integers(first, shape[axis] - first)}
    assume(shape[axis] % 2 == 0)
    return [node("Split", ["x"], ["y", "z"], axis=axis)], {}


@build
def slicing(draw: Any, shape: list[int]) -> Built:
    wild = st.integers(-12, 12) | st.sampled_from([2**31 - 1, -(2**31), 2**63 - 1, -(2**63)])
    axes = draw(st.lists(st.integers(-4, 3), min_size=1, max_size=3, unique_by=lambda n: n % 4))
    steps = st.sampled_from([1, 2, 3, -1, -2])
    given = {
        "b": integers(*(draw(wild) for _ in axes)),
        "e": integers(*(draw(wild) for _ in axes)),
        "a": integers(*axes),
        "s": integers(*(draw(steps) for _ in axes)),
    }
    return [node("Slice", ["x", *given], ["y"])], given


@build
def gathering(draw: Any, shape: list[int]) -> Built:
    axis = draw(st.integers(-4, 3))
    sizes = draw(st.lists(small, max_size=2))
    chosen = np.zeros(sizes, np.int64) - draw(st.integers(0, 1))
    return [node("Gather", ["x", "i"], ["y"], axis=axis)], {"i": chosen}


@build
def gathering_numbers(draw: Any, shape: list[int]) -> Built:
    return [node("GatherElements", ["x", "i"], ["y"], axis=draw(st.integers(0, 3)))], {"i": np.zeros(shape, np.int64)}


@build
def gathering_slices(draw: Any, shape: list[int]) -> Built:
    return [node("GatherND", ["x", "i"], ["y"])], {"i": np.zeros((draw(small), draw(st.integers(1, 4))), np.int64)}


@build
def scattering(draw: Any, shape: list[int]) -> Built:
    return [node("ScatterND", ["x", "i", "u"], ["y"])], {
        "i": np.zeros((1, 4), np.int64),
        "u": np.ones(1, np.float32),
    }


@build
def expanding(draw: Any, shape: list[int]) -> Built:
    sizes = [draw(small), *(draw(st.sampled_from([1, size])) for size in shape)]
    return [node("Expand", ["x", "s"], ["y"])], {"s": integers(*sizes[draw(st.integers(0, 4)) :])}


@build
def repeating(draw: Any, shape: list[int]) -> Built:
    return [node("Tile", ["x", "n"], ["y"])], {"n": integers(*(draw(st.integers(0, 3)) for _ in shape))}


@build
def padding(draw: Any, shape: list[int]) -> Built:
    pads = [draw(st.integers(-1 if size > 2 else 0, 2)) for size in shape * 2]
    return [node("Pad", ["x", "p"], ["y"])], {"p": integers(*pads)}


@build
def padding_some_axes(draw: Any, shape: list[int]) -> Built:
    return [node("Pad", ["x", "p", "", "a"], ["y"])], {"p": integers(*pair(draw, 0, 2)), "a": integers(-1)}


@build
def enlarging(draw: Any, shape: list[int]) -> Built:
    scale = st.floats(0.25, 3.5, width=32)
    return [node("Resize", ["x", "", "s"], ["y"])], {"s": np.float32([1, 1, draw(scale), draw(scale)])}


@build
def resizing(draw: Any, shape: list[int]) -> Built:
    wanted = pair(draw, 1, 20)
    if draw(st.booleans()):
        return [node("Resize", ["x", "", "", "s"], ["y"], mode="linear")], {"s": integers(*shape[:2], *wanted)}
    policy = draw(st.sampled_from(["stretch", "not_larger", "not_smaller"]))
    return [node("Resize", ["x", "", "", "s"], ["y"], axes=[2, 3], keep_aspect_ratio_policy=policy)], {
        "s": integers(*wanted)
    }


@build
def blocks(draw: Any, shape: list[int]) -> Built:
    return [node("Tile", ["x", "n"], ["t"]), node("DepthToSpace", ["t"], ["d"], blocksize=2),
            node("SpaceToDepth", ["d"], ["y"], blocksize=2)], {"n": integers(1, 4, 1, 1)}  # fmt: skip


@build
def reducing(draw: Any, shape: list[int]) -> Built:
    kind = draw(st.sampled_from(["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare"]))
    axes = draw(st.lists(st.integers(-4, 3), max_size=3, unique_by=lambda n: n % 4))
    how = {"keepdims": draw(st.integers(0, 1)), "noop_with_empty_axes": draw(st.integers(0, 1))}
    return [node(f"Reduce{kind}", ["x", "a"], ["y"], **how)], {"a": integers(*axes)}


@build
def extremes(draw: Any, shape: list[int]) -> Built:
    axis = draw(st.integers(-4, 3))
    largest = node("ArgMax", ["x"], ["y"], axis=axis, keepdims=draw(st.integers(0, 1)))
    count = draw(st.integers(1, shape[axis]))
    return [largest, node("TopK", ["x", "k"], ["t", "i"], axis=axis)], {"k": integers(count)}


@build
def product(draw: Any, shape: list[int]) -> Built:
    columns, inner = draw(small), shape[3]
    weight = draw(st.sampled_from([(inner,), (inner, columns), (shape[1], inner, columns), (1, 1, inner, columns)]))
    return [node("MatMul", ["x", "w"], ["y"])], {"w": numbers(draw, *weight)}


@build
def matrices(draw: Any, shape: list[int]) -> Built:
    columns, inner = draw(small), math.prod(shape[1:])
    turned = draw(st.booleans())
    weight = (columns, inner) if turned else (inner, columns)
    return [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w"], ["y"], transB=int(turned))], {
        "w": numbers(draw, *weight)
    }


@build
def equation(draw: Any, shape: list[int]) -> Built:
    rule = draw(st.sampled_from(["bchw,cd->bdhw", "bchw,cd->bd", "bchw,wk->bchk", "bchw,chwd->bd", "bchw,cc->b"]))
    letters = dict(zip("bchw", shape, strict=True)) | {"d": draw(small), "k": draw(small)}
    return [node("Einsum", ["x", "w"], ["y"], equation=rule)], {
        "w": numbers(draw, *(letters[letter] for letter in rule.split(",")[1].split("->")[0]))
    }


@build
def normalising(draw: Any, shape: list[int]) -> Built:
    n = shape[1]
    given = {name: numbers(draw, n) for name in ("s", "b", "m", "v")}
    instance = node("InstanceNormalization", ["x", "s", "b"], ["i"])
    axis = draw(st.integers(-3, 3))
    given |= {"w": numbers(draw, *shape[axis:])}
    return [node("BatchNormalization", ["x", *"sbmv"], ["y"]), instance,
            node("LayerNormalization", ["x", "w"], ["l", "mean", "inverse"], axis=axis)], given  # fmt: skip


@build
def normalising_groups(draw: Any, shape: list[int]) -> Built:
    given = {name: numbers(draw, shape[1]) for name in ("s", "b")}
    return [node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=1)], given


@build
def local_response(draw: Any, shape: list[int]) -> Built:
    return [node("LRN", ["x"], ["y"], size=3), node("LpNormalization", ["x"], ["z"], axis=1)], {}


@build
def one_hot(draw: Any, shape: list[int]) -> Built:
    chosen = node("OneHot", ["i", "n", "v"], ["y"], axis=draw(st.integers(-5, 4)))
    return [node("Cast", ["x"], ["i"], to=INT64), chosen], {"n": integers(draw(small)), "v": np.float32([0, 1])}


@build
def lower_triangle(draw: Any, shape: list[int]) -> Built:
    return [node("Trilu", ["x"], ["y"], upper=0), node("CumSum", ["x", "a"], ["z"])], {"a": np.int32(2)}


@build
def square(draw: Any, shape: list[int]) -> Built:
    return [node("Flatten", ["x"], ["f"]), node("EyeLike", ["f"], ["y"], dtype=FLOAT)], {}


@build
def sampling(draw: Any, shape: list[int]) -> Built:
    grid = numbers(draw, shape[0], *pair(draw, 1, 5), 2)
    return [node("GridSample", ["x", "g"], ["y"])], {"g": grid}


@build
def places(draw: Any, shape: list[int]) -> Built:
    return [node("AffineGrid", ["t", "s"], ["y"])], {
        "t": numbers(draw, 2, 2, 3),
        "s": integers(2, 3, *pair(draw, 2, 5)),
    }


@build
def cropping_and_padding(draw: Any, shape: list[int]) -> Built:
    return [node("CenterCropPad", ["x", "s"], ["y"], axes=[2, 3])], {"s": integers(*pair(draw, 1, 9))}


@build
def putting_together(draw: Any, shape: list[int]) -> Built:
    size, block = [5, 4], [2, 2]
    columns = numbers(draw, 1, 3 * 4, 4 * 3)
    return [node("Col2Im", ["w", "s", "b"], ["y"])], {"w": columns, "s": integers(*size), "b": integers(*block)}


@build
def quantising(draw: Any, shape: list[int]) -> Built:
    zero = draw(st.sampled_from([np.uint8(3), np.int8(3)]))
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    nodes.append(node("DynamicQuantizeLinear", ["x"], ["d", "ds", "dz"]))
    return nodes, {"s": np.float32(0.1), "z": np.asarray(zero)}


@build
def quantised_convolution(draw: Any, shape: list[int]) -> Built:
    weight = np.ones((draw(small), shape[1], 1, 1), np.int8)
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])]
    nodes.append(node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], ["y"], **windows(draw)))
    nodes.append(node("ConvInteger", ["q", "w", "z"], ["c"]))
    return nodes, {"w": weight, "ws": np.float32(1), "wz": np.int8(0), "ys": np.float32(1), "yz": np.uint8(0)}


@build
def quantised_product(draw: Any, shape: list[int]) -> Built:
    weight = np.ones((shape[3], draw(small)), np.int8)
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])]
    nodes.append(node("MatMulInteger", ["q", "w", "z"], ["c"]))
    nodes.append(node("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], ["y"]))
    nodes.append(node("DynamicQuantizeMatMul", ["x", "w", "ws"], ["d"], domain="com.microsoft"))
    nodes.append(node("MatMulIntegerToFloat", ["q", "w", "s", "ws"], ["f"], domain="com.microsoft"))
    return nodes, {"w": weight, "ws": np.float32(1), "wz": np.int8(0), "ys": np.float32(1), "yz": np.uint8(0)}


@build
def quantised_arithmetic(draw: Any, shape: list[int]) -> Built:
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])]
    three = ["q", "s", "z", "q", "s", "z", "s", "z"]
    microsoft = {"domain": "com.microsoft"}
    nodes += [node(f"QLinear{kind}", three, [kind], **microsoft) for kind in ("Add", "Mul")]
    nodes += [
        node(f"QLinear{kind}", ["q", "s", "z", "s", "z"], [kind], **microsoft) for kind in ("Sigmoid", "LeakyRelu")
    ]
    nodes.append(node("QLinearConcat", ["s", "z", "q", "s", "z", "q", "s", "z"], ["joined"], axis=1, **microsoft))
    nodes.append(node("QLinearGlobalAveragePool", ["q", "s", "z", "s", "z"], ["pooled"], **microsoft))
    nodes.append(node("QLinearAveragePool", ["q", "s", "z", "s", "z"], ["averaged"], kernel_shape=[1, 1], **microsoft))
    return nodes, {}


@build
def fused(draw: Any, shape: list[int]) -> Built:
    microsoft = {"domain": "com.microsoft"}
    n, columns = shape[3], draw(small)
    nodes = [
        node("FusedMatMul", ["x", "w"], ["m"], **microsoft),
        node("Gelu", ["x"], ["g"], **microsoft),
        node("FastGelu", ["x"], ["h"], **microsoft),
        node("QuickGelu", ["x"], ["k"], **microsoft),
        node("BiasGelu", ["x", "b"], ["i"], **microsoft),
        node("FusedConv", ["x", "c"], ["y"], activation="Relu", **microsoft),
    ]
    return nodes, {"w": numbers(draw, n, columns), "b": numbers(draw, n), "c": numbers(draw, columns, shape[1], 1, 1)}


@build
def recurrent(draw: Any, shape: list[int]) -> Built:
    kind, gates = draw(st.sampled_from([("LSTM", 4), ("GRU", 3), ("RNN", 1)]))
    hidden, n = draw(small), shape[3]
    outputs = ["y", "last", "cell"] if kind == "LSTM" else ["y", "last"]
    nodes = [node("Reshape", ["x", "three"], ["r"]), node(kind, ["r", "w", "v"], outputs, hidden_size=hidden)]
    weights = {"w": numbers(draw, 1, gates * hidden, n), "v": numbers(draw, 1, gates * hidden, hidden)}
    return nodes, {"three": integers(-1, shape[0], n), **weights}


@build
def sizes_of_the_image(draw: Any, shape: list[int]) -> Built:
    """How exporters write the sizes that something is to have."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "two"], ["h"], axis=0),
        node("Slice", ["s", "two", "four", "zero"], ["hw"]),
        node("ReduceProd", ["hw"], ["points"], keepdims=1),
        node("Cast", ["hw"], ["f"], to=FLOAT),
        node("Mul", ["f", "scale"], ["scaled"]),
        node("Floor", ["scaled"], ["whole"]),
        node("Cast", ["whole"], ["new"], to=INT64),
        node("Max", ["new", "two"], ["at_least"]),
        node("Slice", ["s", "zero", "two", "zero"], ["front"]),
        node("Concat", ["front", "at_least"], ["all"], axis=0),
        node("Resize", ["x", "", "", "all"], ["y"]),
        node("Div", ["h", "two"], ["half"]),
        node("Mod", ["h", "two"], ["rest"]),
        node("Sub", ["half", "h"], ["less"]),
        node("Div", ["less", "two"], ["negative"]),
        node("Equal", ["rest", "zero"], ["even"]),
        node("Where", ["even", "half", "h"], ["chosen"]),
        node("Unsqueeze", ["points", "zero"], ["u"]),
        node("Squeeze", ["u", "zero"], ["n"]),
        node("Split", ["s"], ["a", "b"], axis=0),
        node("Clip", ["f", "low", "high"], ["clipped"]),
        node("Squeeze", ["n", "zero"], ["count"]),
        node("Range", ["nought", "count", "one"], ["row"]),
        node("ConstantOfShape", ["n"], ["zeros"]),
        node("Expand", ["two", "n"], ["twos"]),
        node("Tile", ["n", "two"], ["twice"]),
        node("Pow", ["h", "two"], ["squared"]),
        node("Size", ["x"], ["numbers"]),
        node("Transpose", ["s"], ["turned"]),
        node("Not", ["even"], ["odd"]),
        node("And", ["even", "odd"], ["never"]),
        node("Min", ["s", "two"], ["most"]),
        node("Greater", ["s", "two"], ["more"]),
        node("Concat", ["n", "minus"], ["rows"], axis=0),
        node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]),
        node("Reshape", ["t", "rows"], ["z"]),
    ]
    return nodes, {
        "two": integers(2),
        "four": integers(4),
        "zero": integers(0),
        "minus": integers(-1),
        "one": np.array(1),
        "nought": np.array(0),
        "low": np.float32(2),
        "high": np.float32(4),
        "scale": np.float32([draw(st.floats(0.25, 3, width=32))]),
    }


OPSETS = {"normalising_groups": 21, "places": 20, "resizing": 18, "cropping_and_padding": 18, "padding_some_axes": 18}
OPSETS |= {"reducing": 18, "putting_together": 18, "sizes_of_the_image": 17}
WILD = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", BUILDS)
@WILD
@given(data=st.data())
def test_an_operation_makes_tensors_of_the_shapes_that_are_told(name: str, data: st.DataObject) -> None:
    shape = [1, data.draw(small), data.draw(st.integers(2, 7)), data.draw(st.integers(2, 7))]
    nodes, constants = BUILDS[name](data.draw, shape)
    compare(model(nodes, shape, constants, OPSETS.get(name, 17)), np.full(shape, 0.5, np.float32))


@settings(WILD, max_examples=200)
@given(data=st.data())
def test_a_network_makes_tensors_of_the_shapes_that_are_told(data: st.DataObject) -> None:
    """Operations one behind the other, as long as a tensor of four axes comes out."""
    shape = [1, data.draw(small), data.draw(st.integers(2, 7)), data.draw(st.integers(2, 7))]
    names = [name for name in BUILDS if OPSETS.get(name, 17) == 17 and name != "sizes_of_the_image"]
    nodes: list[Any] = []
    constants: Arrays = {}
    last, now = "x", shape
    for step in range(data.draw(st.integers(1, 6))):
        more, given_ = BUILDS[data.draw(st.sampled_from(names))](data.draw, now)
        if max(now) > 100:
            break

        def renamed(name: str, step: int = step, last: str = last) -> str:
            return last if name == "x" else f"{name}{step}" if name else ""

        for each in more:
            inputs, outputs = [*map(renamed, each.input)], [*map(renamed, each.output)]
            each.input[:], each.output[:] = inputs, outputs
        nodes += more
        constants |= {renamed(name): array for name, array in given_.items()}
        made = model(nodes, shape, constants, 17)
        try:
            values = told(made, shape)
        except ModelError:
            break
        four = [name for name in more[-1].output if name and len(values[name].shape) == 4 and values[name].size]
        if not four or values[four[0]].element_type != FLOAT:
            break
        last, now = four[0], list(values[four[0]].shape)
    compare(model(nodes, shape, constants, 17), np.full(shape, 0.5, np.float32))

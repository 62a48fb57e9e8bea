"""ONNX files that an attacker or an accident could make: `MODELS` gives the content of each by its name.

Those whose name begins with ``harmless`` look strange and hold a model that can be opened and run. None has weights to
speak of: what they cost, they cost by what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from protobuf_writer import field

FLOAT = TensorProto.FLOAT
node = helper.make_node
IMAGE = [None, 3, 64, 64]


def model(
    *nodes: Any,
    image: Sequence[int | None] = IMAGE,
    classes: int = 3,
    opset: int = 17,
    ir: int = 8,
    **constants: np.ndarray,
) -> ModelProto:
    """A network from ``x`` to ``y``: means of the channels, to which ``more``, if something makes it, is added."""
    more = any("more" in each.output for each in nodes)
    ends = [node("GlobalAveragePool", ["x"], ["mean"]), node("Reshape", ["mean", "flat"], ["means" if more else "y"])]
    if more:
        ends += [node("ReduceMax", ["more"], ["top"], keepdims=0), node("Add", ["means", "top"], ["y"])]
    if any("y" in each.output for each in nodes):
        ends = []
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    weights.append(numpy_helper.from_array(np.array([0, -1]), "flat"))
    graph = helper.make_graph(
        [*nodes, *ends],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, image)],
        [helper.make_tensor_value_info("y", FLOAT, [None, classes])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def written(*nodes: Any, **more: Any) -> bytes:
    data: bytes = model(*nodes, **more).SerializeToString()
    return data


def grown(made: Any, *before: Any, **constants: Any) -> bytes:
    """A network in which `made`, an operation whose result is called ``big``, is added to the result."""
    return written(*before, made, node("Relu", ["big"], ["more"]), **constants)


def late(name: str, *factors: int) -> list[Any]:
    """Operations that compute whole numbers of the image, so that nobody knows them before."""
    return [
        node("ReduceMax", ["x"], [f"{name} highest"], keepdims=0),
        node("Exp", [f"{name} highest"], [f"{name} e"]),
        node("Constant", [], [f"{name} factors"], value_floats=[float(n) for n in factors]),
        node("Mul", [f"{name} e", f"{name} factors"], [f"{name} product"]),
        node("Cast", [f"{name} product"], [name], to=TensorProto.INT64),
    ]


def expanded_then_added(count: int) -> bytes:
    """Large constants, made of one number: whoever follows constants through a network holds several of them."""
    nodes = [node("Expand", ["one", "size"], ["big"]), node("Add", ["big", "big"], ["bigger"])]
    nodes += [node("Mul", ["bigger", "big"], ["most"]), node("ReduceMax", ["most"], ["more"], keepdims=0)]
    return written(*nodes, one=np.float32([1]), size=np.array([count]))


def gathered_from_nothing() -> bytes:
    """A constant that says it has many numbers, and holds none."""
    made = model(
        node("Gather", ["nothing", "zero"], ["n"]),
        node("ConstantOfShape", ["n"], ["big"]),
        node("Relu", ["big"], ["more"]),
        nothing=np.zeros(4, np.int64),
        zero=np.array([0]),
    )
    tensor = next(each for each in made.graph.initializer if each.name == "nothing")
    tensor.raw_data = b""
    tensor.dims[0] = 200
    data: bytes = made.SerializeToString()
    return data


def doubled_by_sequences() -> bytes:
    """Each step joins a tensor to itself."""
    nodes, last = [], "x"
    for i in range(26):
        nodes.append(node("SequenceConstruct", [last, last], [f"s{i}"]))
        nodes.append(node("ConcatFromSequence", [f"s{i}"], [f"c{i}"], axis=0))
        last = f"c{i}"
    return written(*nodes, node("ReduceMax", [last], ["more"], keepdims=0))


def doubled(count: int) -> bytes:
    """Each step joins a tensor to itself, with Concat, whose size is known."""
    nodes, last = [], "x"
    for i in range(count):
        nodes.append(node("Concat", [last, last], [f"c{i}"], axis=1))
        last = f"c{i}"
    return written(*nodes, node("ReduceMax", [last], ["more"], keepdims=0))


def held(count: int) -> bytes:
    """Many tensors of 12 MB, none too large alone, all needed until the end."""
    factors = {f"f{i}": np.float32(i) for i in range(count)}  # equal ones would be computed once only
    nodes = [node("Mul", ["x", name], [f"m{name}"]) for name in factors]
    nodes += [node("Resize", [f"m{name}", "", "scales"], [f"r{name}"]) for name in factors]
    nodes.append(node("Sum", [f"r{name}" for name in factors], ["big"]))
    return grown(nodes[-1], *nodes[:-1], scales=np.float32([1, 1, 16, 16]), **factors)


def attention(image: Sequence[int | None] = (None, 3, None, None)) -> bytes:
    """Every point of the image is compared with every other."""
    nodes = [
        node("Reshape", ["x", "points"], ["row"]),
        node("Transpose", ["row"], ["column"], perm=[0, 2, 1]),
        node("MatMul", ["column", "row"], ["big"]),
    ]
    return grown(nodes[-1], *nodes[:-1], image=image, points=np.array([0, 3, -1]))


def products(size: int, count: int) -> bytes:
    """Products of large matrices, one after the other."""
    nodes = [
        node("ReduceMax", ["x"], ["first"], keepdims=0),
        node("Expand", ["first", "square"], ["p0"]),
    ]
    nodes += [node("MatMul", [f"p{i}", f"p{i}"], [f"p{i + 1}"]) for i in range(count)]
    return written(*nodes, node("ReduceMax", [f"p{count}"], ["more"], keepdims=0), square=np.array([size, size]))


def chain(count: int, kind: str = "Relu", **attributes: Any) -> bytes:
    """Very many operations, one behind the other."""
    made = model(node("Relu", ["x"], ["more"]))
    graph = made.graph
    rest = [*graph.node[1:]]
    del graph.node[:]
    weights = ["w"] if kind == "Conv" else []
    graph.node.extend(
        node(kind, [f"r{i}" if i else "x", *weights], [f"r{i + 1}" if i < count - 1 else "more"], **attributes)
        for i in range(count)
    )
    graph.node.extend(rest)
    if weights:
        graph.initializer.append(numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w"))
    data: bytes = made.SerializeToString()
    return data


def many_classes(count: int) -> bytes:
    nodes = [node("GlobalAveragePool", ["x"], ["m"]), node("Flatten", ["m"], ["f"])]
    nodes += [node("ReduceMean", ["f"], ["a"], axes=[1]), node("Tile", ["a", "n"], ["y"])]
    return written(*nodes, classes=count, n=np.array([1, count]))


def packed_again_and_again() -> bytes:
    """One matrix in many products, each of which ONNX Runtime could bring into an order of its own."""
    nodes = [
        node("GlobalAveragePool", ["x"], ["m"]),
        node("Flatten", ["m"], ["f"]),
        node("MatMul", ["f", "up"], ["p0"]),
    ]
    nodes += [node("MatMul", [f"p{i}", "w"], [f"p{i + 1}"]) for i in range(2000)]
    nodes.append(node("ReduceMax", ["p2000"], ["more"], keepdims=0))
    weights = np.full((512, 512), 1 / 512, np.float32)
    return written(*nodes, up=np.ones((3, 512), np.float32), w=weights)


def two_of_a_name() -> bytes:
    return written(node("Relu", ["x"], ["t"]), node("Neg", ["x"], ["t"]), node("Identity", ["t"], ["more"]))


def circle() -> bytes:
    return written(node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Identity", ["b"], ["more"]))


def of_type(number: int) -> bytes:
    made = model(node("Cast", ["x"], ["more"], to=FLOAT), node("Cast", ["odd"], ["unused"], to=FLOAT))
    tensor = made.graph.initializer.add(name="odd", data_type=number, dims=[1])
    tensor.raw_data = bytes(1)
    data: bytes = made.SerializeToString()
    return data


# How a file begins: with the version of the format and that of the operators.
IR = field(1, 8) + field(8, field(2, 17))


def nested(depth: int) -> bytes:
    """A graph in a graph in a graph: an attribute of an operation."""
    inner = b""
    for _ in range(depth):
        inner = field(1, field(5, field(6, inner)))
    return IR + field(7, inner)


def with_names(*names: str) -> bytes:
    nodes, last = [], "x"
    for name in names:
        nodes.append(node("Identity", [last], [name]))
        last = name
    return written(*nodes, node("Relu", [last], ["more"]))


MODELS: dict[str, Callable[[], bytes]] = {
    # what is computed to tell shapes, or when the file is opened
    "constants of 2^30 numbers": lambda: expanded_then_added(2**30),
    "a constant without its numbers": gathered_from_nothing,
    "a constant of 2^33 numbers": lambda: grown(
        node("ConstantOfShape", ["n"], ["big"]), n=np.array([2**11, 2**11, 2**11])
    ),
    "a constant of 2^60 numbers": lambda: grown(node("ConstantOfShape", ["n"], ["big"]), n=np.array([2**30, 2**30])),
    "numbers from 0 to 2^32": lambda: grown(
        node("Range", ["zero", "n", "step"], ["big"]),
        zero=np.float32(0),
        n=np.float32(2**32),
        step=np.float32(1),
    ),
    # tensors that are too large
    "expanded to 2^31 numbers": lambda: grown(
        node("Expand", ["m", "n"], ["big"]), node("GlobalAveragePool", ["x"], ["m"]), n=np.array([1, 3, 2**15, 2**14])
    ),
    "repeated 2^18 times": lambda: grown(node("Tile", ["x", "n"], ["big"]), n=np.array([1, 1, 2**9, 2**9])),
    "padded to a gigapixel": lambda: grown(
        node("Pad", ["x", "n"], ["big"]), n=np.array([0, 0, 0, 0, 0, 0, 2**15, 2**15])
    ),
    "enlarged a million times": lambda: grown(
        node("Resize", ["x", "", "n"], ["big"]), n=np.float32([1, 1, 1000, 1000])
    ),
    "one-hot of 2^20 numbers": lambda: grown(
        node("OneHot", ["i", "n", "v"], ["big"]),
        node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        n=np.array([2**20]),
        v=np.float32([0, 1]),
    ),
    "doubled 26 times": lambda: doubled(26),
    "doubled 26 times by sequences": doubled_by_sequences,
    "a thousand tensors of 12 MB": lambda: held(1000),
    "attention over 262144 points": lambda: attention([None, 3, 512, 512]),
    # sizes that only the running network knows
    "NonZero": lambda: written(node("NonZero", ["x"], ["i"]), node("Cast", ["i"], ["more"], to=FLOAT)),
    "HannWindow": lambda: written(
        *late("n", 10**6), node("Squeeze", ["n"], ["m"]), node("HannWindow", ["m"], ["more"])
    ),
    "MelWeightMatrix": lambda: written(
        node("MelWeightMatrix", ["n", "n", "n", "a", "b"], ["more"]),
        n=np.int64(40000),
        a=np.float32(0),
        b=np.float32(1),
    ),
    "MaxUnpool": lambda: written(
        *late("n", 1, 3, 9999, 9999),
        node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]),
        node("MaxUnpool", ["p", "i", "n"], ["more"], kernel_shape=[2, 2], strides=[2, 2]),
    ),
    "AffineGrid": lambda: written(
        *late("n", 1, 3, 9999, 9999),
        node("AffineGrid", ["t", "n"], ["more"]),
        opset=20,
        t=np.ones((1, 2, 3), np.float32),
    ),
    "ConstantOfShape": lambda: grown(node("ConstantOfShape", ["n"], ["big"]), *late("n", 9999, 9999)),
    "Expand": lambda: grown(node("Expand", ["x", "n"], ["big"]), *late("n", 999, 3, 64, 64)),
    "Tile": lambda: grown(node("Tile", ["x", "n"], ["big"]), *late("n", 99, 1, 9, 9)),
    "Pad": lambda: grown(node("Pad", ["x", "n"], ["big"]), *late("n", 0, 0, 0, 0, 0, 0, 9999, 9999)),
    "Resize": lambda: grown(node("Resize", ["x", "", "", "n"], ["big"]), *late("n", 1, 3, 9999, 9999)),
    "Reshape": lambda: grown(node("Reshape", ["x", "n"], ["big"]), *late("n", -1)),
    "Loop": lambda: written(node("Loop", ["", ""], ["more"], body=helper.make_graph([], "b", [], []))),
    "Unique": lambda: written(node("Unique", ["x"], ["more"])),
    "StringSplit": lambda: written(node("StringSplit", ["x"], ["more"]), opset=20),
    "an operator that nobody knows": lambda: written(node("Frobnicate", ["x"], ["more"])),
    # computation
    "200 products of 12000 x 12000": lambda: products(12000, 200),
    "a convolution called 4001 times": lambda: written(
        node("Conv", ["x", "first"], ["c0"]),
        *(node("Conv", [f"c{i}", "w"], [f"c{i + 1}"], pads=[1, 1, 1, 1]) for i in range(4001)),
        node("ReduceMax", ["c4001"], ["more"], keepdims=0),
        first=np.ones((256, 3, 1, 1), np.float32),
        w=np.zeros((256, 256, 3, 3), np.float32),
    ),
    "99000 operations": lambda: chain(99_000),
    "100000 operations": lambda: chain(100_000, "Sin"),
    "20001 operations": lambda: chain(20_001),
    "20000 convolutions": lambda: chain(19_000, "Conv"),
    "ten million classes": lambda: many_classes(10**7),
    # files that say what cannot be
    "two tensors of a name": two_of_a_name,
    "operations in a circle": circle,
    "an operation that feeds itself": lambda: written(node("Relu", ["more"], ["more"])),
    "a tensor that is not there": lambda: written(node("Add", ["x", "nowhere"], ["more"])),
    "numbers of the type 99": lambda: of_type(99),
    "texts as weights": lambda: of_type(8),
    "complex numbers": lambda: of_type(14),
    "a type that does not exist": lambda: written(node("Cast", ["x"], ["more"], to=77)),
    "operators of the year 2100": lambda: written(opset=9999),
    "a format of the year 2100": lambda: written(ir=99),
    "graphs 10000 deep": lambda: nested(10_000),
    "a million empty operations": lambda: IR + field(7, field(1, b"") * 10**6),
    "a million empty names": lambda: IR + field(7, field(1, field(1, b"") * 10**6)),
    "a million empty weights": lambda: IR + field(7, field(1, field(4, b"Relu")) + field(5, b"") * 10**6),
    "a million empty attributes": lambda: IR + field(7, field(1, field(4, b"Relu") + field(5, b"") * 10**6)),
    "a million sizes": lambda: IR + field(7, field(1, field(4, b"Relu")) + field(5, field(1, bytes([1]) * 10**6))),
    "a million axes": lambda: written(node("Transpose", ["x"], ["more"], perm=[0] * 10**6)),
    "a million properties": lambda: written() + field(14, field(1, b"a")) * 10**6,
    "a million inputs": lambda: IR + field(7, field(1, field(4, b"Relu")) + field(11, b"") * 10**6),
    # strange, but no harm
    "harmless: sound": written,
    "harmless: names of ours": lambda: with_names("image", "classes", "image_", "image as stored", "flat scores", "t0"),
    "harmless: constants of 2^26 numbers": lambda: expanded_then_added(2**26),
    "harmless: 5000 operations": lambda: chain(5000),
    "harmless: a matrix in 2000 products": packed_again_and_again,
    "harmless: two tensors of 12 MB": lambda: held(2),
    "harmless: attention over 4096 points": lambda: attention([None, 3, 16, 16]),
    "harmless: a hundred thousand classes": lambda: many_classes(100_000),
    "harmless: operations in another order": lambda: written(
        node("Relu", ["b"], ["more"]), node("Neg", ["a"], ["b"]), node("Abs", ["x"], ["a"])
    ),
}

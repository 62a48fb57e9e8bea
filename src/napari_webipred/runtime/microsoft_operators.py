"""Operators of ONNX Runtime that are not ONNX's own, as they stand in quantised and optimised classifiers.

Those of the domain ``com.microsoft`` that ONNX Runtime computes on every processor, without state, loops or files.
They are described in "Contrib Operators" of ONNX Runtime's documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto

DOMAIN = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the result of an operator is: as large as that of one of ONNX's own.

    Attributes
    ----------
    like : str
        The operator of ONNX.
    inputs : tuple of int, or slice
        Which of the inputs are that operator's; the others are scales and the like.
    floats : callable
        Whether the result holds floating-point numbers although the first input does not.
    """

    like: str
    inputs: tuple[int, ...] | slice
    floats: Callable[[NodeProto], bool] = lambda node: False


def _always(node: NodeProto) -> bool:
    return True


def _without_scale(node: NodeProto) -> bool:
    """QGemm gives floats unless it is told the scale of its result."""
    return len(node.input) < 8 or not node.input[7]


OPERATORS: dict[str, Shape] = {
    # quantised: each tensor is followed by its scale and its zero point
    "QGemm": Shape("Gemm", (0, 3, 6), _without_scale),
    "QLinearAdd": Shape("Add", (0, 3)),
    "QLinearMul": Shape("Mul", (0, 3)),
    "QLinearAveragePool": Shape("AveragePool", (0,)),
    "QLinearGlobalAveragePool": Shape("GlobalAveragePool", (0,)),
    "QLinearConcat": Shape("Concat", slice(2, None, 3)),
    "QLinearSigmoid": Shape("Identity", (0,)),
    "QLinearLeakyRelu": Shape("Identity", (0,)),
    "QLinearSoftmax": Shape("Identity", (0,)),
    "QuantizeLinear": Shape("Identity", (0,)),
    "DequantizeLinear": Shape("Identity", (0,), _always),
    "MatMulIntegerToFloat": Shape("MatMul", (0, 1), _always),
    "DynamicQuantizeMatMul": Shape("MatMul", (0, 1)),
    # joined to one by ONNX Runtime's optimiser
    "FusedConv": Shape("Conv", (0, 1, 2)),
    "FusedGemm": Shape("Gemm", (0, 1, 2)),
    "FusedMatMul": Shape("MatMul", (0, 1)),
    "Gelu": Shape("Identity", (0,)),
    "FastGelu": Shape("Identity", (0,)),
    "QuickGelu": Shape("Identity", (0,)),
    "BiasGelu": Shape("Add", (0, 1)),
}
# Attributes that only these operators have, or that change nothing of the size.
_EXTRA = {"channels_last", "activation", "activation_alpha", "activation_beta", "activation_gamma", "activation_params"}
_EXTRA |= {"alpha", "beta"}


def is_known(node: NodeProto) -> bool:
    """Tell whether an operation may be part of a model: it is ONNX's own, or one of those here."""
    return node.domain in ("", "ai.onnx") or (node.domain == DOMAIN and node.op_type in OPERATORS and not _is_odd(node))


def _is_odd(node: NodeProto) -> bool:
    """Tell whether an operation has a form that no classifier needs, and whose size would be another."""
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    return any(numbers.get(name) for name in ("channels_last", "transBatchA", "transBatchB")) or (
        node.op_type == "FusedMatMul" and any(numbers.get(name) for name in ("transA", "transB"))
    )


def like_standard(node: NodeProto) -> list[NodeProto]:
    """Return operations of ONNX whose result has the shape and type of an operation's; only for telling sizes.

    An operation of ONNX itself is returned as it is.
    """
    import onnx

    if node.domain != DOMAIN:
        return [node]
    shape = OPERATORS[node.op_type]
    inputs = list(node.input)
    taken = inputs[shape.inputs] if isinstance(shape.inputs, slice) else [inputs[i : i + 1] for i in shape.inputs]
    names = [name for each in taken for name in ([each] if isinstance(each, str) else each) if name]
    made = onnx.helper.make_node(shape.like, names, list(node.output[:1]))
    if shape.like != "Identity":
        made.attribute.extend(attribute for attribute in node.attribute if attribute.name not in _EXTRA)
    if not shape.floats(node) or not made.output:
        return [made]
    result = made.output[0]
    made.output[0] = f"{result} before it becomes a float"
    return [made, onnx.helper.make_node("Cast", [made.output[0]], [result], to=onnx.TensorProto.FLOAT)]

"""Operators of ONNX Runtime that are not part of ONNX, as in quantised and optimised classifiers.

These operators of the domain ``com.microsoft`` run on every CPU, without state, loops or files. They are described in
"Contrib Operators" of ONNX Runtime's documentation; `napari_webipred.runtime.shapes` has rules for their output shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto

DOMAIN = "com.microsoft"
OPERATORS = {
    # quantised
    *("QGemm", "QLinearAdd", "QLinearMul", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat"),
    *("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QuantizeLinear", "DequantizeLinear"),
    *("MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
    # fused by ONNX Runtime's optimiser
    *("FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "FastGelu", "QuickGelu", "BiasGelu"),
}


def is_known(node: NodeProto) -> bool:
    """Tell whether an operation is supported: part of ONNX, or listed here."""
    return node.domain in ("", "ai.onnx") or (node.domain == DOMAIN and node.op_type in OPERATORS and not _is_odd(node))


def _is_odd(node: NodeProto) -> bool:
    """Tell whether an operation has attributes that change its output shape and that no classifier needs."""
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    return any(numbers.get(name) for name in ("channels_last", "transBatchA", "transBatchB")) or (
        node.op_type == "FusedMatMul" and any(numbers.get(name) for name in ("transA", "transB"))
    )

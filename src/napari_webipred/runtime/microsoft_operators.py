"""Operators of ONNX Runtime that are not ONNX's own, as they stand in quantised and optimised classifiers.

Those of the domain ``com.microsoft`` that ONNX Runtime computes on every processor, without state, loops or files.
They are described in "Contrib Operators" of ONNX Runtime's documentation; `napari_webipred.runtime.shapes` knows how
large their results are.
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
    # joined to one by ONNX Runtime's optimiser
    *("FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "FastGelu", "QuickGelu", "BiasGelu"),
}


def is_known(node: NodeProto) -> bool:
    """Tell whether an operation may be part of a model: it is ONNX's own, or one of those here."""
    return node.domain in ("", "ai.onnx") or (node.domain == DOMAIN and node.op_type in OPERATORS and not _is_odd(node))


def _is_odd(node: NodeProto) -> bool:
    """Tell whether an operation has a form that no classifier needs, and whose size would be another."""
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    return any(numbers.get(name) for name in ("channels_last", "transBatchA", "transBatchB")) or (
        node.op_type == "FusedMatMul" and any(numbers.get(name) for name in ("transA", "transB"))
    )

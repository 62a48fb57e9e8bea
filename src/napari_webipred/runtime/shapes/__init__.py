"""Shape inference for ONNX graphs: one rule for each operator, and no computation."""

from __future__ import annotations

# Importing a module registers its rules.
from napari_webipred.runtime.shapes import elementwise, movement, products, quantised, reductions, windows  # noqa: F401
from napari_webipred.runtime.shapes.inference import infer
from napari_webipred.runtime.shapes.operator import RULES, Operator
from napari_webipred.runtime.shapes.value import Shape, Value

__all__ = ["RULES", "Operator", "Shape", "Value", "infer"]

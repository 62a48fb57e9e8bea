"""How large the tensors of an ONNX network are, told before anything is computed: one rule for each operator."""

from __future__ import annotations

# Importing a family enters its rules into the table.
from napari_webipred.runtime.shapes import elementwise, movement, products, quantised, reductions, windows  # noqa: F401
from napari_webipred.runtime.shapes.inference import infer
from napari_webipred.runtime.shapes.operator import RULES, Operator
from napari_webipred.runtime.shapes.value import Shape, Value

__all__ = ["RULES", "Operator", "Shape", "Value", "infer"]

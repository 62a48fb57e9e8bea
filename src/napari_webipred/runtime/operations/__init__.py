"""How TensorFlow operations become ONNX nodes, one module per family."""

from __future__ import annotations

# Importing a family enters its operations into the registry.
from napari_webipred.runtime.operations import arithmetic, picture, shape  # noqa: F401
from napari_webipred.runtime.operations.context import OPERATIONS, OpContext, Value

__all__ = ["OPERATIONS", "OpContext", "Value"]

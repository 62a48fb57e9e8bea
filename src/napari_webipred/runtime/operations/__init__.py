"""TensorFlow operations as ONNX nodes, one module per family."""

from __future__ import annotations

# Importing a module registers its operations.
from napari_webipred.runtime.operations import arithmetic, image, shape  # noqa: F401
from napari_webipred.runtime.operations.context import OPERATIONS, OpContext, Value

__all__ = ["OPERATIONS", "OpContext", "Value"]

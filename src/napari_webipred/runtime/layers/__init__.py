"""Keras layers as ONNX nodes, one module per family."""

from __future__ import annotations

# Importing a module registers its layers.
from napari_webipred.runtime.layers import (  # noqa: F401
    activation,
    attention,
    convolution,
    dense,
    indexing,
    merge,
    normalisation,
    operators,
    pooling,
    resize,
    shape,
)
from napari_webipred.runtime.layers.context import UNSUPPORTED, LayerContext
from napari_webipred.runtime.layers.registry import KINDS, Kind, faults

__all__ = ["KINDS", "UNSUPPORTED", "Kind", "LayerContext", "faults"]

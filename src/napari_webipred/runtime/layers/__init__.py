"""How Keras layers become ONNX nodes, one module per family."""

from __future__ import annotations

# Importing a family enters its layers into the registry.
from napari_webipred.runtime.layers import activation, convolution, dense, merge, normalisation, pooling, shape
from napari_webipred.runtime.layers.build import UNSUPPORTED, Build
from napari_webipred.runtime.layers.registry import KINDS, Kind, faults

__all__ = [
    "KINDS",
    "UNSUPPORTED",
    "Build",
    "Kind",
    "activation",
    "convolution",
    "dense",
    "faults",
    "merge",
    "normalisation",
    "pooling",
    "shape",
]

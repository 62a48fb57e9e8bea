"""Fully connected layers."""

from __future__ import annotations

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import activation
from napari_webipred.runtime.layers.context import Build
from napari_webipred.runtime.layers.registry import layer


@layer("Dense")
def dense(build: Build, x: Tensor) -> Tensor:
    """Multiply the last axis by a kernel of (in, out)."""
    x = build.graph.plain(build.rank(x, 1, 2, 3))
    inner, units = build.known(x, -1), build.integer("units")
    kernel = build.weight("kernel", (inner, units))
    bias = [build.weight("bias", (units,))] if build.flag("use_bias", default=True) else []
    if len(x.shape) == 1:
        name = build.node("Gemm", x.name, kernel, *bias)
    else:
        name = build.node("MatMul", x.name, kernel)
        name = build.node("Add", name, *bias) if bias else name
    return activation(build, Tensor(name, (*x.shape[:-1], units)))

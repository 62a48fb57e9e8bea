"""Fully connected layers."""

from __future__ import annotations

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import activation
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.registry import layer


@layer("Dense")
def dense(context: LayerContext, x: Tensor) -> Tensor:
    """Multiply by a kernel of (channels in, units) along the last axis."""
    x = context.graph.plain(context.rank(x, 1, 2, 3))
    inner, units = context.known(x, -1), context.integer("units")
    kernel = context.weight("kernel", (inner, units))
    bias = [context.weight("bias", (units,))] if context.flag("use_bias", default=True) else []
    if len(x.shape) == 1:
        name = context.node("Gemm", x.name, kernel, *bias)
    else:
        name = context.node("MatMul", x.name, kernel)
        name = context.node("Add", name, *bias) if bias else name
    return activation(context, Tensor(name, (*x.shape[:-1], units)))

"""Arithmetic that Keras records as layers: operators of TensorFlow and of Keras 3, and scaled sums."""

from __future__ import annotations

from napari_webipred.runtime.connections import is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.build import Build
from napari_webipred.runtime.layers.merge import combine
from napari_webipred.runtime.layers.registry import layer

_OPERATORS = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.multiply": "Mul",
    "math.subtract": "Sub",
}


@layer("TFOpLambda", numbers=True, function=tuple(_OPERATORS))
def operator(build: Build, x: Tensor | float) -> Tensor:
    """Add, multiply or subtract a number or a tensor, which the call has as its argument ``y``."""
    y = build.arguments.get("y")
    if y is None or not (isinstance(y, Tensor) or is_number(y)):
        raise build.refuse(f"is called with {y!r:.80} instead of a number or a tensor")
    op = _OPERATORS.get(build.option("function"))
    if op is None:
        raise build.wrong("function")
    return combine(build, op, [x, y])


@layer("LayerScale")
def layer_scale(build: Build, x: Tensor) -> Tensor:
    """Multiply each channel by a trained number."""
    x = build.graph.plain(x)
    gamma = build.weight("gamma", (build.known(x, -1),))
    return build.like(x, build.node("Mul", x.name, gamma))


@layer("CustomScaleLayer", inputs=2)
def scaled_sum(build: Build, first: Tensor, second: Tensor) -> Tensor:
    """Return first + scale * second."""
    scaled = build.node("Mul", second.name, build.constant(build.number("scale", 1.0)))
    return combine(build, "Add", [first, build.like(second, scaled)])

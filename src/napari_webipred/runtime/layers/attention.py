"""Attention of points to each other."""

from __future__ import annotations

import math

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import Build, is_integer
from napari_webipred.runtime.layers.registry import layer


@layer("MultiHeadAttention", inputs=None, attention_axes=(1, [1]), use_gate=(False,), sliding_window=())
def multi_head_attention(build: Build, query: Tensor, *others: Tensor) -> Tensor:
    """Mix values by softmax(query . key / sqrt(size of a key)), in several heads side by side.

    Tensors are (points, channels). What is not given as an operand may be an argument of the call; the keys are the
    values by default.
    """
    for name in (
        "attention_mask",
        "query_mask",
        "value_mask",
        "key_mask",
        "return_attention_scores",
        "use_causal_mask",
    ):
        if build.arguments.get(name):
            raise build.refuse(f"is called with {name}, which is not supported")
    given = [*others, None, None]
    value = given[0] or build.arguments.get("value")
    key = given[1] or build.arguments.get("key") or value
    if len(others) > 2 or not isinstance(value, Tensor) or not isinstance(key, Tensor):
        raise build.refuse("is not called with a query, a value and perhaps a key")
    heads, key_size = build.integer("num_heads"), build.integer("key_dim")
    value_size = build.integer("value_dim", key_size)
    output = build.option("output_shape", build.known(query, -1))
    output = output[0] if isinstance(output, list) and len(output) == 1 else output
    if not is_integer(output):
        raise build.wrong("output_shape")
    asked = _heads(build, "query", query, heads, key_size, [0, 2, 1, 3])
    offered = _heads(build, "key", key, heads, key_size, [0, 2, 3, 1])
    carried = _heads(build, "value", value, heads, value_size, [0, 2, 1, 3])
    scores = build.node("Mul", build.node("MatMul", asked, offered), build.constant(1 / math.sqrt(key_size)))
    mixed = build.node("MatMul", build.node("Softmax", scores, axis=-1), carried)
    joined = build.node("Transpose", mixed, perm=[0, 2, 1, 3])
    joined = build.node("Reshape", joined, build.integers(0, 0, heads * value_size))
    kernel = build.weight(
        "attention_output/kernel",
        (heads, value_size, int(output)),
        lambda weight: weight.reshape(heads * value_size, int(output)),
    )
    name = build.node("MatMul", joined, kernel)
    if build.flag("use_bias", default=True):
        name = build.node("Add", name, build.weight("attention_output/bias", (int(output),)))
    return Tensor(name, (query.shape[0], int(output)))


def _heads(build: Build, role: str, x: Tensor, heads: int, size: int, perm: list[int]) -> str:
    """Project (batch, points, channels) to (batch, points, heads, size), and put the axes in another order."""
    inner = build.known(build.rank(x, 2), 1)
    kernel = build.weight(f"{role}/kernel", (inner, heads, size), lambda weight: weight.reshape(inner, heads * size))
    name = build.node("MatMul", x.name, kernel)
    if build.flag("use_bias", default=True):
        bias = build.weight(f"{role}/bias", (heads, size), lambda weight: weight.reshape(heads * size))
        name = build.node("Add", name, bias)
    name = build.node("Reshape", name, build.integers(0, 0, heads, size))
    return build.node("Transpose", name, perm=perm)

"""Attention layers."""

from __future__ import annotations

import math

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.registry import layer


@layer("MultiHeadAttention", inputs=None, attention_axes=(1, [1]), use_gate=(False,), sliding_window=())
def multi_head_attention(context: LayerContext, query: Tensor, *others: Tensor) -> Tensor:
    """Compute softmax(query . key / sqrt(key_dim)) . value for several heads.

    Tensors are (points, channels). Value and key may be inputs or named arguments of the call; by default the value is
    used as key.
    """
    for name in (
        "attention_mask",
        "query_mask",
        "value_mask",
        "key_mask",
        "return_attention_scores",
        "use_causal_mask",
    ):
        if context.arguments.get(name):
            raise context.refuse(f"is called with the unsupported argument {name}")
    given = [*others, None, None]
    value = given[0] or context.arguments.get("value")
    key = given[1] or context.arguments.get("key") or value
    if len(others) > 2 or not isinstance(value, Tensor) or not isinstance(key, Tensor):
        raise context.refuse("needs a query and a value as inputs, and optionally a key")
    heads, key_size = context.integer("num_heads"), context.integer("key_dim")
    value_size = context.integer("value_dim", key_size)
    output = context.option("output_shape", context.known(query, -1))
    output = output[0] if isinstance(output, list) and len(output) == 1 else output
    if not is_integer(output):
        raise context.wrong("output_shape")
    queries = _heads(context, "query", query, heads, key_size, [0, 2, 1, 3])
    keys = _heads(context, "key", key, heads, key_size, [0, 2, 3, 1])
    values = _heads(context, "value", value, heads, value_size, [0, 2, 1, 3])
    scores = context.node("Mul", context.node("MatMul", queries, keys), context.constant(1 / math.sqrt(key_size)))
    weighted = context.node("MatMul", context.node("Softmax", scores, axis=-1), values)
    merged = context.node("Transpose", weighted, perm=[0, 2, 1, 3])
    merged = context.node("Reshape", merged, context.integers(0, 0, heads * value_size))
    kernel = context.weight(
        "attention_output/kernel",
        (heads, value_size, int(output)),
        lambda weight: weight.reshape(heads * value_size, int(output)),
    )
    name = context.node("MatMul", merged, kernel)
    if context.flag("use_bias", default=True):
        name = context.node("Add", name, context.weight("attention_output/bias", (int(output),)))
    return Tensor(name, (query.shape[0], int(output)))


def _heads(context: LayerContext, role: str, x: Tensor, heads: int, size: int, perm: list[int]) -> str:
    """Project (batch, points, channels) to (batch, points, heads, size), and permute the axes."""
    inner = context.known(context.rank(x, 2), 1)
    kernel = context.weight(f"{role}/kernel", (inner, heads, size), lambda weight: weight.reshape(inner, heads * size))
    name = context.node("MatMul", x.name, kernel)
    if context.flag("use_bias", default=True):
        bias = context.weight(f"{role}/bias", (heads, size), lambda weight: weight.reshape(heads * size))
        name = context.node("Add", name, bias)
    name = context.node("Reshape", name, context.integers(0, 0, heads, size))
    return context.node("Transpose", name, perm=perm)

"""Layers and operators that combine several tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np

from napari_webipred.runtime.connections import Row
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import stored_axis
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.registry import layer


@layer("Add", inputs=None, numbers=True)
def add(context: LayerContext, *tensors: Tensor | float | Row) -> Tensor:
    """Add element by element."""
    return combine(context, "Add", tensors)


@layer("Multiply", inputs=None, numbers=True)
def multiply(context: LayerContext, *tensors: Tensor | float | Row) -> Tensor:
    """Multiply element by element."""
    return combine(context, "Mul", tensors)


@layer("Subtract", inputs=2, numbers=True)
def subtract(context: LayerContext, *tensors: Tensor | float | Row) -> Tensor:
    """Subtract the second from the first."""
    return combine(context, "Sub", tensors)


@layer("Average", inputs=None)
def average(context: LayerContext, *tensors: Tensor) -> Tensor:
    """Take the mean, element by element."""
    total = combine(context, "Add", tensors)
    return context.like(total, context.node("Div", total.name, context.constant(len(tensors))))


@layer("Maximum", inputs=None, numbers=True)
def maximum(context: LayerContext, *tensors: Tensor | float | Row) -> Tensor:
    """Take the largest, element by element."""
    return combine(context, "Max", tensors)


@layer("Minimum", inputs=None, numbers=True)
def minimum(context: LayerContext, *tensors: Tensor | float | Row) -> Tensor:
    """Take the smallest, element by element."""
    return combine(context, "Min", tensors)


@layer("Concatenate", inputs=None)
def concatenate(context: LayerContext, *tensors: Tensor) -> Tensor:
    """Concatenate along an axis, by default the last one."""
    value = context.option("axis", -1)
    if not is_integer(value):
        raise context.wrong("axis")
    axis = context.axis(tensors[0], int(value))
    tensors = tuple(_stored_alike(context, tensors))
    shape = list(tensors[0].shape)
    for tensor in tensors[1:]:
        rest = [(a, b) for i, (a, b) in enumerate(zip(shape, tensor.shape, strict=False)) if i != axis]
        if len(tensor.shape) != len(shape) or any(a != b and a is not None and b is not None for a, b in rest):
            raise context.refuse(f"cannot concatenate tensors of shapes {shape} and {list(tensor.shape)}")
    sizes = [tensor.shape[axis] for tensor in tensors]
    shape[axis] = None if None in sizes else sum(size or 0 for size in sizes)
    name = context.node("Concat", *(tensor.name for tensor in tensors), axis=stored_axis(tensors[0], axis))
    return Tensor(name, tuple(shape), tensors[0].nchw)


def combine(context: LayerContext, op: str, operands: Sequence[Tensor | float | Row]) -> Tensor:
    """Apply a binary operation from left to right, with the broadcasting of Keras."""
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    if len(operands) < 2:
        # A Keras 3 operator may have the class name of a layer, for example Average.
        raise context.refuse(f"needs at least two inputs, but has {len(operands)}")
    if not tensors:
        raise context.refuse("needs at least one tensor as input, but all inputs are numbers")
    tensors = _stored_alike(context, _same_rank(context, tensors))
    shape = tensors[0].shape
    for tensor in tensors[1:]:
        shape = _broadcast(context, shape, tensor.shape)
    remaining = iter(tensors)
    names = []
    for operand in operands:
        if isinstance(operand, Tensor):
            names.append(next(remaining).name)
            continue
        if isinstance(operand, tuple):
            shape = _broadcast(context, shape, (*[1] * (len(shape) - 1), len(operand)))
        numbers = np.asarray(operand, np.float32)
        names.append(context.constant(numbers.reshape(-1, 1, 1) if tensors[0].nchw and numbers.ndim else numbers))
    return Tensor(reduce(partial(context.node, op), names), shape, tensors[0].nchw)


def _same_rank(context: LayerContext, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Insert axes of size 1 after the batch axis where tensors have fewer axes, as Keras does."""
    rank = max(len(tensor.shape) for tensor in tensors)
    same = []
    for tensor in tensors:
        missing = rank - len(tensor.shape)
        if missing:
            plain = context.graph.plain(tensor)
            name = context.node("Unsqueeze", plain.name, context.integers(*range(1, 1 + missing)))
            tensor = Tensor(name, (1,) * missing + plain.shape)
        same.append(tensor)
    return same


def _stored_alike(context: LayerContext, tensors: Sequence[Tensor]) -> list[Tensor]:
    if any(tensor.nchw for tensor in tensors) and all(len(tensor.shape) == 3 for tensor in tensors):
        return [context.graph.nchw(tensor) for tensor in tensors]
    return [context.graph.plain(tensor) for tensor in tensors]


def _broadcast(context: LayerContext, a: Sequence[int | None], b: Sequence[int | None]) -> tuple[int | None, ...]:
    shape = []
    for m, n in zip(a, b, strict=True):
        if m is not None and n is not None and m != n and 1 not in {m, n}:
            raise context.refuse(f"cannot combine tensors of shapes {list(a)} and {list(b)}")
        shape.append(n if m == 1 or (m is None and n != 1) else m)
    return tuple(shape)

"""Layers and operators that make one tensor of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np

from napari_webipred.runtime.connections import Row
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import stored_axis
from napari_webipred.runtime.layers.context import Build, is_integer
from napari_webipred.runtime.layers.registry import layer


@layer("Add", inputs=None, numbers=True)
def add(build: Build, *tensors: Tensor | float | Row) -> Tensor:
    """Add element by element."""
    return combine(build, "Add", tensors)


@layer("Multiply", inputs=None, numbers=True)
def multiply(build: Build, *tensors: Tensor | float | Row) -> Tensor:
    """Multiply element by element."""
    return combine(build, "Mul", tensors)


@layer("Subtract", inputs=2, numbers=True)
def subtract(build: Build, *tensors: Tensor | float | Row) -> Tensor:
    """Subtract the second from the first."""
    return combine(build, "Sub", tensors)


@layer("Average", inputs=None)
def average(build: Build, *tensors: Tensor) -> Tensor:
    """Take the mean, element by element."""
    total = combine(build, "Add", tensors)
    return build.like(total, build.node("Div", total.name, build.constant(len(tensors))))


@layer("Maximum", inputs=None, numbers=True)
def maximum(build: Build, *tensors: Tensor | float | Row) -> Tensor:
    """Take the largest, element by element."""
    return combine(build, "Max", tensors)


@layer("Minimum", inputs=None, numbers=True)
def minimum(build: Build, *tensors: Tensor | float | Row) -> Tensor:
    """Take the smallest, element by element."""
    return combine(build, "Min", tensors)


@layer("Concatenate", inputs=None)
def concatenate(build: Build, *tensors: Tensor) -> Tensor:
    """Join along an axis, the last by default."""
    value = build.option("axis", -1)
    if not is_integer(value):
        raise build.wrong("axis")
    axis = build.axis(tensors[0], int(value))
    tensors = tuple(_stored_alike(build, tensors))
    shape = list(tensors[0].shape)
    for tensor in tensors[1:]:
        rest = [(a, b) for i, (a, b) in enumerate(zip(shape, tensor.shape, strict=False)) if i != axis]
        if len(tensor.shape) != len(shape) or any(a != b and a is not None and b is not None for a, b in rest):
            raise build.refuse(
                f"gets tensors of the shapes {shape} and {list(tensor.shape)}, which do not fit together"
            )
    sizes = [tensor.shape[axis] for tensor in tensors]
    shape[axis] = None if None in sizes else sum(size or 0 for size in sizes)
    name = build.node("Concat", *(tensor.name for tensor in tensors), axis=stored_axis(tensors[0], axis))
    return Tensor(name, tuple(shape), tensors[0].nchw)


def combine(build: Build, op: str, operands: Sequence[Tensor | float | Row]) -> Tensor:
    """Apply an operation of two operands from left to right, with the broadcasting of Keras."""
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    if len(operands) < 2:
        raise build.refuse("is given one tensor only")  # an operator of Keras 3 by the name of a layer, as Average
    if not tensors:
        raise build.refuse("is given numbers only")
    tensors = _stored_alike(build, _same_rank(build, tensors))
    shape = tensors[0].shape
    for tensor in tensors[1:]:
        shape = _broadcast(build, shape, tensor.shape)
    aligned = iter(tensors)
    names = []
    for operand in operands:
        if isinstance(operand, Tensor):
            names.append(next(aligned).name)
            continue
        if isinstance(operand, tuple):
            shape = _broadcast(build, shape, (*[1] * (len(shape) - 1), len(operand)))
        numbers = np.asarray(operand, np.float32)
        names.append(build.constant(numbers.reshape(-1, 1, 1) if tensors[0].nchw and numbers.ndim else numbers))
    return Tensor(reduce(partial(build.node, op), names), shape, tensors[0].nchw)


def _same_rank(build: Build, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Give tensors with fewer axes the missing ones after the batch, as Keras does."""
    rank = max(len(tensor.shape) for tensor in tensors)
    same = []
    for tensor in tensors:
        lacking = rank - len(tensor.shape)
        if lacking:
            plain = build.graph.plain(tensor)
            name = build.node("Unsqueeze", plain.name, build.integers(*range(1, 1 + lacking)))
            tensor = Tensor(name, (1,) * lacking + plain.shape)
        same.append(tensor)
    return same


def _stored_alike(build: Build, tensors: Sequence[Tensor]) -> list[Tensor]:
    if any(tensor.nchw for tensor in tensors) and all(len(tensor.shape) == 3 for tensor in tensors):
        return [build.graph.nchw(tensor) for tensor in tensors]
    return [build.graph.plain(tensor) for tensor in tensors]


def _broadcast(build: Build, a: Sequence[int | None], b: Sequence[int | None]) -> tuple[int | None, ...]:
    shape = []
    for m, n in zip(a, b, strict=True):
        if m is not None and n is not None and m != n and 1 not in {m, n}:
            raise build.refuse(f"gets tensors of the shapes {list(a)} and {list(b)}, which do not fit together")
        shape.append(n if m == 1 or (m is None and n != 1) else m)
    return tuple(shape)

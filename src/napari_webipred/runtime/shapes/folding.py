"""Constant folding of small tensors, because graphs compute the shapes of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.runtime.onnx_graph import ELEMENT_TYPES
from napari_webipred.runtime.shapes.movement import count_of, slices, split_sizes
from napari_webipred.runtime.shapes.operator import Operator
from napari_webipred.runtime.shapes.value import Value

Array = NDArray[Any]
Fold = Callable[[Operator, list[Array]], "Array | list[Array] | None"]


def folded(operator: Operator, made: Sequence[Value]) -> list[Array] | None:
    """Compute the outputs of an operation with known inputs; None if that is not supported.

    Parameters
    ----------
    operator : Operator
    made : sequence of Value
        Shapes and dtypes of the outputs.
    """
    fold = FOLDS.get(operator.operation.kind)
    arrays = [value.numbers for value in operator.values if value is not None]
    known = all(array is not None for array in arrays)
    if fold is None or not known or any(value.size > limits.KNOWN_NUMBERS for value in made):
        return None
    with np.errstate(all="ignore"):
        found = fold(operator, [array for array in arrays if array is not None])
    if found is None:
        return None
    results = found if isinstance(found, list) else [found]
    typed = [_typed(result, value) for result, value in zip(results, made, strict=True)]
    whole = [each for each in typed if each is not None]
    return whole if len(whole) == len(made) else None


def _typed(result: Array, value: Value) -> Array | None:
    """Convert an output to its dtype; None if the values do not fit."""
    width = ELEMENT_TYPES[value.element_type].numpy
    if width is None:
        return None
    whole = np.dtype(width).kind in "iu" and result.dtype.kind == "f"
    if whole and not (np.isfinite(result).all() and (np.abs(result) < 2**31).all()):
        return None
    return np.asarray(result).astype(width).reshape(value.shape)


def _divided(a: Array, b: Array) -> Array | None:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        return None
    quotient = np.floor_divide(np.abs(a), np.abs(b))  # towards zero, as in C
    return np.asarray(quotient * np.sign(a) * np.sign(b))


def _remainder(operator: Operator, a: Array, b: Array) -> Array | None:
    if not b.all():
        return None
    return np.asarray(np.fmod(a, b) if operator.whole("fmod", 0) else np.mod(a, b))


def _power(a: Array, b: Array) -> Array | None:
    return None if b.dtype.kind in "iu" and (b < 0).any() else np.asarray(np.power(a, b))


def _counted(operator: Operator, arrays: list[Array]) -> Array:
    begin, _, step = (array.ravel()[0] for array in arrays)
    return np.asarray(begin + step * np.arange(count_of(operator)))


def _gathered(operator: Operator, arrays: list[Array]) -> Array | None:
    data, chosen = arrays
    axis = operator.whole("axis", 0)
    size = data.shape[axis]
    if ((chosen < -size) | (chosen >= size)).any():
        return None
    return np.take(data, chosen, axis)


def _sliced(operator: Operator, arrays: list[Array]) -> Array:
    found = slices(operator)
    return np.asarray(arrays[0][tuple(slice(*found.get(axis, (None,))) for axis in range(arrays[0].ndim))])


def _clipped(operator: Operator, arrays: list[Array]) -> Array:
    made, *bounds = arrays
    if operator.has(1):
        made = np.maximum(made, bounds.pop(0))
    return np.asarray(np.minimum(made, bounds.pop(0)) if operator.has(2) else made)


def _split(operator: Operator, arrays: list[Array]) -> list[Array] | None:
    axis = operator.axis(operator.whole("axis", 0), arrays[0].ndim)
    return np.split(arrays[0], np.cumsum(split_sizes(operator))[:-1], axis)


def _constant_of_shape(operator: Operator, arrays: list[Array]) -> Array | None:
    constant = operator.tensor("value")
    if constant is None:
        return np.zeros(arrays[0].astype(int), np.float32)
    value = constant.numbers()
    return None if value is None or value.size != 1 else np.full(arrays[0].astype(int), value.ravel()[0])


def _reduction(function: Callable[..., Any]) -> Callable[[Operator, list[Array]], Array]:
    def fold(operator: Operator, arrays: list[Array]) -> Array:
        axes = operator.axes("axes", 1, arrays[0].ndim)
        if not axes and operator.whole("noop_with_empty_axes", 0):
            return arrays[0]
        return np.asarray(function(arrays[0], axis=tuple(axes) if axes else None))

    return fold


def _pairs(function: Callable[[Array, Array], Any]) -> Callable[[Operator, list[Array]], Array | None]:
    return lambda _, arrays: function(arrays[0], arrays[1])


def _each(function: Callable[[Array], Any]) -> Callable[[Operator, list[Array]], Array]:
    return lambda _, arrays: np.asarray(function(arrays[0]))


def _unchanged(operator: Operator, arrays: list[Array]) -> Array:
    return arrays[0]


FOLDS: dict[str, Fold] = {
    "Abs": _each(np.abs),
    "Neg": _each(np.negative),
    "Ceil": _each(np.ceil),
    "Floor": _each(np.floor),
    "Round": _each(np.round),
    "Sqrt": _each(np.sqrt),
    "Sign": _each(np.sign),
    "Not": _each(np.logical_not),
    "Add": _pairs(np.add),
    "Sub": _pairs(np.subtract),
    "Mul": _pairs(np.multiply),
    "Div": _pairs(_divided),
    "Mod": lambda operator, arrays: _remainder(operator, *arrays),
    "Max": lambda _, arrays: reduce(np.maximum, arrays),
    "Min": lambda _, arrays: reduce(np.minimum, arrays),
    "Sum": lambda _, arrays: reduce(np.add, arrays),
    "Pow": _pairs(_power),
    "Clip": _clipped,
    "Equal": _pairs(np.equal),
    "Greater": _pairs(np.greater),
    "GreaterOrEqual": _pairs(np.greater_equal),
    "Less": _pairs(np.less),
    "LessOrEqual": _pairs(np.less_equal),
    "And": _pairs(np.logical_and),
    "Or": _pairs(np.logical_or),
    "Where": lambda _, arrays: np.where(*arrays),
    "Cast": _unchanged,
    "Identity": _unchanged,
    "Reshape": _unchanged,
    "Flatten": _unchanged,
    "Squeeze": _unchanged,
    "Unsqueeze": _unchanged,
    "Transpose": lambda operator, arrays: np.transpose(arrays[0], operator.listed("perm")),
    "Concat": lambda operator, arrays: np.concatenate(arrays, operator.whole("axis", 1)),
    "Expand": lambda _, arrays: np.asarray(arrays[0] * np.ones(arrays[1].astype(int), arrays[0].dtype)),
    "Tile": lambda _, arrays: np.tile(arrays[0], arrays[1].astype(int)),
    "Gather": _gathered,
    "Slice": _sliced,
    "Split": _split,
    "Range": _counted,
    "ConstantOfShape": _constant_of_shape,
    "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum),
    "ReduceMax": _reduction(np.max),
    "ReduceMin": _reduction(np.min),
}

"""The head of a network in NumPy, in float64: from the last features to the logits, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_webipred import limits
from napari_webipred.explanations.operations import OPERATIONS, UnknownOperationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.runtime.cut import Cut
    from napari_webipred.runtime.onnx_graph import Constant, Operation

    Array: TypeAlias = NDArray[np.float64]

# Operations of two tensors: the value, and the products of g with the derivatives by each of them.
PAIRS: dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array, Array], tuple[Array, Array]]]] = {
    "Add": (lambda a, b: a + b, lambda a, b, g: (g, g)),
    "Sub": (lambda a, b: a - b, lambda a, b, g: (g, -g)),
    "Mul": (lambda a, b: a * b, lambda a, b, g: (g * b, g * a)),
    "Div": (lambda a, b: a / b, lambda a, b, g: (g / b, -g * a / b**2)),
}
STEP = 1e-6  # of the features, relative, by which a derivative along them is measured


class Head:
    """The operations from the features to the logits.

    Parameters
    ----------
    cut : Cut
        With features.

    Raises
    ------
    UnknownOperationError
        It holds an operation that is not known here.
    """

    def __init__(self, cut: Cut) -> None:
        assert cut.features is not None
        unknown = [op.kind for op in cut.head if op.kind not in OPERATIONS | PAIRS and op.kind != "Concat"]
        if unknown:
            raise UnknownOperationError(unknown[0])
        self._features, self._logits, self._operations = cut.features, cut.logits, cut.head
        used = {name for operation in cut.head for name in operation.inputs}
        if sum(cut.constants[name].size for name in used if name in cut.constants) * 8 > limits.memory_budget() / 2:
            raise UnknownOperationError("more weights than fit into memory twice")
        self._constants = {name: _numbers(cut.constants[name]) for name in used if name in cut.constants}

    def logits(self, features: NDArray[np.floating]) -> Array:
        """Compute the logits of one image.

        Parameters
        ----------
        features : ndarray, shape (channels, rows, columns)

        Returns
        -------
        ndarray of float64, shape (n_outputs,)
        """
        return self._values(features)[self._logits].ravel()

    def derivative(self, features: NDArray[np.floating], weights: Array) -> Array:
        """Compute the derivative of sums of logits by the features.

        Parameters
        ----------
        features : ndarray, shape (channels, rows, columns)
        weights : ndarray of float64, shape (n, n_outputs)
            Of the logits in each of n sums.

        Returns
        -------
        ndarray of float64, shape (n, channels, rows, columns)
        """
        values = self._values(features)
        end = values[self._logits]
        pulled: dict[str, Array] = {self._logits: weights.reshape(len(weights), *end.shape[1:])}
        for operation in reversed(self._operations):
            g = pulled.pop(operation.outputs[0], None)
            if g is None:
                continue
            for name, part in zip(operation.inputs, self._pulled(operation, values, g), strict=False):
                if part is not None and name not in self._constants:
                    pulled[name] = pulled[name] + part if name in pulled else part
        back = pulled.get(self._features)
        return np.zeros((len(weights), *features.shape)) if back is None else np.array(back)

    def along(self, features: NDArray[np.floating]) -> Array:
        """Measure how the logits grow with the features: their derivative along them, by a central difference."""
        wide = np.asarray(features, np.float64)
        difference: Array = (self.logits(wide * (1 + STEP)) - self.logits(wide * (1 - STEP))) / (2 * STEP)
        return difference

    def _values(self, features: NDArray[np.floating]) -> dict[str, Array]:
        values: dict[str, Array] = {self._features: np.asarray(features, np.float64)[None]}
        for operation in self._operations:
            inputs = self._inputs(operation, values)
            if operation.kind in PAIRS:
                value = PAIRS[operation.kind][0](inputs[0], inputs[1])
            elif operation.kind == "Concat":
                value = np.concatenate(inputs, axis=_axis_of(operation))
            else:
                value = OPERATIONS[operation.kind][0](operation.attributes, inputs)
            values[operation.outputs[0]] = value
        return values

    def _inputs(self, operation: Operation, values: dict[str, Array]) -> list[Array]:
        empty = np.zeros(0)  # an optional input that is absent
        return [
            values[name] if name in values else self._constants[name] if name else empty for name in operation.inputs
        ]

    def _pulled(self, operation: Operation, values: dict[str, Array], g: Array) -> Sequence[Array | None]:
        inputs = self._inputs(operation, values)
        if operation.kind in PAIRS:
            pairs = PAIRS[operation.kind][1](inputs[0], inputs[1], g)
            return [
                None if name in self._constants else _summed(part, each.shape)
                for name, part, each in zip(operation.inputs, pairs, inputs, strict=True)
            ]
        if operation.kind == "Concat":
            axis = _axis_of(operation)
            ends = np.cumsum([each.shape[axis] for each in inputs])[:-1]
            return list(np.split(g, ends, axis=axis))
        return [OPERATIONS[operation.kind][1](operation.attributes, inputs, values[operation.outputs[0]], g)]


def _numbers(constant: Constant) -> Array:
    numbers = constant.array()
    if numbers is None:
        raise UnknownOperationError("a constant")
    return numbers.astype(np.float64)


def _axis_of(operation: Operation) -> int:
    axis = operation.attributes["axis"]
    if not isinstance(axis, int) or axis == 0:
        raise UnknownOperationError("Concat")
    return axis


def _summed(g: Array, shape: tuple[int, ...]) -> Array:
    """Undo the repetition of an input of one image: add what belongs to the same number of it."""
    if len(shape) != g.ndim:
        raise UnknownOperationError("an operation on tensors of different ranks")
    axes = tuple(axis for axis, size in enumerate(shape) if axis and size == 1 and g.shape[axis] != 1)
    summed: Array = g.sum(axis=axes, keepdims=True) if axes else g
    return summed

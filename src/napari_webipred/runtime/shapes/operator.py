"""An operator with its inputs, and the table of rules for output shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.onnx_graph import Constant, Operation
from napari_webipred.runtime.shapes.value import Shape, Value

_BROKEN = "Export the model again, or ask its publisher to do so."
_DYNAMIC = "Export the model again with a fixed image size, and without operators of dynamic output size."


class Operator(Struct, frozen=True):
    """An operation with its inputs.

    Attributes
    ----------
    operation : Operation
    values : tuple of (Value or None)
        One for each input; None for an optional input that is absent.
    opset : int
        Opset version of its domain.
    """

    operation: Operation
    values: tuple[Value | None, ...]
    opset: int

    @property
    def count(self) -> int:
        """Number of outputs, including absent ones."""
        return len(self.operation.outputs)

    def has(self, index: int) -> bool:
        """Tell whether an input is present."""
        return index < len(self.values) and self.values[index] is not None

    def value(self, index: int = 0) -> Value:
        """Return a required input."""
        value = self.values[index] if index < len(self.values) else None
        if value is None:
            raise self.refuse(f"has no input {index}")
        return value

    def given(self) -> list[Value]:
        """Return all inputs that are present."""
        return [value for value in self.values if value is not None]

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of an input."""
        return self.value(index).shape

    def rank(self, count: int, index: int = 0) -> Shape:
        """Return the shape of an input, which must have at least `count` axes."""
        shape = self.shape(index)
        if len(shape) < count:
            raise self.refuse(f"needs an input with at least {count} axes, but its input has the shape {list(shape)}")
        return shape

    def like(self, shape: Sequence[int], index: int = 0) -> Value:
        """Return a value of this shape with the dtype of an input."""
        return Value(self.value(index).element_type, tuple(shape))

    def integers(self, index: int) -> list[int]:
        """Return the integers of an input, which must be constant."""
        value = self.value(index)
        if value.numbers is None:
            raise self.unbounded()
        return [int(n) for n in np.asarray(value.numbers).ravel()]

    def floats(self, index: int) -> list[float]:
        """Return the numbers of an input, which must be constant."""
        value = self.value(index)
        if value.numbers is None:
            raise self.unbounded()
        return [float(n) for n in np.asarray(value.numbers, np.float32).ravel()]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, which must have the type of its default unless that is None."""
        value = self.operation.attributes.get(name, default)
        if default is not None and not isinstance(value, type(default)):
            raise self.refuse(f"has an invalid attribute: {name}={value!r:.80}")
        return value

    def whole(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value: int = self.attribute(name, default)
        return value

    def listed(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of integers; the default if it is absent."""
        value = self.operation.attributes.get(name)
        if value is None:
            return None if default is None else list(default)
        if not isinstance(value, list):
            raise self.refuse(f"has an invalid attribute: {name}={value!r:.80}")
        return [n for n in value if isinstance(n, int)]

    def tensor(self, name: str) -> Constant | None:
        """Return a tensor attribute."""
        value = self.operation.attributes.get(name)
        return value if isinstance(value, Constant) else None

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis as a non-negative index."""
        if not -rank <= axis < rank:
            raise self.refuse(f"cannot use axis {axis} of a tensor with {rank} axes")
        return axis % rank

    def axes(self, name: str, index: int, rank: int) -> list[int] | None:
        """Return axes, which are an attribute in older opsets and an input in newer ones; None if absent."""
        found = self.integers(index) if self.has(index) else self.listed(name)
        return None if found is None else [self.axis(axis, rank) for axis in found]

    def refuse(self, fault: str) -> ModelError:
        """Return the error that names this operation."""
        return ModelError(f"The operation {self.operation.kind[:80]} {fault}.", _BROKEN)

    def unbounded(self) -> LimitError:
        """Return the error for an output whose size is known only at run time."""
        return LimitError(
            f"The output size of the operation {self.operation.kind[:80]} is known only at run time, so its memory "
            "cannot be limited.",
            _DYNAMIC,
        )


Rule: TypeAlias = Callable[[Operator], Sequence[Value] | Value]

RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Register a function in `RULES` for these operators."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES[kind] = function
        return function

    return register

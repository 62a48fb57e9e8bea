"""What the rule of an operator works with, and the table of the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.onnx_graph import Constant, Operation
from napari_webipred.runtime.shapes.value import Shape, Value

_BROKEN = "Export the model again, or ask its publisher for a new conversion."
_LATE = "Export the model again for one fixed image size, without operators whose result depends on the image."


@dataclass(frozen=True, slots=True)
class Operator:
    """An operation, and the tensors that it is given.

    Attributes
    ----------
    operation : Operation
    values : tuple of (Value or None)
        One for each input; None where an optional one is left out.
    opset : int
        Version of the operators of its domain.
    """

    operation: Operation
    values: tuple[Value | None, ...]
    opset: int

    @property
    def count(self) -> int:
        """How many outputs are asked for, those that are left out counted as well."""
        return len(self.operation.outputs)

    def has(self, index: int) -> bool:
        """Tell whether an input is given."""
        return index < len(self.values) and self.values[index] is not None

    def value(self, index: int = 0) -> Value:
        """Return an input that must be given."""
        value = self.values[index] if index < len(self.values) else None
        if value is None:
            raise self.refuse(f"lacks its input {index}")
        return value

    def given(self) -> list[Value]:
        """Return all inputs that are given."""
        return [value for value in self.values if value is not None]

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of an input."""
        return self.value(index).shape

    def rank(self, count: int, index: int = 0) -> Shape:
        """Return the shape of an input that must have at least so many axes."""
        shape = self.shape(index)
        if len(shape) < count:
            raise self.refuse(f"is given a tensor of shape {list(shape)}")
        return shape

    def like(self, shape: Sequence[int], index: int = 0) -> Value:
        """Return a tensor of the element type of an input."""
        return Value(self.value(index).element_type, tuple(shape))

    def integers(self, index: int) -> list[int]:
        """Return the whole numbers of an input, which must be known before the network runs."""
        value = self.value(index)
        if value.numbers is None:
            raise self.unbounded()
        return [int(n) for n in np.asarray(value.numbers).ravel()]

    def floats(self, index: int) -> list[float]:
        """Return the numbers of an input, which must be known before the network runs."""
        value = self.value(index)
        if value.numbers is None:
            raise self.unbounded()
        return [float(n) for n in np.asarray(value.numbers, np.float32).ravel()]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, which must be of the same kind as its default if that is not None."""
        value = self.operation.attributes.get(name, default)
        if default is not None and not isinstance(value, type(default)):
            raise self.refuse(f"has the attribute {name}={value!r:.80}")
        return value

    def whole(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value: int = self.attribute(name, default)
        return value

    def listed(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of whole numbers; the default if it is absent."""
        value = self.operation.attributes.get(name)
        if value is None:
            return None if default is None else list(default)
        if not isinstance(value, list):
            raise self.refuse(f"has the attribute {name}={value!r:.80}")
        return [n for n in value if isinstance(n, int)]

    def tensor(self, name: str) -> Constant | None:
        """Return an attribute that is a tensor."""
        value = self.operation.attributes.get(name)
        return value if isinstance(value, Constant) else None

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis, which may be counted from the end, as a place from 0."""
        if not -rank <= axis < rank:
            raise self.refuse(f"has the axis {axis} for a tensor of {rank} axes")
        return axis % rank

    def axes(self, name: str, index: int, rank: int) -> list[int] | None:
        """Return axes that older versions have as an attribute and newer ones as an input; None if none are given."""
        found = self.integers(index) if self.has(index) else self.listed(name)
        return None if found is None else [self.axis(axis, rank) for axis in found]

    def refuse(self, fault: str) -> ModelError:
        """Return an error about this operation that can be raised."""
        return ModelError(f"An operation {self.operation.kind[:80]} of the network {fault}.", _BROKEN)

    def unbounded(self) -> LimitError:
        """Return the error for a result whose size only the running network knows."""
        return LimitError(
            f"How large the result of the operation {self.operation.kind[:80]} becomes is known only while the "
            "network runs, so its memory cannot be limited.",
            _LATE,
        )


Rule: TypeAlias = Callable[[Operator], Sequence[Value] | Value]

RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Enter a function into `RULES` under the names of the operators whose results it tells."""

    def enter(function: Rule) -> Rule:
        for kind in kinds:
            RULES[kind] = function
        return function

    return enter

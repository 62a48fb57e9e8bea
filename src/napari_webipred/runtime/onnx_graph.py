"""An ONNX model as plain data: operations, constants, inputs and outputs, read without copying the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.protobuf import Message, fields

# Numbers of fields in the messages of ONNX.
_MODEL_GRAPH, _MODEL_OPSET, _MODEL_PROPERTY = 7, 8, 14
_GRAPH_NODE, _GRAPH_CONSTANT, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _DOUBLE_DATA, _UINT64_DATA = 4, 5, 7, 10, 11

_BROKEN = "Get the file again from its source."


@dataclass(frozen=True, slots=True)
class ElementType:
    """What the elements of a tensor are: ONNX' word, the bytes of one, and the type that NumPy has for it."""

    name: str
    bytes: float
    numpy: str | None = None


FLOAT, INT64, BOOL, FLOAT16, DOUBLE = 1, 7, 9, 10, 11
# By ONNX' number for the type. Strings and the types of which ONNX Runtime computes nothing are not among them.
ELEMENT_TYPES = {
    1: ElementType("float", 4, "<f4"),
    2: ElementType("uint8", 1, "<u1"),
    3: ElementType("int8", 1, "<i1"),
    4: ElementType("uint16", 2, "<u2"),
    5: ElementType("int16", 2, "<i2"),
    6: ElementType("int32", 4, "<i4"),
    7: ElementType("int64", 8, "<i8"),
    9: ElementType("bool", 1, "?"),
    10: ElementType("float16", 2, "<f2"),
    11: ElementType("double", 8, "<f8"),
    12: ElementType("uint32", 4, "<u4"),
    13: ElementType("uint64", 8, "<u8"),
    16: ElementType("bfloat16", 2),
    21: ElementType("uint4", 0.5),
    22: ElementType("int4", 0.5),
}
# The field in which numbers of a type stand if they are not raw bytes, and how each stands there.
_TYPED: dict[int, tuple[int, str | None]] = {
    1: (_FLOAT_DATA, "<f4"),
    7: (_INT64_DATA, None),
    11: (_DOUBLE_DATA, "<f8"),
    12: (_UINT64_DATA, None),
    13: (_UINT64_DATA, None),
}

Attribute: TypeAlias = "int | float | str | list[int] | list[float] | Constant | None"


@dataclass(frozen=True)
class Constant:
    """A tensor that stands in the file.

    Attributes
    ----------
    name : str
    element_type : int
        ONNX' number for it.
    shape : tuple of int
    """

    name: str
    element_type: int
    shape: tuple[int, ...]
    _message: Message = field(repr=False)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def complete(self) -> bool:
        """Whether the file holds as many numbers as the shape says."""
        if self.element_type not in ELEMENT_TYPES or any(n < 0 for n in self.shape):
            return False
        if self._message.has(_TENSOR_RAW):
            stored = len(self._message.view(_TENSOR_RAW))
            return stored == math.ceil(self.size * ELEMENT_TYPES[self.element_type].bytes)
        number, width = _TYPED.get(self.element_type, (_INT32_DATA, None))
        stored = self._message.count(number, 0 if width is None else np.dtype(width).itemsize)
        return stored == (self.size if ELEMENT_TYPES[self.element_type].bytes >= 1 else math.ceil(self.size / 2))

    def numbers(self) -> NDArray[Any] | None:
        """Return the numbers; None if they are more than `limits.KNOWN_NUMBERS` or of no type that NumPy has."""
        known = ELEMENT_TYPES.get(self.element_type)
        if known is None or known.numpy is None or self.size > limits.KNOWN_NUMBERS or not self.complete:
            return None
        if self._message.has(_TENSOR_RAW):
            flat = np.frombuffer(self._message.view(_TENSOR_RAW), known.numpy)
        else:
            number, width = _TYPED.get(self.element_type, (_INT32_DATA, None))
            if width is not None:
                flat = np.frombuffer(b"".join(self._message.views(number)), width)
            elif self.element_type == FLOAT16:
                flat = np.array(self._message.integers(number), np.uint16).view(known.numpy)
            else:
                flat = np.array(self._message.integers(number), np.int64).astype(known.numpy)
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class Operation:
    """A node of the graph.

    Attributes
    ----------
    kind : str
        ONNX' name of the operator; one of another domain has that before a dot: ``com.microsoft.Gelu``.
    inputs, outputs : tuple of str
        Names of tensors; an empty one is left out.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _attributes: list[memoryview] = field(repr=False)

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes by name; those of a kind that no known operator has are None."""
        return dict(map(_attribute, map(Message, self._attributes)))


@dataclass(frozen=True, slots=True)
class GraphInput:
    """A tensor that the graph takes: ONNX' number for its element type, and its sizes, None where they are open."""

    element_type: int
    sizes: tuple[int | None, ...] | None


@dataclass(slots=True)
class OnnxGraph:
    """A graph as it stands in a file.

    Attributes
    ----------
    operations : list of Operation
    constants : dict of str to Constant
    inputs : dict of str to GraphInput
        Without those that are constants, too.
    outputs : list of str
    opsets : dict of str to int
        Version of the operators for each domain; ``""`` is ONNX' own.
    """

    operations: list[Operation] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    inputs: dict[str, GraphInput] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    opsets: dict[str, int] = field(default_factory=dict)

    @property
    def opset(self) -> int:
        """Version of ONNX' own operators."""
        return self.opsets.get("", 1)


def read_graph(data: memoryview | bytes) -> OnnxGraph:
    """Read the graph of a model.

    Parameters
    ----------
    data : memoryview or bytes
        A whole model, also one that was written in pieces. The weights stay where they are.

    Raises
    ------
    ModelError
        The bytes are no model, or it has more operations or values than models have.
    """
    graph = OnnxGraph()
    values = 0
    for number, value in fields(memoryview(data)):
        values += 1
        if number == _MODEL_OPSET:
            opset = Message(_bytes(value))
            graph.opsets[_domain(opset.text(1))] = opset.integer(2)
        elif number == _MODEL_GRAPH:
            for inner, content in fields(_bytes(value)):
                values += 1 + _add(graph, inner, content)
                _check_count(values)
        _check_count(values)
    for name in graph.constants:
        graph.inputs.pop(name, None)
    return graph


def read_properties(data: memoryview | bytes) -> dict[str, str]:
    """Read what a model says about itself beside the network; of what it says twice, the last."""
    entries = (Message(_bytes(value)) for number, value in fields(memoryview(data)) if number == _MODEL_PROPERTY)
    return {entry.text(1): entry.text(2) for entry in entries}


def _add(graph: OnnxGraph, number: int, content: int | memoryview) -> int:
    """Take a field of the graph in; return how many values it has itself."""
    if number == _GRAPH_NODE:
        if len(graph.operations) >= limits.OPERATIONS:
            raise _too_many("operations", limits.OPERATIONS)
        node = Message(_bytes(content))
        graph.operations.append(_operation(node))
        return node.size
    if number == _GRAPH_CONSTANT:
        tensor = Message(_bytes(content))
        constant = _constant(tensor)
        if constant.name in graph.constants:
            raise ModelError(f"Two weights have the name {constant.name[:80]!r}.", _BROKEN)
        graph.constants[constant.name] = constant
        return tensor.size + len(constant.shape)
    if number in {_GRAPH_INPUT, _GRAPH_OUTPUT}:
        value = Message(_bytes(content))
        if number == _GRAPH_OUTPUT:
            graph.outputs.append(value.text(1))
        else:
            graph.inputs[value.text(1)] = _input(value)
    return 0


def _operation(node: Message) -> Operation:
    domain, kind = _domain(node.text(_NODE_DOMAIN)), node.text(_NODE_KIND)
    return Operation(
        f"{domain}.{kind}" if domain else kind,
        tuple(node.texts(_NODE_INPUT)),
        tuple(node.texts(_NODE_OUTPUT)),
        node.views(_NODE_ATTRIBUTE),
    )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _constant(tensor: Message) -> Constant:
    shape = tuple(tensor.integers(_TENSOR_DIMS))
    return Constant(tensor.text(_TENSOR_NAME), tensor.integer(_TENSOR_TYPE), shape, tensor)


def _input(value: Message) -> GraphInput:
    tensor = value.message(2).message(1)
    if not tensor.has(2):
        return GraphInput(tensor.integer(1), None)
    sizes = (dim.integer(1) if dim.has(1) else None for dim in tensor.message(2).messages(1))
    return GraphInput(tensor.integer(1), tuple(n if n is None or n > 0 else None for n in sizes))


def _attribute(message: Message) -> tuple[str, Attribute]:
    name, kind = message.text(1), message.integer(20)
    value: Attribute = None
    if kind == 1:
        value = message.number(2)
    elif kind == 2:
        value = message.integer(3)
    elif kind == 3:
        value = message.text(4)
    elif kind == 4:
        value = _constant(message.message(5))
    elif kind == 6:
        value = np.frombuffer(b"".join(message.views(7)), "<f4").tolist()
    elif kind == 7:
        value = message.integers(8)
    return name, value


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ModelError("The file is no ONNX model.", _BROKEN)
    return value


def _check_count(values: int) -> None:
    if values > limits.GRAPH_VALUES:
        raise _too_many("values", limits.GRAPH_VALUES)


def _too_many(what: str, most: int) -> LimitError:
    return LimitError(
        f"The network has more than {most} {what}, more than any network in use.", "Choose a smaller model."
    )

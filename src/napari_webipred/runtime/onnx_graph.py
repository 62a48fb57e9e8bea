"""An ONNX model as plain data: operations, constants, inputs and outputs, read without copying the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct, field
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


class ElementType(Struct, frozen=True):
    """The type of the elements of a tensor: ONNX' name, bytes of one element, and the NumPy dtype if there is one."""

    name: str
    bytes: float
    numpy: str | None = None


FLOAT, INT64, BOOL, FLOAT16, DOUBLE = 1, 7, 9, 10, 11
# By ONNX' number for the type, without strings and types that ONNX Runtime cannot compute with.
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
# The field with the values of a type if they are not raw bytes, and their dtype in that field.
_TYPED: dict[int, tuple[int, str | None]] = {
    1: (_FLOAT_DATA, "<f4"),
    7: (_INT64_DATA, None),
    11: (_DOUBLE_DATA, "<f8"),
    12: (_UINT64_DATA, None),
    13: (_UINT64_DATA, None),
}

Attribute: TypeAlias = "int | float | str | list[int] | list[float] | Constant | None"


class Constant(Struct, frozen=True):
    """A tensor in the file.

    Attributes
    ----------
    name : str
    element_type : int
        ONNX' number of the type.
    shape : tuple of int
    """

    name: str
    element_type: int
    shape: tuple[int, ...]
    _message: Message

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def complete(self) -> bool:
        """Whether the number of values matches the shape."""
        if self.element_type not in ELEMENT_TYPES or any(n < 0 for n in self.shape):
            return False
        if self._message.has(_TENSOR_RAW):
            stored = len(self._message.view(_TENSOR_RAW))
            return stored == math.ceil(self.size * ELEMENT_TYPES[self.element_type].bytes)
        number, width = _TYPED.get(self.element_type, (_INT32_DATA, None))
        stored = self._message.count(number, 0 if width is None else np.dtype(width).itemsize)
        return stored == (self.size if ELEMENT_TYPES[self.element_type].bytes >= 1 else math.ceil(self.size / 2))

    def numbers(self) -> NDArray[Any] | None:
        """Return the values; None if there are more than `limits.KNOWN_NUMBERS` or NumPy lacks the type."""
        return self.array() if self.size <= limits.KNOWN_NUMBERS else None

    def array(self) -> NDArray[Any] | None:
        """Return the values, however many; None if NumPy lacks the type."""
        known = ELEMENT_TYPES.get(self.element_type)
        if known is None or known.numpy is None or not self.complete:
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


class Operation(Struct, frozen=True, dict=True):
    """A node of the graph.

    Attributes
    ----------
    kind : str
        ONNX' name of the operator, after the name of its domain if that is not ONNX' own: ``com.microsoft.Gelu``.
    inputs, outputs : tuple of str
        Names of tensors; an empty name stands for an optional one that is absent.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _attributes: list[memoryview]

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes by name; None for types that no supported operator has."""
        return dict(map(_attribute, map(Message, self._attributes)))


class GraphInput(Struct, frozen=True):
    """An input of the graph: ONNX' number of its element type, and its sizes, None if they are open."""

    element_type: int
    sizes: tuple[int | None, ...] | None


class OnnxGraph(Struct):
    """The graph in a file.

    Attributes
    ----------
    operations : list of Operation
    constants : dict of str to Constant
    inputs : dict of str to GraphInput
        Without inputs that are also constants.
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
        A whole model. The weights are not copied.

    Raises
    ------
    ModelError
        The bytes are not a model, or it has too many operations or values.
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
    """Read the metadata properties of a model; the last value counts if a key occurs twice."""
    entries = (Message(_bytes(value)) for number, value in fields(memoryview(data)) if number == _MODEL_PROPERTY)
    return {entry.text(1): entry.text(2) for entry in entries}


def _add(graph: OnnxGraph, number: int, content: int | memoryview) -> int:
    """Add a field to the graph; return how many values it has."""
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
        raise ModelError("The file is not an ONNX model.", _BROKEN)
    return value


def _check_count(values: int) -> None:
    if values > limits.GRAPH_VALUES:
        raise _too_many("values", limits.GRAPH_VALUES)


def _too_many(what: str, most: int) -> LimitError:
    return LimitError(f"The model has more than {most} {what}, which is too many.", "Choose a smaller model.")

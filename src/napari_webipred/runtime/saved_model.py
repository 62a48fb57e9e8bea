"""A reader for TensorFlow SavedModels, without TensorFlow; no code in them is run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.checkpoint import DTYPES, Checkpoint, finite, sizes
from napari_webipred.runtime.graph_model import Edge, GraphModel, Operation
from napari_webipred.runtime.protobuf import Message, broken

_TYPES = {
    1: "DT_FLOAT", 2: "DT_DOUBLE", 3: "DT_INT32", 4: "DT_UINT8", 7: "DT_STRING", 9: "DT_INT64", 10: "DT_BOOL",
    14: "DT_BFLOAT16", 19: "DT_HALF", 20: "DT_RESOURCE",
}  # fmt: skip
# Fields of a tensor with a list of its values, by the number of its dtype.
_LISTED = {1: 5, 2: 6, 3: 7, 4: 7, 5: 7, 6: 7, 9: 10, 10: 11, 19: 13}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_MAX_OPERATIONS = 50_000
_MAX_DEPTH = 30
_MAX_LIST = 1000
_MAX_ENTRIES = 10_000  # of a map or list; the arguments of a function may be all variables
# Estimated bytes of memory for a field of an operation, for an input besides its name, and for a byte of an attribute.
_FIELD, _INPUT, _ATTRIBUTE_BYTE = 200, 64, 12
# A tensor of equal values is stored as one value.
_MAX_REPEATED = 2**20
_AGAIN = "Save the model again, for prediction: model.export(folder) in Keras 3."


def read_saved_model(files: Mapping[str, bytes], name: str) -> GraphModel:
    """Read a SavedModel.

    Parameters
    ----------
    files : mapping of str to bytes
    name : str
        Name of ``saved_model.pb`` among them; ``variables/``, or the files of that folder, are beside it.

    Returns
    -------
    GraphModel
        The graph of the signature ``serving_default``, with function calls inlined and variables as constants.

    Raises
    ------
    ModelError
        The files are damaged, have no signature for prediction, or their functions call each other endlessly.
    """
    try:
        return _read(files, name)
    except RecursionError as error:
        raise ModelError(f"The functions in {name} are nested too deeply.", _AGAIN) from error


def _read(files: Mapping[str, bytes], name: str) -> GraphModel:
    content = files[name]
    file = Message(content)
    serving = next((graph for graph in file.messages(2) if "serve" in graph.message(1).texts(4)), None)
    meta = serving or next(file.messages(2), None)
    if meta is None:
        raise ModelError(f"{name} contains no graph.", _AGAIN)
    inliner = _Inliner(name, len(content), meta.message(2))
    outputs = {key: inliner.edge(info.text(1)) for key, info in sorted(_signature(name, meta).items())}
    variables = _Variables(files, name, inliner.keys(meta.message(3).text(3)))
    operations: dict[str, Operation] = {}
    constants: dict[str, NDArray[np.float32]] = {}
    named: dict[str, NDArray[np.float32]] = {}
    counted: set[int] = set()
    taken = 0
    todo = [source for source, _ in outputs.values()]
    while todo:
        operation = inliner.operations.get(todo.pop())
        if operation is None or operation.name in operations:
            continue
        value = None
        if operation.op == "Const":
            value = _value(operation.name, Message(inliner.tensors.get(operation.name, b"")))
        elif operation.op in {"ReadVariableOp", "VariableV2"}:
            variable = inliner.operations.get(operation.inputs[0][0] if operation.inputs else operation.name)
            value = variables.array(variable)
            if variable is not None and value is not None:
                named[str(variable.attributes.get("shared_name") or variable.name)] = value
        if value is not None:
            taken += value.nbytes if id(value) not in counted else 0
            counted.add(id(value))
            if taken > limits.OPENING // 4 + limits.OPENING_PER_BYTE * (len(content) + variables.size):
                raise LimitError(f"The constants in {name} take much more memory than its files.", _AGAIN)
            constants[operation.name] = value
            operation = Operation(operation.name, "Const", (), {})
        operations[operation.name] = operation
        todo += [source for source, _ in operation.inputs]
    return GraphModel(name, operations, constants, outputs, variables=named)


def _signature(name: str, meta: Message) -> dict[str, Message]:
    signatures = _entries(meta, 5)
    usable = [signatures[key] for key in ("serving_default", *signatures) if key in signatures]
    for signature in usable:
        outputs = _entries(signature, 2)
        if outputs and signature.has(1):
            return outputs
    raise ModelError(f"{name} has no signature for prediction.", _AGAIN)


def _entries(message: Message, number: int) -> dict[str, Message]:
    """Read a map of names to messages."""
    return {entry.text(1): entry.message(2) for entry in _few(message, number)}


def _few(message: Message, number: int) -> Iterator[Message]:
    if len(message.views(number)) > _MAX_ENTRIES:
        raise broken()
    return message.messages(number)


class _Variables:
    """The variables of a SavedModel, by their operations."""

    def __init__(self, files: Mapping[str, bytes], name: str, keys: Mapping[str, str]) -> None:
        # In the folder variables/, or beside the graph if the files were downloaded one by one.
        folder = PurePosixPath(name).parent
        places = [str(folder / "variables" / "variables.index"), str(folder / "variables.index")]
        index = next((place for place in places if place in files), places[0])
        self._checkpoint = Checkpoint(files, index) if index in files else None
        self._index = index
        self._keys = keys
        self._arrays: dict[str, NDArray[np.float32]] = {}

    @property
    def size(self) -> int:
        """How many bytes of files with values have been read."""
        return self._checkpoint.size if self._checkpoint else 0

    def array(self, variable: Operation | None) -> NDArray[np.float32] | None:
        """Return the value of a variable; None if the operation is not a variable."""
        if variable is None or variable.op not in {"VarHandleOp", "VariableV2"}:
            return None
        if self._checkpoint is None:
            raise ModelError(
                f"The file {self._index} with the model's weights is missing.", "Get the model again from its source."
            )
        names = (self._keys.get(variable.name), variable.attributes.get("shared_name"), variable.name)
        key = next((key for key in names if isinstance(key, str) and key in self._checkpoint), None)
        if variable.name not in self._arrays:
            wanted = key if key is not None else str(names[0] or variable.name)
            self._arrays[variable.name] = self._checkpoint.array(wanted)
        return self._arrays[variable.name]


class _Inliner:
    """The operations of a graph, with function calls inlined.

    Attributes
    ----------
    operations : dict of str to Operation
    tensors : dict of str to memoryview
        The values of the constants among them.
    seen : int
        How many operations have been inlined, including calls.
    bytes_left : int
        How many more bytes of memory they may take.
    """

    def __init__(self, file: str, size: int, graph: Message) -> None:
        self.file = file
        self.operations: dict[str, Operation] = {}
        self.tensors: dict[str, memoryview] = {}
        self.seen = 0
        self.bytes_left = limits.OPENING // 2 + limits.OPENING_PER_BYTE * size
        # Functions are read when they are called, because in memory they are much larger than in the file.
        self._functions = {Message(view).message(1).text(1): view for view in graph.message(2).views(1)}
        self._main_graph = _Body(self, graph, 1, "", {}, 0)

    def edge(self, reference: str) -> Edge:
        """Return the edge of a tensor of the main graph."""
        return self._main_graph.edge(reference)

    def nodes(self, graph: Message, number: int) -> dict[str, Message]:
        """Read the operations of the main graph or a function by name."""
        self.seen += len(graph.views(number)) + 1
        if self.seen > _MAX_OPERATIONS:
            raise ModelError(f"{self.file} has more than {_MAX_OPERATIONS} operations.", _AGAIN)
        found = {}
        for node in graph.messages(number):
            self.count_memory(_FIELD * node.size)
            found[node.text(1)] = node
        return found

    def count_memory(self, size: int) -> None:
        """Count memory that operations take."""
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise LimitError(f"The operations in {self.file} take much more memory than the file.", _AGAIN)

    def call(self, function: str, prefix: str, arguments: Sequence[Edge], depth: int) -> list[Edge]:
        """Inline a function that is called with these tensors, and return its outputs."""
        if function not in self._functions or depth > _MAX_DEPTH:
            raise ModelError(f"The function {function[:200]} in {self.file} is missing or calls itself.", _AGAIN)
        definition = Message(self._functions[function])
        signature = definition.message(1)
        self.count_memory(_FIELD * (definition.size + signature.size))
        names = [argument.text(1) for argument in _few(signature, 2)]
        if len(names) != len(arguments):
            raise ModelError(
                f"The function {function[:200]} in {self.file} needs {len(names)} inputs, but has {len(arguments)}.",
                _AGAIN,
            )
        given = dict(zip(names, arguments, strict=True))
        body = _Body(self, definition, 3, prefix, given, depth)
        results = {entry.text(1): entry.text(2) for entry in _few(definition, 4)}
        return [body.edge(results.get(output.text(1), "")) for output in _few(signature, 3)]

    def keys(self, restore: str) -> dict[str, str]:
        """Find the checkpoint keys of the variables from the operations that restore them."""
        if not restore or not self._main_graph.has(restore):
            return {}
        self.edge(restore)
        found: dict[str, str] = {}
        names: dict[str, list[str]] = {}
        for operation in list(self.operations.values()):
            if operation.op != "AssignVariableOp" or len(operation.inputs) != 2:
                continue
            source, index = operation.inputs[1]
            for _ in range(_MAX_DEPTH):
                identity = self.operations.get(source)
                if identity is None or identity.op != "Identity" or not identity.inputs:
                    break
                source, index = identity.inputs[0]
            origin = self.operations.get(source)
            if origin is None or origin.op != "RestoreV2" or len(origin.inputs) != 3:
                continue
            listed = origin.inputs[1][0]
            if listed not in names:
                names[listed] = Message(self.tensors.get(listed, b"")).texts(8)
            if index < len(names[listed]):
                found[operation.inputs[0][0]] = names[listed][index]
        return found


class _Body:
    """The main graph or one call of a function."""

    def __init__(
        self,
        inliner: _Inliner,
        graph: Message,
        number: int,
        prefix: str,
        arguments: Mapping[str, Edge],
        depth: int,
    ) -> None:
        self._inliner = inliner
        self._prefix = prefix
        self._arguments = arguments
        self._depth = depth
        self._calls: dict[str, list[Edge] | None] = {}
        self._nodes = inliner.nodes(graph, number)
        for name, node in self._nodes.items():
            if node.text(2) not in _CALLS:
                self._add(name, node)

    def has(self, name: str) -> bool:
        return name in self._nodes

    def _add(self, name: str, node: Message) -> None:
        attributes: dict[str, Any] = {}
        references = [view for view in node.views(3) if bytes(view[:1]) != b"^"]
        names = len(self._prefix) + len(name)
        self._inliner.count_memory(names + sum(len(self._prefix) + len(each) + _INPUT for each in references))
        for view in node.views(5):
            entry = Message(view)
            key, value = entry.text(1), entry.message(2)
            if key == "value" and value.has(8):
                self._inliner.tensors[self._prefix + name] = value.view(8)
                continue
            self._inliner.count_memory(len(view) * _ATTRIBUTE_BYTE)
            if (plain := _plain(value)) is not None:
                attributes[key] = plain
        inputs = tuple(self.edge(str(bytes(each), "utf-8", "replace")) for each in references)
        self._inliner.operations[self._prefix + name] = Operation(self._prefix + name, node.text(2), inputs, attributes)

    def edge(self, reference: str) -> Edge:
        """Convert ``name``, ``name:1`` or, in functions, ``name:output:1`` to an edge of the whole graph."""
        name, *rest = reference.split(":")
        if name in self._arguments:
            return self._arguments[name]
        index = int(rest[-1]) if rest and rest[-1].isdecimal() and len(rest[-1]) < 6 else 0
        node = self._nodes.get(name)
        if node is None or node.text(2) not in _CALLS:
            # Of the supported operations with several outputs, all but the first are statistics.
            return self._prefix + name, 1 if len(rest) == 2 and rest[0].startswith(("batch_", "reserve_")) else index
        if name not in self._calls:
            self._calls[name] = None
            inputs = [self.edge(each) for each in node.texts(3) if not each.startswith("^")]
            function = next((e.message(2).message(10).text(1) for e in node.messages(5) if e.text(1) == "f"), "")
            self._calls[name] = self._inliner.call(function, f"{self._prefix}{name}/", inputs, self._depth + 1)
        results = self._calls[name]
        if results is None or index >= len(results):
            raise ModelError(f"The call {name[:200]} in {self._inliner.file} has no output {index}.", _AGAIN)
        return results[index]


def _plain(value: Message) -> Any:
    """Convert an attribute to a plain value; None if no supported operation needs its type."""
    if value.has(1):
        return _plain_list(value.message(1))
    if value.has(2):
        return bytes(value.view(2)[:2000]).decode("latin-1")
    if value.has(3):
        return value.integer(3)
    if value.has(4):
        return value.number(4)
    if value.has(5):
        return bool(value.integer(5))
    if value.has(6):
        return _TYPES.get(value.integer(6), f"type {value.integer(6)}")
    if value.has(7):
        shape = value.message(7)
        dims = [dim.integer(1) for dim in shape.messages(2)]
        return None if shape.integer(3) else tuple(size if size >= 0 else None for size in dims)
    return None


def _plain_list(value: Message) -> Any:
    if value.has(3):
        return value.integers(3)[:_MAX_LIST]
    return [bytes(view[:2000]).decode("latin-1") for view in value.views(2)[:_MAX_LIST]]


def _value(name: str, tensor: Message) -> NDArray[np.float32] | None:
    """Read a constant as float32; None if it is not numeric."""
    kind, shape = tensor.integer(1), sizes(tensor.message(2))
    if kind not in DTYPES:
        return None
    count, content = math.prod(shape), tensor.view(4)
    dtype = np.dtype(DTYPES[kind])
    if len(content):
        if count * dtype.itemsize != len(content):
            raise broken()
        return finite(np.frombuffer(content, dtype).reshape(shape), name)
    if tensor.count(_LISTED[kind], dtype.itemsize if kind in {1, 2} else 0) > max(count, 1):
        raise ModelError(f"The constant {name[:200]} has more than the {count} values of its shape.", _AGAIN)
    values = _listed(tensor, kind)
    if values.size == count:
        return finite(values.reshape(shape), name)
    if count > _MAX_REPEATED or values.size > count:
        raise ModelError(f"The constant {name[:200]} needs {count} values, but has {values.size}.", _AGAIN)
    filled = np.concatenate([values, np.full(count - values.size, values[-1] if values.size else 0, values.dtype)])
    return finite(filled.reshape(shape), name)


def _listed(tensor: Message, kind: int) -> NDArray[Any]:
    if kind in {1, 2}:
        packed = b"".join(map(bytes, tensor.views(_LISTED[kind])))
        size = 4 if kind == 1 else 8
        if len(packed) % size:
            raise broken()
        return np.frombuffer(packed, DTYPES[kind])
    if kind == 19:
        return np.array(tensor.integers(_LISTED[kind]), np.uint16).view(np.float16)
    return np.array(tensor.integers(_LISTED[kind]), np.float64)

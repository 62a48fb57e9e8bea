"""TensorFlow.js graph models: operations by name, and constants in weight files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.shards import read_weights

BROKEN = "Ask the publisher of the model to convert it again."

_MAX_OPERATIONS = 50_000
_MAX_INPUTS = 1000
_MAX_LIST = 1000
_MAX_NAME = 2000

# An output of an operation: the name of the operation, and the index of the output.
Edge: TypeAlias = tuple[str, int]


class Operation(Struct, frozen=True):
    """One operation of a TensorFlow graph.

    Attributes
    ----------
    name, op : str
        Its name and its type, such as ``"Conv2D"``.
    inputs : tuple of (str, int)
        The outputs of other operations that it takes.
    attributes : mapping of str to plain values
        Integers, floats, booleans, strings (also for dtypes, such as ``"DT_FLOAT"``), lists of them, and shapes as
        tuples with None for an open size. Unchecked; attributes that cannot be read are left out.
    """

    name: str
    op: str
    inputs: tuple[Edge, ...]
    attributes: Mapping[str, Any]


class GraphModel(Struct, frozen=True):
    """A TensorFlow graph that has been read, but not checked.

    Attributes
    ----------
    file : str
        Name of its file, for messages.
    operations : dict of str to Operation
    constants : dict of str to ndarray of float32
        Values of the constants.
    outputs : dict of str to (str, int)
        The outputs, by the names that the publisher gave.
    guessed : bool
        Whether the file lists no outputs, so that all tensors that no operation uses are outputs.
    variables : mapping of str to ndarray of float32
        Of a SavedModel, those of the constants that are variables, by the names that the program gave them.
    """

    file: str
    operations: dict[str, Operation]
    constants: dict[str, NDArray[np.float32]]
    outputs: dict[str, Edge]
    guessed: bool = False
    variables: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def is_graph(document: Mapping[str, Any]) -> bool:
    """Tell whether this is the JSON of a TensorFlow.js graph model, not of a Layers model."""
    topology = document.get("modelTopology")
    return isinstance(topology, dict) and "node" in topology


def read_graph_model(name: str, document: Mapping[str, Any], files: Mapping[str, bytes]) -> GraphModel:
    """Read a TensorFlow.js graph model.

    Parameters
    ----------
    name : str
        Name of the JSON file.
    document : mapping
        Its content, for which `is_graph` is true.
    files : mapping of str to bytes

    Returns
    -------
    GraphModel

    Raises
    ------
    ModelError
        The graph is malformed, or weights are missing.
    """
    nodes = document["modelTopology"]["node"]
    if not isinstance(nodes, list) or len(nodes) > _MAX_OPERATIONS:
        raise ModelError(
            f"The graph in {name} is not a list of operations, or has more than {_MAX_OPERATIONS}.", BROKEN
        )
    operations: dict[str, Operation] = {}
    for node in nodes:
        operation = _operation(name, node)
        if operation.name in operations:
            raise ModelError(f"{name} has two operations called {operation.name[:200]}.", BROKEN)
        operations[operation.name] = operation
    constants = read_weights(name, document.get("weightsManifest"), files)
    missing = [each.name for each in operations.values() if each.op == "Const" and each.name not in constants]
    if missing and (needed := set(missing) & _used(operations)):
        raise ModelError(f"The values of constants in {name} are missing: {', '.join(sorted(needed)[:10])}.", BROKEN)
    outputs = _named_outputs(document, operations)
    return GraphModel(name, operations, constants, outputs or _ends(name, operations), guessed=not outputs)


def edge(text: str) -> Edge:
    """Read ``name`` or ``name:1``."""
    name, _, index = text.rpartition(":")
    return (name, int(index)) if name and index.isdecimal() and len(index) < 5 else (text, 0)


def _operation(file: str, node: Any) -> Operation:
    name, op = (node.get("name"), node.get("op")) if isinstance(node, dict) else (None, None)
    inputs = node.get("input", []) if isinstance(node, dict) else None
    attributes = node.get("attr", {}) if isinstance(node, dict) else None
    if (
        not isinstance(name, str)
        or not isinstance(op, str)
        or not 0 < len(name) <= _MAX_NAME
        or not isinstance(inputs, list)
        or len(inputs) > _MAX_INPUTS
        or not all(isinstance(each, str) and len(each) <= _MAX_NAME for each in inputs)
        or not isinstance(attributes, dict)
    ):
        raise ModelError(f"The graph in {file} has a malformed operation: {name!r:.200} ({op!r:.80}).", BROKEN)
    # A caret marks a control dependency, which matters only for side effects.
    edges = tuple(edge(each) for each in inputs if not each.startswith("^"))
    return Operation(name, op, edges, dict(_attributes(attributes)))


def _used(operations: Mapping[str, Operation]) -> set[str]:
    return {name for operation in operations.values() for name, _ in operation.inputs}


def _attributes(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in attributes.items():
        if not isinstance(value, dict):
            continue
        if isinstance(value.get("list"), dict):
            kinds = [(kind, each) for kind, each in value["list"].items() if isinstance(each, list)]
            if not kinds:
                yield key, []
            for kind, items in kinds[:1]:
                plain = [_plain(kind, item) for item in items[:_MAX_LIST]]
                if None not in plain and len(items) <= _MAX_LIST:
                    yield key, plain
        else:
            for kind, item in value.items():
                if (plain_item := _plain(kind, item)) is not None:
                    yield key, plain_item


def _plain(kind: str, value: Any) -> Any:
    """Convert a value of the JSON form of Protocol Buffers to a plain one; None if that is not possible."""
    if kind == "i":
        return whole(value)
    if kind == "f" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind == "b" and isinstance(value, bool):
        return value
    if kind == "type" and isinstance(value, str):
        return value
    if kind == "s" and isinstance(value, str) and len(value) <= _MAX_NAME:
        try:
            return base64.b64decode(value, validate=True).decode("latin-1")
        except (binascii.Error, ValueError):
            return None
    if kind == "shape":
        return _shape(value)
    return None


def whole(value: Any) -> int | None:
    """Return an integer, which is a string in JSON if it may need 64 bits."""
    if isinstance(value, str) and len(value) < 20 and value.removeprefix("-").isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _shape(value: Any) -> tuple[int | None, ...] | None:
    dims = value.get("dim", []) if isinstance(value, dict) and not value.get("unknownRank") else None
    if not isinstance(dims, list) or len(dims) > 8:
        return None
    sizes = [whole(dim.get("size", -1)) if isinstance(dim, dict) else None for dim in dims]
    return tuple(size if size is not None and size >= 0 else None for size in sizes)


def _named_outputs(document: Mapping[str, Any], operations: Mapping[str, Operation]) -> dict[str, Edge]:
    """Return the outputs of the signature; empty if there is none."""
    metadata = document.get("userDefinedMetadata")
    signature = document.get("signature") or (metadata.get("signature") if isinstance(metadata, dict) else None)
    named = signature.get("outputs") if isinstance(signature, dict) else None
    found: dict[str, Edge] = {}
    for key, info in (named if isinstance(named, dict) else {}).items():
        text = info.get("name") if isinstance(info, dict) else None
        found[key.removesuffix(":0")] = edge(text if isinstance(text, str) else key)
    return {key: place for key, place in found.items() if place[0] in operations}


def _ends(file: str, operations: Mapping[str, Operation]) -> dict[str, Edge]:
    """Return the outputs that no other operation uses."""
    used = _used(operations)
    inner = {"NoOp", "Const", "Placeholder"}
    ends = (each.name for each in operations.values() if each.op not in inner and each.name not in used)
    found = {name: (name, 0) for name in ends}
    if not found:
        raise ModelError(f"The graph in {file} has no output.", BROKEN)
    return found

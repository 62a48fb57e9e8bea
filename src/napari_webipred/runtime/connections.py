"""The layers and connections of one Keras model, as listed in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from msgspec import Struct

from napari_webipred.errors import ModelError

_MODULES_OF_KERAS = {"keras", "tf_keras", "keras_core", "tensorflow"}
# Keras registers these as it does classes of others.
_OF_KERAS_APPLICATIONS = {"LayerScale", "StochasticDepth", "CustomScaleLayer"}
# Classes of others that compute the same as Keras' class of that name.
_ALIKE = {"Addons>GroupNormalization"}

MODEL_CLASSES = {"Functional", "Model", "Sequential"}

BROKEN = "Ask the publisher of the model to convert it again."


class Item(Struct, frozen=True):
    """A layer or nested model in a list of layers."""

    name: str
    class_name: str
    config: Any
    inbound: list[Any]


class Reference(Struct, frozen=True):
    """A tensor of the same functional model: the name of a layer, the index of its call, the index of the output."""

    name: str
    node: int
    output: int


class Inbound(Struct, frozen=True):
    """The inputs of a call: operands and named arguments, each of which may be a `Reference`."""

    operands: tuple[Any, ...]
    arguments: Mapping[str, Any]


# A constant operand with one value for each position along the last axis.
Row = tuple[float, ...]
_MAX_ROW = 4096

# The key of the model's outputs among the calls; no layer has an empty name.
OUTPUT = ("", 0)


def nodes_of(items: Mapping[str, Item], outputs: list[Reference]) -> dict[tuple[str, int], Inbound]:
    """Collect the calls of all layers by name and index, and the model's outputs as `OUTPUT`."""
    nodes: dict[tuple[str, int], Inbound] = {}
    for name, item in items.items():
        if item.class_name == "InputLayer":
            nodes[name, 0] = Inbound((), {})
        for index, call in enumerate(item.inbound if item.class_name != "InputLayer" else ()):
            nodes[name, index] = _read_call(name, call, items)
    nodes[OUTPUT] = Inbound(tuple(outputs), {})
    # Keras counts the construction of a nested model as its call 0; older versions did not.
    referred = {(value.name, value.node) for node in nodes.values() for value in _values(node)}
    first = {name: 1 for name, item in items.items() if item.class_name in MODEL_CLASSES and (name, 0) not in referred}

    def shifted(value: Any) -> Any:
        if not isinstance(value, Reference):
            return value
        moved = Reference(value.name, value.node - first.get(value.name, 0), value.output)
        if (moved.name, moved.node) not in nodes or not moved.name:
            raise ModelError(
                f"The topology refers to call {value.node} of the layer {value.name}, which is missing.", BROKEN
            )
        return moved

    return {
        key: Inbound(tuple(map(shifted, node.operands)), {k: shifted(v) for k, v in node.arguments.items()})
        for key, node in nodes.items()
    }


def _values(node: Inbound) -> Iterator[Reference]:
    for value in (*node.operands, *node.arguments.values()):
        if isinstance(value, Reference):
            yield value


def order_of(model: str, nodes: Mapping[tuple[str, int], Inbound]) -> list[tuple[str, int]]:
    """Sort the calls so that each comes after its inputs; the file may list them in any order."""
    sorter = TopologicalSorter({key: [(ref.name, ref.node) for ref in _values(node)] for key, node in nodes.items()})
    try:
        return [key for key in sorter.static_order() if key != OUTPUT]
    except CycleError as error:
        names = " -> ".join(name for name, _ in error.args[1][:10])
        raise ModelError(f"The layers of {model} form a cycle: {names}.", BROKEN) from error


def _read_call(layer: str, call: Any, items: Mapping[str, Item]) -> Inbound:
    """Read one element of ``inbound_nodes``, as Keras 2 or Keras 3 writes it."""
    if isinstance(call, dict):
        kwargs = mapping(call.get("kwargs") or {}, f"The arguments of the layer {layer}")
        # Keras 3 ignores a recorded training=True in prediction; Keras 2 uses it.
        named = {key: _keras_tensor(value) or value for key, value in kwargs.items() if key != "training"}
        args = call.get("args")
        if items[layer].class_name == "GetItem" and isinstance(args, list) and len(args) == 2:
            args, named["slice_spec"] = args[:1], args[1]
        return Inbound(tuple(_operands(args, layer)), named)
    operands: list[Reference | float | Row] = []
    arguments: dict[str, Any] = {}
    for entry in _entries(call, layer):
        constant = constant_of(entry[2]) if entry[0] == "_CONSTANT_VALUE" and len(entry) > 2 else None
        operands.append(_reference(entry, layer) if constant is None else constant)
        if len(entry) > 3 and isinstance(entry[3], dict):
            arguments.update(entry[3])
    # Operators of TensorFlow may have tensors among their arguments.
    for key, value in arguments.items():
        if isinstance(value, list) and len(value) in {3, 4} and isinstance(value[0], str) and value[0] in items:
            arguments[key] = _reference(value, layer)
    return Inbound(tuple(operands), arguments)


def _operands(args: Any, layer: str) -> Iterator[Reference | float | Row]:
    todo = [args]
    while todo:
        value = todo.pop()
        tensor = _keras_tensor(value)
        if tensor is not None:
            yield tensor
        elif isinstance(value, list):
            todo.extend(reversed(value))
        elif value is not None and not isinstance(value, (bool, str)):
            constant = constant_of(value)
            if constant is None:
                raise ModelError(f"The layer {layer} has an input that cannot be read: {value!r:.80}.", BROKEN)
            yield constant


def constant_of(value: Any) -> float | Row | None:
    """Read a constant operand: a number, or numbers along the last axis; None if it is neither."""
    if isinstance(value, dict) and value.get("class_name") in ("__tensor__", "__numpy__"):
        value = mapping(value.get("config"), "The description of a constant").get("value")
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list) and 0 < len(value) <= _MAX_ROW and all(map(is_number, value)):
        return tuple(map(float, value))
    return float(value) if is_number(value) else None


def _keras_tensor(value: Any) -> Reference | None:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        return _reference(config.get("keras_history") if isinstance(config, dict) else None, "a call")
    return None


def references(value: Any, model: str) -> list[Reference]:
    """Read the inputs or outputs of a functional model: a list or, with names, a dictionary of Keras 3."""
    if isinstance(value, dict) and value and "class_name" not in value:
        value = [value[key] for key in sorted(value)]  # the order in which Keras flattens a dictionary
    return [_reference(entry, model) for entry in _entries(value, model)]


def _entries(value: Any, layer: str) -> list[Any]:
    """Read a list of connections; Keras omits the outer list if there is only one."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = [value]
    if isinstance(value, list) and all(isinstance(entry, list) and entry for entry in value):
        return value
    raise ModelError(f"The connections of {layer} are malformed: {value!r:.80}.", BROKEN)


def _reference(value: Any, layer: str) -> Reference:
    if isinstance(value, list) and len(value) >= 3:
        name, node, output = value[:3]
        if isinstance(name, str) and type(node) is int and type(output) is int and node >= 0 and output >= 0:
            return Reference(name, node, output)
    raise ModelError(f"A connection of {layer} is malformed: {value!r:.80}.", BROKEN)


# --- the JSON of the file ---------------------------------------------------------------------------------------------


def layers_of(model: Item) -> dict[str, Item]:
    """Read the layers of a model by name, in the order of the file. The config may be just the list of layers."""
    layers = model.config.get("layers") if isinstance(model.config, dict) else model.config
    if not isinstance(layers, list):
        raise ModelError(f"The model {model.name} has no list of layers.", BROKEN)
    items: dict[str, Item] = {}
    for index, layer in enumerate(layers):
        item = item_of(layer, f"layer {index} of {model.name}")
        if item.name in items:
            raise ModelError(f"The model {model.name} has two layers called {item.name}.", BROKEN)
        items[item.name] = item
    return items


def item_of(value: Any, where: str) -> Item:
    """Read a layer; a layer without a name is named after its position."""
    layer = mapping(value, f"The description of {where}")
    class_name, config = layer.get("class_name"), layer.get("config")
    if not isinstance(class_name, str) or not class_name:
        raise ModelError(f"The class_name of {where} is missing.", BROKEN)
    class_name = class_of(layer, class_name)
    name = layer.get("name") or (config.get("name") if isinstance(config, dict) else None) or where
    inbound = layer.get("inbound_nodes") or []
    if not isinstance(name, str) or not isinstance(inbound, list):
        raise ModelError(f"The name or the connections of {where} are malformed.", BROKEN)
    return Item(name, class_name, config, inbound)


def class_of(layer: Mapping[str, Any], class_name: str) -> str:
    """Return the class of a layer, with its package if it is not one of Keras.

    A class in another package may compute anything, whatever it is called. Only Keras 3 writes the module.
    """
    package, _, bare = class_name.rpartition(">")
    module = layer.get("module", "keras")
    if not package and not (isinstance(module, str) and module.partition(".")[0] in _MODULES_OF_KERAS):
        package = str(layer.get("registered_name")).rpartition(">")[0] or "Custom"
    foreign = package and bare not in _OF_KERAS_APPLICATIONS and f"{package}>{bare}" not in _ALIKE
    return f"{package}>{bare}" if foreign else bare


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number that float32 can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 3e38


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a JSON object; otherwise raise an error that names `what`."""
    if isinstance(value, dict):
        return value
    raise ModelError(f"{what} is not a JSON object.", BROKEN)

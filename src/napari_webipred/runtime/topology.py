"""A Keras topology as one flat list of calls, in an order in which they can be computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from napari_webipred.errors import ModelError

MODEL_CLASSES = {"Functional", "Model", "Sequential"}

# Nested models are inlined; a hostile file could double the number of calls on each level.
_MAX_CALLS = 20_000
_MAX_DEPTH = 16
_BROKEN = "Ask the publisher of the model for a new conversion."


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with its settings; one that is called twice is still one layer, with one set of weights.

    Attributes
    ----------
    name, class_name : str
        Its own name, and its Keras class without a package prefix.
    scope : tuple of str
        Names of the models that it lies in, the outermost first, without the root.
    config : mapping
        As in the file, unchecked.
    """

    name: str
    class_name: str
    scope: tuple[str, ...]
    config: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Name that no other layer of the network has."""
        return "/".join((*self.scope, self.name))


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor: which of the calls makes it, and which of that call's outputs it is."""

    call: int
    output: int = 0


Operand: TypeAlias = Ref | float


@dataclass(frozen=True, slots=True)
class Call:
    """A layer applied to tensors (or numbers). Arguments by name may be tensors too."""

    layer: Layer
    operands: tuple[Operand, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refs(self) -> Iterator[Ref]:
        """All tensors that the call needs."""
        for value in (*self.operands, *self.arguments.values()):
            if isinstance(value, Ref):
                yield value


@dataclass(frozen=True, slots=True)
class Network:
    """Calls in an order in which they can be computed, and the tensors that are the outputs."""

    calls: tuple[Call, ...]
    outputs: tuple[Ref, ...]


def flatten(topology: Mapping[str, Any]) -> Network:
    """Inline all nested models of a topology.

    Parameters
    ----------
    topology : mapping
        ``class_name`` and ``config`` of the root model, unchecked.

    Returns
    -------
    Network
        Inputs are calls of class ``InputLayer`` without operands.

    Raises
    ------
    ModelError
        The topology is malformed, has a cycle, or refers to a layer that does not exist.
    """
    calls: list[Call] = []
    outputs = _expand(_item(topology, "the root"), None, (), calls)
    return Network(tuple(calls), tuple(outputs))


def ancestors(network: Network, output: Ref) -> Network:
    """Leave out every call that `output` does not need."""
    needed = {output.call}
    for index in reversed(range(len(network.calls))):
        if index in needed:
            needed.update(ref.call for ref in network.calls[index].refs)
    places = {old: new for new, old in enumerate(sorted(needed))}

    def moved(value: Any) -> Any:
        return Ref(places[value.call], value.output) if isinstance(value, Ref) else value

    calls = (
        Call(
            network.calls[index].layer,
            tuple(moved(value) for value in network.calls[index].operands),
            {key: moved(value) for key, value in network.calls[index].arguments.items()},
        )
        for index in places
    )
    return Network(tuple(calls), (moved(output),))


# --- models ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """A layer or nested model as it stands in a list of layers."""

    name: str
    class_name: str
    config: Any
    inbound: list[Any]


def _expand(model: _Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], calls: list[Call]) -> list[Ref]:
    """Append the calls of a model and return its outputs. The root makes its own inputs: there `inputs` is None."""
    if len(scope) > _MAX_DEPTH:
        raise ModelError(f"Models are nested more than {_MAX_DEPTH} deep in {'/'.join(scope)[:80]}.", _BROKEN)
    if model.class_name == "Sequential":
        return _expand_sequential(model, inputs, scope, calls)
    if model.class_name in MODEL_CLASSES:
        return _expand_functional(model, inputs, scope, calls)
    raise ModelError(
        f"The root of the topology is a {model.class_name}, not a model that is made of layers.",
        f"Only {', '.join(sorted(MODEL_CLASSES))} can be opened.",
    )


def _expand_sequential(
    model: _Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], calls: list[Call]
) -> list[Ref]:
    items = list(_named(model, _layers(model)).values())
    if inputs is None:
        shape = _input_shape(model)
        name = items[0].name if items and items[0].class_name == "InputLayer" else "input"
        current = [_append(calls, Call(Layer(name, "InputLayer", scope, {"batch_input_shape": shape})))]
    else:
        current = list(inputs)
    for item in items:
        if item.class_name == "InputLayer":
            continue
        if len(current) != 1:
            raise ModelError(f"The Sequential model {model.name} gives {len(current)} tensors to {item.name}.", _BROKEN)
        current = _apply(item, tuple(current), {}, scope, calls)
    return current


def _expand_functional(
    model: _Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], calls: list[Call]
) -> list[Ref]:
    config = _mapping(model.config, f"The config of {model.name}")
    items = _named(model, _layers(model))
    input_names = [name for name, _, _ in _references(config.get("input_layers"), model.name)]
    nodes = _nodes(items, _references(config.get("output_layers"), model.name))
    given = dict(zip(input_names, inputs or (), strict=False))
    if inputs is not None and len(inputs) != len(input_names):
        raise ModelError(f"{model.name} takes {len(input_names)} inputs but gets {len(inputs)}.", _BROKEN)
    made: dict[tuple[str, int], list[Ref]] = {}

    def resolve(value: Any) -> Any:
        if not isinstance(value, _Reference):
            return value
        outputs = made[value.name, value.node]
        if items[value.name].class_name not in MODEL_CLASSES:
            return Ref(outputs[0].call, value.output)
        if value.output >= len(outputs):
            raise ModelError(f"{value.name} has no output {value.output}.", _BROKEN)
        return outputs[value.output]

    for name, node in _order(model.name, nodes):
        item, spec = items[name], nodes[name, node]
        if item.class_name == "InputLayer":
            if inputs is None:
                layer = Layer(name, "InputLayer", scope, _mapping(item.config, f"The config of {name}"))
                made[name, node] = [_append(calls, Call(layer))]
            elif name in given:
                made[name, node] = [given[name]]
            else:
                raise ModelError(f"The input {name} of the nested model {model.name} is given nothing.", _BROKEN)
        else:
            operands = tuple(resolve(value) for value in spec.operands)
            arguments = {key: resolve(value) for key, value in spec.arguments.items()}
            made[name, node] = _apply(item, operands, arguments, scope, calls)
    outputs = [resolve(ref) for ref in nodes[_OUTPUT].operands]
    if not outputs:
        raise ModelError(f"The model {model.name} has no output.", _BROKEN)
    return outputs


def _apply(
    item: _Item, operands: tuple[Operand, ...], arguments: Mapping[str, Any], scope: tuple[str, ...], calls: list[Call]
) -> list[Ref]:
    if item.class_name not in MODEL_CLASSES:
        layer = Layer(item.name, item.class_name, scope, _mapping(item.config, f"The config of {item.name}"))
        return [_append(calls, Call(layer, operands, arguments))]
    refs = [value for value in operands if isinstance(value, Ref)]
    if len(refs) < len(operands):
        raise ModelError(f"The nested model {item.name} is given a number instead of a tensor.", _BROKEN)
    return _expand(item, refs, (*scope, item.name), calls)


def _append(calls: list[Call], call: Call) -> Ref:
    if len(calls) >= _MAX_CALLS:
        raise ModelError(f"The model makes more than {_MAX_CALLS} calls of layers.", _BROKEN)
    calls.append(call)
    return Ref(len(calls) - 1)


# --- the graph of one functional model -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reference:
    """A tensor of the same functional model: a layer, which of its calls, and which output of that."""

    name: str
    node: int
    output: int

    def __iter__(self) -> Iterator[Any]:
        return iter((self.name, self.node, self.output))


@dataclass(frozen=True, slots=True)
class _Node:
    operands: tuple[Any, ...]
    arguments: Mapping[str, Any]


# Stands for the model's own outputs among the calls; no layer has an empty name.
_OUTPUT = ("", 0)


def _nodes(items: Mapping[str, _Item], outputs: list[_Reference]) -> dict[tuple[str, int], _Node]:
    """Collect the calls of all layers, numbered from 0."""
    nodes: dict[tuple[str, int], _Node] = {}
    for name, item in items.items():
        if item.class_name == "InputLayer":
            nodes[name, 0] = _Node((), {})
        for index, call in enumerate(item.inbound if item.class_name != "InputLayer" else ()):
            nodes[name, index] = _read_call(name, call, items)
    nodes[_OUTPUT] = _Node(tuple(outputs), {})
    # Keras counts the construction of a nested model as its call 0, older writers did not.
    referred = {(value.name, value.node) for node in nodes.values() for value in _values(node)}
    first = {name: 1 for name, item in items.items() if item.class_name in MODEL_CLASSES and (name, 0) not in referred}

    def shifted(value: Any) -> Any:
        if not isinstance(value, _Reference):
            return value
        moved = _Reference(value.name, value.node - first.get(value.name, 0), value.output)
        if (moved.name, moved.node) not in nodes or not moved.name:
            raise ModelError(f"The topology refers to call {value.node} of the layer {value.name}, which is not there.")
        return moved

    return {
        key: _Node(tuple(map(shifted, node.operands)), {k: shifted(v) for k, v in node.arguments.items()})
        for key, node in nodes.items()
    }


def _values(node: _Node) -> Iterator[_Reference]:
    for value in (*node.operands, *node.arguments.values()):
        if isinstance(value, _Reference):
            yield value


def _order(model: str, nodes: Mapping[tuple[str, int], _Node]) -> list[tuple[str, int]]:
    """Sort the calls so that each comes after those it needs; files need not list them so."""
    sorter = TopologicalSorter({key: [(ref.name, ref.node) for ref in _values(node)] for key, node in nodes.items()})
    try:
        return [key for key in sorter.static_order() if key != _OUTPUT]
    except CycleError as error:
        names = " -> ".join(name for name, _ in error.args[1][:10])
        raise ModelError(f"The layers of {model} feed each other in a circle: {names}.", _BROKEN) from error


def _read_call(layer: str, call: Any, items: Mapping[str, _Item]) -> _Node:
    """Read one element of ``inbound_nodes``, as Keras 2 or Keras 3 writes it."""
    if isinstance(call, dict):
        kwargs = _mapping(call.get("kwargs") or {}, f"What {layer} is called with")
        named = {key: _keras_tensor(value) or value for key, value in kwargs.items()}
        return _Node(tuple(_tensors_and_numbers(call.get("args"), layer)), named)
    operands: list[_Reference | float] = []
    arguments: dict[str, Any] = {}
    for entry in _entries(call, layer):
        constant = entry[0] == "_CONSTANT_VALUE" and len(entry) > 2 and is_number(entry[2])
        operands.append(float(entry[2]) if constant else _reference(entry, layer))
        if len(entry) > 3 and isinstance(entry[3], dict):
            arguments.update(entry[3])
    # Operators of TensorFlow hide tensors among their arguments.
    for key, value in arguments.items():
        if isinstance(value, list) and len(value) in {3, 4} and isinstance(value[0], str) and value[0] in items:
            arguments[key] = _reference(value, layer)
    return _Node(tuple(operands), arguments)


def _tensors_and_numbers(args: Any, layer: str) -> Iterator[_Reference | float]:
    todo = [args]
    while todo:
        value = todo.pop()
        tensor = _keras_tensor(value)
        if tensor is not None:
            yield tensor
        elif isinstance(value, list):
            todo.extend(reversed(value))
        elif is_number(value):
            yield float(value)
        elif value is not None and not isinstance(value, (bool, str)):
            raise ModelError(f"The layer {layer} is called in a way that cannot be read.", _BROKEN)


def _keras_tensor(value: Any) -> _Reference | None:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        return _reference(config.get("keras_history") if isinstance(config, dict) else None, "a call")
    return None


def _references(value: Any, model: str) -> list[_Reference]:
    return [_reference(entry, model) for entry in _entries(value, model)]


def _entries(value: Any, layer: str) -> list[Any]:
    """Wrap what Keras writes without its outer list when there is one tensor only."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = [value]
    if isinstance(value, list) and all(isinstance(entry, list) and entry for entry in value):
        return value
    raise ModelError(f"The connections of {layer} are not a list of layers.", _BROKEN)


def _reference(value: Any, layer: str) -> _Reference:
    if isinstance(value, list) and len(value) >= 3:
        name, node, output = value[:3]
        if isinstance(name, str) and type(node) is int and type(output) is int and node >= 0 and output >= 0:
            return _Reference(name, node, output)
    raise ModelError(f"A connection of {layer} is not a layer with two numbers.", _BROKEN)


# --- the file's own words --------------------------------------------------------------------------------------------


def _layers(model: _Item) -> list[_Item]:
    layers = model.config.get("layers") if isinstance(model.config, dict) else model.config
    if not isinstance(layers, list):
        raise ModelError(f"The model {model.name} has no list of layers.", _BROKEN)
    return [_item(layer, f"layer {index} of {model.name}") for index, layer in enumerate(layers)]


def _named(model: _Item, items: list[_Item]) -> dict[str, _Item]:
    named = {item.name: item for item in items}
    if len(named) < len(items):
        twice = next(item.name for item in items if named[item.name] is not item)
        raise ModelError(f"The model {model.name} has two layers called {twice}.", _BROKEN)
    return named


def _item(value: Any, where: str) -> _Item:
    layer = _mapping(value, f"What stands for {where}")
    class_name, config = layer.get("class_name"), layer.get("config")
    if not isinstance(class_name, str) or not class_name:
        raise ModelError(f"There is no class_name in {where}.", _BROKEN)
    class_name = class_name.rsplit(">", 1)[-1]
    name = layer.get("name") or (config.get("name") if isinstance(config, dict) else None) or where
    inbound = layer.get("inbound_nodes") or []
    if not isinstance(name, str) or not isinstance(inbound, list):
        raise ModelError(f"The name or the connections of {where} are malformed.", _BROKEN)
    return _Item(name, class_name, config, inbound)


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number that float32 can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 3e38


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ModelError(f"{what} is not an object.", _BROKEN)


def _input_shape(model: _Item) -> Any:
    """Find the batch input shape of a Sequential model: in its first layer, however deep, or else in its own config."""
    item, own = model, None
    for _ in range(_MAX_DEPTH):
        config = item.config if isinstance(item.config, dict) else {}
        own = own or config.get("build_input_shape")
        for key in ("batch_input_shape", "batch_shape"):
            if config.get(key) is not None:
                return config[key]
        if isinstance(config.get("input_shape"), list):
            return [None, *config["input_shape"]]
        items = _layers(item) if item.class_name in MODEL_CLASSES else []
        if not items:
            break
        item = next((layer for layer in items if layer.class_name == "InputLayer"), items[0])
    return own

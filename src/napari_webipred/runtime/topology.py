"""A Keras topology as a flat list of calls, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, field

from napari_webipred import limits
from napari_webipred.errors import ModelError
from napari_webipred.runtime.connections import (
    BROKEN,
    MODEL_CLASSES,
    OUTPUT,
    Item,
    Reference,
    item_of,
    layers_of,
    mapping,
    nodes_of,
    order_of,
    references,
)


class Layer(Struct, frozen=True):
    """A layer with its config. A layer that is called twice has one set of weights.

    Attributes
    ----------
    name, class_name : str
        Its name, and its Keras class without a package prefix.
    scope : tuple of str
        Names of the models that contain it, the outermost first, without the root.
    config : mapping
        As in the file; unchecked.
    """

    name: str
    class_name: str
    scope: tuple[str, ...]
    config: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Unique name of the layer in the network."""
        return "/".join((*self.scope, self.name))


class Ref(Struct, frozen=True):
    """A tensor: the index of a call, and the index of an output of that call."""

    call: int
    output: int = 0


Operand: TypeAlias = Ref | float


class Call(Struct, frozen=True):
    """A layer applied to tensors (or numbers). Named arguments may be tensors, too."""

    layer: Layer
    operands: tuple[Operand, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refs(self) -> Iterator[Ref]:
        """All tensors that the call needs."""
        for value in (*self.operands, *self.arguments.values()):
            if isinstance(value, Ref):
                yield value


class Network(Struct, frozen=True):
    """Calls in an order in which they can run, and the output tensors."""

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
    work = _Work([])
    outputs = _expand(item_of(topology, "the root"), None, (), work)
    return Network(tuple(work.calls), tuple(outputs))


def ancestors(network: Network, *outputs: Ref) -> Network:
    """Leave out every call that `outputs` do not need."""
    needed = {output.call for output in outputs}
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
    return Network(tuple(calls), tuple(map(moved, outputs)))


# --- models ----------------------------------------------------------------------------------------------------------


class _Work(Struct):
    """The calls so far, and how many layers have been read for them."""

    calls: list[Call]
    layers: int = 0


def _expand(model: Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], work: _Work) -> list[Ref]:
    """Append the calls of a model and return its outputs. `inputs` is None for the root."""
    if len(scope) > limits.NESTED_MODELS:
        raise ModelError(
            f"Models are nested more than {limits.NESTED_MODELS} levels deep in {'/'.join(scope)[:80]}.", BROKEN
        )
    if model.class_name == "Sequential":
        return _expand_sequential(model, inputs, scope, work)
    if model.class_name in MODEL_CLASSES:
        return _expand_functional(model, inputs, scope, work)
    raise ModelError(
        f"Models of the class {model.class_name} are unsupported.",
        f"Choose a model of the class {' or '.join(sorted(MODEL_CLASSES))}.",
    )


def _expand_sequential(model: Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], work: _Work) -> list[Ref]:
    items = list(layers_of(model).values())
    _count(work, len(items))
    if inputs is None:
        name = items[0].name if items and items[0].class_name == "InputLayer" else "input"
        current = [_append(work, Call(Layer(name, "InputLayer", scope, _input_config(model))))]
    else:
        current = list(inputs)
    for item in items:
        if item.class_name == "InputLayer":
            continue
        if len(current) != 1:
            raise ModelError(
                f"The layer {item.name} of the Sequential model {model.name} has {len(current)} inputs.", BROKEN
            )
        current = _apply(item, tuple(current), {}, scope, work)
    return current


def _expand_functional(model: Item, inputs: Sequence[Ref] | None, scope: tuple[str, ...], work: _Work) -> list[Ref]:
    config = mapping(model.config, f"The config of {model.name}")
    items = layers_of(model)
    _count(work, len(items))
    input_names = [ref.name for ref in references(config.get("input_layers"), model.name)]
    nodes = nodes_of(items, references(config.get("output_layers"), model.name))
    given = dict(zip(input_names, inputs or (), strict=False))
    if inputs is not None and len(inputs) != len(input_names):
        raise ModelError(
            f"The nested model {model.name} needs {len(input_names)} inputs, but has {len(inputs)}.", BROKEN
        )
    made: dict[tuple[str, int], list[Ref]] = {}

    def resolve(value: Any) -> Any:
        if not isinstance(value, Reference):
            return value
        outputs = made[value.name, value.node]
        if items[value.name].class_name not in MODEL_CLASSES:
            return Ref(outputs[0].call, value.output) if value.output else outputs[0]
        if value.output >= len(outputs):
            raise ModelError(f"The nested model {value.name} has no output {value.output}.", BROKEN)
        return outputs[value.output]

    for name, node in order_of(model.name, nodes):
        item, spec = items[name], nodes[name, node]
        if item.class_name == "InputLayer" and inputs is None:
            layer = Layer(name, "InputLayer", scope, mapping(item.config, f"The config of {name}"))
            made[name, node] = [_append(work, Call(layer))]
        elif item.class_name == "InputLayer":
            made[name, node] = [_given(name, given, model)]
        else:
            operands = tuple(resolve(value) for value in spec.operands)
            arguments = {key: resolve(value) for key, value in spec.arguments.items()}
            made[name, node] = _apply(item, operands, arguments, scope, work)
    outputs = [resolve(ref) for ref in nodes[OUTPUT].operands]
    if not outputs:
        raise ModelError(f"The model {model.name} has no output.", BROKEN)
    return outputs


def _given(name: str, given: Mapping[str, Ref], model: Item) -> Ref:
    if name not in given:
        raise ModelError(f"The input {name} of the nested model {model.name} is not connected.", BROKEN)
    return given[name]


def _apply(
    item: Item, operands: tuple[Operand, ...], arguments: Mapping[str, Any], scope: tuple[str, ...], work: _Work
) -> list[Ref]:
    if arguments.get("training") in (True, 1):
        raise ModelError(
            f"{item.name} is in training mode, where results are random or depend on the other images.",
            "Ask the publisher of the model to save it without training=True.",
        )
    if item.class_name not in MODEL_CLASSES:
        layer = Layer(item.name, item.class_name, scope, mapping(item.config, f"The config of {item.name}"))
        return [_append(work, Call(layer, operands, arguments))]
    refs = [value for value in operands if isinstance(value, Ref)]
    if len(refs) < len(operands):
        raise ModelError(f"The nested model {item.name} has a number instead of a tensor as input.", BROKEN)
    return _expand(item, refs, (*scope, item.name), work)


def _append(work: _Work, call: Call) -> Ref:
    if len(work.calls) >= limits.CALLS:
        raise ModelError(f"The model has more than {limits.CALLS} calls of layers.", BROKEN)
    work.calls.append(call)
    return Ref(len(work.calls) - 1)


def _count(work: _Work, items: int) -> None:
    """Count the layers that are read. The layers of a model are read for each of its calls."""
    work.layers += items + 1
    if work.layers > limits.LAYERS:
        raise ModelError(
            f"The model has more than {limits.LAYERS} layers, counted once for each call of their model.", BROKEN
        )


def _input_config(model: Item) -> dict[str, Any]:
    """Describe the input of a Sequential model by its first layer, however deep, else by its own config."""
    item, own = model, None
    for _ in range(limits.NESTED_MODELS):
        config = item.config if isinstance(item.config, dict) else {}
        own = own or config.get("build_input_shape")
        shapes = [config[key] for key in ("batch_input_shape", "batch_shape") if config.get(key) is not None]
        if isinstance(config.get("input_shape"), list):
            shapes.append([None, *config["input_shape"]])
        if shapes:
            return {"batch_input_shape": shapes[0], "dtype": config.get("dtype")}
        items = list(layers_of(item).values()) if item.class_name in MODEL_CLASSES else []
        if not items:
            break
        item = next((layer for layer in items if layer.class_name == "InputLayer"), items[0])
    return {"batch_input_shape": own}

"""Which Keras layers are supported, and with which values of their options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from napari_webipred.runtime.connections import is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.topology import Layer

Function = Callable[..., Tensor]


class Kind(Struct, frozen=True):
    """How a class of layers is built.

    Attributes
    ----------
    build : callable
        Takes a `LayerContext` and the input tensors of the layer, and returns the output tensor.
    options : dict of str to tuple
        The supported values of an option. Absent or null is always accepted.
    inputs : int or None
        Number of inputs of the layer; None for one or more.
    numbers : bool
        Whether inputs may be numbers, as long as one is a tensor.
    """

    build: Function
    options: dict[str, tuple[Any, ...]]
    inputs: int | None
    numbers: bool


KINDS: dict[str, Kind] = {}


def layer(
    *class_names: str, inputs: int | None = 1, numbers: bool = False, **options: tuple[Any, ...]
) -> Callable[[Function], Function]:
    """Register a function in `KINDS` under the class names that Keras uses or used for the layer."""

    def register(build: Function) -> Function:
        options.setdefault("data_format", ("channels_last", "channels_first"))
        for name in class_names:
            KINDS[name] = Kind(build, options, inputs, numbers)
        return build

    return register


def faults(layer: Layer) -> Iterator[str]:
    """Yield the reasons why a layer is unsupported: its class, or its options.

    TensorFlow.js reads options in camel case, too. No program writes them so; they are refused, not overlooked.
    """
    kind = KINDS.get(layer.class_name)
    if kind is None or (layer.class_name == "Lambda" and not is_known_lambda(layer)):
        yield f"{layer.path} ({layer.class_name})"
        return
    if (mode := _quantisation(layer)) is not None:
        yield f"{layer.path} ({layer.class_name}, quantised as {mode!r:.80})"
        return
    for name, value in layer.config.items():
        allowed = kind.options.get(name)
        if name != name.lower() or (value is not None and allowed is not None and value not in allowed):
            yield f"{layer.path} ({layer.class_name} with {name:.80}={value!r:.80})"


def _quantisation(layer: Layer) -> Any:
    """Return how Keras 3 has quantised a layer, as the policy for its dtype says; None if it has not."""
    policy = layer.config.get("dtype")
    settings = policy.get("config") if isinstance(policy, dict) else None
    return settings.get("mode") if isinstance(settings, dict) else None


def is_known_lambda(layer: Layer) -> bool:
    """Tell by its name and arguments whether a Lambda layer comes from keras.applications.

    Known are the scaled sums of Inception-ResNet V2 and the sums over groups of ResNeXt. The code in the file is not
    read.
    """
    arguments = layer.config.get("arguments") or {}
    if re.fullmatch(r"block(8|17|35)_\d+", layer.name):
        return isinstance(arguments, dict) and list(arguments) == ["scale"] and is_number(arguments["scale"])
    return re.fullmatch(r"conv\d_block\d+_2_reduce", layer.name) is not None and not arguments

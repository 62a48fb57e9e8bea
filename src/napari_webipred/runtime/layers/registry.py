"""Which Keras layers can be built, and with which values of their options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari_webipred.runtime.connections import is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.topology import Layer

Function = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of layers is built.

    Attributes
    ----------
    build : callable
        Takes a `LayerContext` and the tensors that the layer is called with, and returns the result as a tensor.
    options : dict of str to tuple
        Options of which only these values are supported. One that is absent or null is always accepted.
    inputs : int or None
        How many operands the layer takes; None for any number but 0.
    numbers : bool
        Whether operands may be numbers, as long as one is a tensor.
    """

    build: Function
    options: dict[str, tuple[Any, ...]]
    inputs: int | None
    numbers: bool


KINDS: dict[str, Kind] = {}


def layer(
    *class_names: str, inputs: int | None = 1, numbers: bool = False, **options: tuple[Any, ...]
) -> Callable[[Function], Function]:
    """Enter a function into `KINDS` under the names that Keras has had for the layer."""

    def enter(build: Function) -> Function:
        options.setdefault("data_format", ("channels_last", "channels_first"))
        for name in class_names:
            KINDS[name] = Kind(build, options, inputs, numbers)
        return build

    return enter


def faults(layer: Layer) -> Iterator[str]:
    """Yield what makes a layer unsupported: its class, or each option at fault."""
    kind = KINDS.get(layer.class_name)
    if kind is None or (layer.class_name == "Lambda" and not is_known_lambda(layer)):
        yield f"{layer.path} ({layer.class_name})"
        return
    for name, values in kind.options.items():
        value = layer.config.get(name)
        if value is not None and not any(value == allowed for allowed in values):
            yield f"{layer.path} ({layer.class_name} with {name}={value!r:.80})"


def is_known_lambda(layer: Layer) -> bool:
    """Tell by the name and the arguments whether a Lambda is one that keras.applications made.

    Those are the scaled sums of Inception-ResNet V2 and the sums over groups of ResNeXt. The code itself, which a file
    carries along, is not looked at.
    """
    arguments = layer.config.get("arguments") or {}
    if re.fullmatch(r"block(8|17|35)_\d+", layer.name):
        return isinstance(arguments, dict) and list(arguments) == ["scale"] and is_number(arguments["scale"])
    return re.fullmatch(r"conv\d_block\d+_2_reduce", layer.name) is not None and not arguments

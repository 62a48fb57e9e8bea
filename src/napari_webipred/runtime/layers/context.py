"""The context of a layer: its options, its weights, and the graph that it adds nodes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.connections import BROKEN, is_number, mapping
from napari_webipred.runtime.graph import Attribute, Graph, Tensor, Weight
from napari_webipred.runtime.topology import Layer

UNSUPPORTED = "Choose another model, or ask the developers of napari-webipred to support this layer."
_MAX_INTEGER = 2**24


class LayerContext(Struct, frozen=True):
    """One call of a layer that is being compiled to nodes.

    Attributes
    ----------
    graph : Graph
    layer : Layer
    keras : int
        Major version of Keras that wrote the model; some defaults depend on it.
    arguments : mapping
        Arguments of this call besides its inputs.
    """

    graph: Graph
    layer: Layer
    keras: int
    arguments: Mapping[str, Any]

    def node(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Append an operation; see `Graph.node`."""
        return self.graph.node(op, *inputs, **attributes)

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Return the name of a constant; see `Graph.constant`."""
        return self.graph.constant(value, dtype)

    def integers(self, *values: int) -> str:
        """Return the name of a constant int64 vector, as ONNX needs for shapes, axes and pads."""
        return self.graph.constant(values, np.int64)

    def weight(
        self, role: str, shape: Sequence[int], prepare: Callable[..., NDArray[Any]] = lambda weight: weight
    ) -> str:
        """Return the name of the initializer that holds a weight of this layer."""
        return self.graph.initializer([self.trained(role, shape)], prepare)

    def trained(self, role: str, shape: Sequence[int]) -> Weight:
        """Describe a weight of this layer, for `Graph.initializer`."""
        return Weight(self.layer.path, self.layer.name, role, tuple(shape))

    def refuse(self, fault: str, hint: str = UNSUPPORTED) -> ModelError:
        """Return the error that names this layer."""
        return ModelError(f"The layer {self.layer.path} ({self.layer.class_name}) {fault}.", hint)

    # --- tensors ---

    def rank(self, tensor: Tensor, *ranks: int) -> Tensor:
        """Refuse a tensor unless it has one of these numbers of axes, without the batch axis."""
        if len(tensor.shape) not in ranks:
            expected = " or ".join(map(str, ranks))
            raise self.refuse(
                f"expects an input with {expected} axes besides the batch axis, but its input has the shape "
                f"{_shown(tensor.shape)}",
                BROKEN,
            )
        return tensor

    def known(self, tensor: Tensor, axis: int) -> int:
        """Return the size of an axis that must be fixed."""
        size = tensor.shape[axis]
        if size is None:
            raise self.refuse(f"needs an input of fixed size, but its input has the shape {_shown(tensor.shape)}")
        return size

    def axis(self, tensor: Tensor, value: int) -> int:
        """Convert a Keras axis, which counts the batch axis, to an index of ``tensor.shape``."""
        rank = len(tensor.shape)
        index = value - 1 if value > 0 else value + rank
        if value == 0 or not 0 <= index < rank:
            raise self.refuse(f"cannot use axis {value} of an input of shape {_shown(tensor.shape)}")
        return index

    def like(self, tensor: Tensor, name: str) -> Tensor:
        """Return a tensor of this name with the shape and storage order of `tensor`."""
        return Tensor(name, tensor.shape, tensor.nchw)

    # --- options ---

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option without checking it; null in the file means the default."""
        value = self.layer.config.get(name)
        return default if value is None else value

    def wrong(self, name: str) -> ModelError:
        """Return the error for an option with an invalid value."""
        return self.refuse(f"has an invalid option: {name}={self.layer.config.get(name)!r:.80}", BROKEN)

    def integer(self, name: str, default: int | None = None, least: int = 1) -> int:
        """Return an integer of at least `least`."""
        value = self.option(name, default)
        if not is_integer(value) or not least <= value <= _MAX_INTEGER:
            raise self.wrong(name)
        return int(value)

    def integers_of(self, name: str, default: int | Sequence[int], count: int | None = None) -> list[int]:
        """Return a list of integers; a single integer means `count` equal ones."""
        value = self.option(name, default)
        values = [value] * (count or 1) if is_integer(value) else value
        if not isinstance(values, (list, tuple)) or (count is not None and len(values) != count):
            raise self.wrong(name)
        if not all(is_integer(n) and abs(n) <= _MAX_INTEGER for n in values):
            raise self.wrong(name)
        return [int(n) for n in values]

    def pair(self, name: str, default: int | Sequence[int]) -> tuple[int, int]:
        """Return two positive integers, for height and width."""
        height, width = self.integers_of(name, default, 2)
        if min(height, width) < 1:
            raise self.wrong(name)
        return height, width

    def number(self, name: str, default: float) -> float:
        """Return a finite number."""
        value = self.option(name, default)
        if not is_number(value):
            raise self.wrong(name)
        return float(value)

    def numbers(self, name: str) -> list[float] | None:
        """Return the numbers of a single number or a nested list as a flat list; None if the option is absent."""
        value = self.option(name)
        if value is None:
            return None
        if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
            value = mapping(value.get("config"), f"The option {name} of {self.layer.path}").get("value")
        try:
            array = np.asarray(value, np.float64).ravel()
        except (TypeError, ValueError, OverflowError) as error:
            raise self.wrong(name) from error
        if not np.isfinite(array).all():
            raise self.wrong(name)
        return [float(number) for number in array]

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        value = self.option(name, default)
        if not isinstance(value, (bool, int)):
            raise self.wrong(name)
        return bool(value)

    @property
    def channels_last(self) -> bool:
        """Whether the layer expects (height, width, channels)."""
        return bool(self.option("data_format", "channels_last") == "channels_last")

    # --- images ---

    def image(self, tensor: Tensor) -> tuple[str, int | None, int | None, int]:
        """Return the name of an image stored as NCHW, as ONNX needs it, and its height, width and channels."""
        self.rank(tensor, 3)
        if self.channels_last:
            height, width, _ = tensor.shape
            return self.graph.nchw(tensor).name, height, width, self.known(tensor, 2)
        _, height, width = tensor.shape
        return self.graph.plain(tensor).name, height, width, self.known(tensor, 0)

    def image_tensor(self, name: str, height: int | None, width: int | None, channels: int) -> Tensor:
        """Return the NCHW output of an ONNX operation as the tensor that Keras would have."""
        if any(size is not None and size < 1 for size in (height, width, channels)):
            shape = _shown((height, width, channels))
            raise self.refuse(
                f"has an image as input that is too small: the output would have the shape {shape}", BROKEN
            )
        if self.channels_last:
            return Tensor(name, (height, width, channels), nchw=True)
        return Tensor(name, (channels, height, width))


def is_integer(value: Any) -> bool:
    """Tell whether a JSON value is an integer; some programs write 2.0 for 2."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _shown(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"

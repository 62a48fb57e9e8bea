"""The context of an operation: its attributes, its inputs, and the graph that it adds nodes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph import Graph, Tensor, Weight
from napari_webipred.runtime.graph_model import BROKEN, Operation
from napari_webipred.runtime.layers import KINDS, LayerContext, faults
from napari_webipred.runtime.topology import Layer

UNSUPPORTED = "Choose another model, or ask the developers of napari-webipred to support this operation."

# The shape of a tensor as a value that the graph computes with; None is the batch size.
Sizes: TypeAlias = tuple[int | None, ...]


class SpaceToBatch(Struct, frozen=True):
    """The result of SpaceToBatchND, with which TensorFlow writes a convolution with dilations.

    Attributes
    ----------
    tensor : Tensor
        The input of SpaceToBatchND, padded.
    dilations : tuple of int
        Its block shape, which is the dilation of the convolution: vertical and horizontal.
    """

    tensor: Tensor
    dilations: tuple[int, int]


class FlattenedBatch(Struct, frozen=True):
    """A tensor that TensorFlow has reshaped to (-1, channels), to multiply it by a matrix.

    Attributes
    ----------
    tensor : Tensor
        The tensor before the reshape.
    """

    tensor: Tensor


# A tensor that depends on the image, a constant, or a shape.
Value: TypeAlias = Tensor | SpaceToBatch | FlattenedBatch | NDArray[np.float32] | Sizes
Function: TypeAlias = Callable[["OpContext"], Value]

# By TensorFlow's name.
OPERATIONS: dict[str, Function] = {}

# Constants up to this size are stored once, however often they are used.
_SMALL = 64


def operation(*names: str) -> Callable[[Function], Function]:
    """Register a function in `OPERATIONS` under these names of TensorFlow."""

    def register(function: Function) -> Function:
        for name in names:
            OPERATIONS[name] = function
        return function

    return register


class OpContext(Struct, frozen=True):
    """One operation that is being compiled to nodes.

    Attributes
    ----------
    graph : Graph
    operation : Operation
    values : tuple of Value
        Its inputs.
    arrays : dict of Weight to ndarray
        The constants of the graph so far; operations add to it.
    """

    graph: Graph
    operation: Operation
    values: tuple[Value, ...]
    arrays: dict[Weight, NDArray[np.float32]]

    # --- inputs and attributes ---

    def refuse(self, fault: str, hint: str = UNSUPPORTED) -> ModelError:
        """Return the error that names this operation."""
        return ModelError(f"The operation {self.operation.name[:200]} ({self.operation.op}) {fault}.", hint)

    def value(self, index: int) -> Value:
        """Return an input of any kind."""
        if not -len(self.values) <= index < len(self.values):
            raise self.refuse(f"has only {len(self.values)} inputs", BROKEN)
        return self.values[index]

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input that depends on the image."""
        value = self.value(index)
        if not isinstance(value, Tensor):
            raise self.refuse(f"needs a tensor that depends on the image as input {index}")
        return value

    def array(self, index: int) -> NDArray[np.float32]:
        """Return an input that is a constant."""
        value = self.value(index)
        if not isinstance(value, np.ndarray):
            raise self.refuse(f"needs a constant as input {index}")
        return value

    def sizes(self, index: int) -> Sizes:
        """Return an input that is a shape or a constant of integers."""
        value = self.value(index)
        if isinstance(value, tuple):
            return value
        flat = self.array(index).ravel()
        if flat.size > 16 or not np.array_equal(flat, np.rint(flat)):
            raise self.refuse(f"needs at most 16 integers as input {index}, but got {flat.size} values", BROKEN)
        return tuple(int(number) for number in flat)

    def integers(self, index: int) -> list[int]:
        """Return an input that is a constant of integers."""
        sizes = self.sizes(index)
        return [self._not_the_batch(size) for size in sizes]

    def integer(self, index: int) -> int:
        """Return an input that is a constant integer."""
        numbers = self.integers(index)
        if len(numbers) != 1:
            raise self.refuse(f"needs one integer as input {index}, but got {len(numbers)}", BROKEN)
        return numbers[0]

    def _not_the_batch(self, size: int | None) -> int:
        if size is None:
            raise self.refuse("depends on the batch size, which is unsupported")
        return size

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute, which must have the type of the default; by default the default."""
        value = self.operation.attributes.get(name, default)
        if type(value) is not type(default):
            raise self.refuse(f"has an invalid attribute: {name}={value!r:.80}", BROKEN)
        return value

    def listed(self, name: str) -> list[int]:
        """Return an attribute that is a list of integers; an empty list if it is absent."""
        values = self.attribute(name, [])
        if not all(type(value) is int for value in values):
            raise self.refuse(f"has an invalid attribute: {name}={values!r:.80}", BROKEN)
        return list(values)

    def axis(self, tensor: Tensor, value: int) -> int:
        """Convert an axis that counts the batch axis to an index of ``tensor.shape``."""
        rank = len(tensor.shape)
        index = value - 1 if value > 0 else value + rank
        if value == 0 or not 0 <= index < rank:
            raise self.refuse(f"cannot use axis {value} of a tensor with {rank + 1} axes")
        return index

    def known(self, tensor: Tensor) -> list[int]:
        """Return the shape of a tensor without the batch axis, which must be fixed."""
        if None in tensor.shape:
            raise self.refuse(f"needs an input of fixed size, but its input has the shape {list(tensor.shape)}")
        return [size for size in tensor.shape if size is not None]

    # --- output ---

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append an ONNX operation; see `Graph.node`."""
        return self.graph.node(op, *inputs, **attributes)

    def layer(
        self,
        class_name: str,
        *tensors: Tensor,
        weights: Mapping[str, NDArray[np.float32]] | None = None,
        **config: Any,
    ) -> Tensor:
        """Add the nodes of a Keras layer with these options and weights."""
        layer = Layer(self.operation.name, class_name, (), config)
        if found := list(faults(layer)):
            raise self.refuse(f"has unsupported options: {', '.join(found)}")
        for role, array in (weights or {}).items():
            self.arrays[Weight(layer.path, layer.name, role, array.shape)] = array
        return KINDS[class_name].build(LayerContext(self.graph, layer, 2, {}), *tensors)

    def constant(self, array: NDArray[np.float32], tensor: Tensor, role: str) -> str:
        """Return the name of a constant that is combined with a tensor, in the storage order of that tensor."""
        rank = len(tensor.shape)
        if array.ndim == rank + 1 and array.shape[0] == 1:
            array = array[0]
        if array.ndim > rank:
            raise self.refuse(f"cannot combine tensors of shapes {list(tensor.shape)} and {list(array.shape)}")
        if tensor.nchw:
            array = array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(2, 0, 1)
        if array.size <= _SMALL:
            return self.graph.constant(array)
        weight = Weight(self.operation.name, self.operation.name, role, array.shape)
        self.arrays[weight] = array
        return self.graph.initializer([weight])

    def reshaped(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Reshape a tensor; the shape is without the batch axis."""
        plain = self.graph.plain(tensor)
        if tuple(shape) == plain.shape:
            return plain
        if math.prod(shape) != math.prod(self.known(tensor)):
            raise self.refuse(f"cannot reshape {list(tensor.shape)} to {list(shape)}", BROKEN)
        target = self.graph.constant([0, *shape], np.int64)
        return Tensor(self.node("Reshape", plain.name, target), tuple(shape))

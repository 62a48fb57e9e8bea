"""What the function of an operation works with: its attributes, its values, and the graph that it adds nodes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph import Graph, Tensor, Weight
from napari_webipred.runtime.graph_model import BROKEN, Operation
from napari_webipred.runtime.layers import KINDS, LayerContext, faults
from napari_webipred.runtime.topology import Layer

UNSUPPORTED = "Choose another model, or ask the makers of this program to support the operation."

# The sizes of a tensor while a graph computes with them; None is the number of pictures.
Sizes: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class SpaceToBatch:
    """A tensor of which TensorFlow has put every n-th pixel into a batch of its own, to convolve with gaps.

    Attributes
    ----------
    tensor : Tensor
        As it was before.
    gaps : tuple of int
        Distance of the pixels that are together, downwards and to the right.
    """

    tensor: Tensor
    gaps: tuple[int, int]


@dataclass(frozen=True, slots=True)
class FlattenedBatch:
    """A tensor of which TensorFlow has put all axes but the last into one, to multiply it by a matrix.

    Attributes
    ----------
    tensor : Tensor
        As it was before.
    """

    tensor: Tensor


# A tensor that depends on the picture, a constant, or sizes.
Value: TypeAlias = Tensor | SpaceToBatch | FlattenedBatch | NDArray[np.float32] | Sizes
Function: TypeAlias = Callable[["OpContext"], Value]

# TensorFlow's name to how it is done.
OPERATIONS: dict[str, Function] = {}

# Smaller constants are stored once, however often they occur.
_SMALL = 64


def operation(*names: str) -> Callable[[Function], Function]:
    """Enter a function into `OPERATIONS` under these names of TensorFlow."""

    def enter(function: Function) -> Function:
        for name in names:
            OPERATIONS[name] = function
        return function

    return enter


@dataclass(frozen=True, slots=True)
class OpContext:
    """One operation that is being turned into nodes.

    Attributes
    ----------
    graph : Graph
    operation : Operation
    values : tuple of Value
        What its inputs are.
    arrays : dict of Weight to ndarray
        The constants of the graph so far; grows.
    """

    graph: Graph
    operation: Operation
    values: tuple[Value, ...]
    arrays: dict[Weight, NDArray[np.float32]]

    # --- what it is given ---

    def refuse(self, fault: str, hint: str = UNSUPPORTED) -> ModelError:
        """Return the error that names this operation."""
        return ModelError(f"The operation {self.operation.name[:200]} ({self.operation.op}) {fault}.", hint)

    def value(self, index: int) -> Value:
        """Return an input of any kind."""
        if not -len(self.values) <= index < len(self.values):
            raise self.refuse(f"has {len(self.values)} inputs, which are too few", BROKEN)
        return self.values[index]

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input that depends on the picture."""
        value = self.value(index)
        if not isinstance(value, Tensor):
            raise self.refuse(f"is given something else than a tensor of the network as its input {index}")
        return value

    def array(self, index: int) -> NDArray[np.float32]:
        """Return an input that is a constant."""
        value = self.value(index)
        if not isinstance(value, np.ndarray):
            raise self.refuse(f"depends on the picture in its input {index}, which is not supported")
        return value

    def sizes(self, index: int) -> Sizes:
        """Return an input that is sizes, or a constant of whole numbers, as sizes."""
        value = self.value(index)
        if isinstance(value, tuple):
            return value
        flat = self.array(index).ravel()
        if flat.size > 16 or not np.array_equal(flat, np.rint(flat)):
            raise self.refuse(f"has the input {index} of {flat.size} numbers instead of a few whole ones", BROKEN)
        return tuple(int(number) for number in flat)

    def integers(self, index: int) -> list[int]:
        """Return an input that is a constant of whole numbers."""
        sizes = self.sizes(index)
        return [self._not_the_batch(size) for size in sizes]

    def integer(self, index: int) -> int:
        """Return an input that is a constant whole number."""
        numbers = self.integers(index)
        if len(numbers) != 1:
            raise self.refuse(f"has {len(numbers)} numbers as its input {index} instead of one", BROKEN)
        return numbers[0]

    def _not_the_batch(self, size: int | None) -> int:
        if size is None:
            raise self.refuse("computes with the number of pictures, which is not supported")
        return size

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute of the type that the default has, or the default."""
        value = self.operation.attributes.get(name, default)
        if type(value) is not type(default):
            raise self.refuse(f"has the unusable attribute {name}={value!r:.80}", BROKEN)
        return value

    def listed(self, name: str) -> list[int]:
        """Return an attribute that is a list of whole numbers; empty if it is not there."""
        values = self.attribute(name, [])
        if not all(type(value) is int for value in values):
            raise self.refuse(f"has the unusable attribute {name}={values!r:.80}", BROKEN)
        return list(values)

    def axis(self, tensor: Tensor, value: int) -> int:
        """Turn an axis that counts the batch into an index of ``tensor.shape``."""
        rank = len(tensor.shape)
        index = value - 1 if value > 0 else value + rank
        if value == 0 or not 0 <= index < rank:
            raise self.refuse(f"works along the axis {value} of a tensor with {rank + 1} axes")
        return index

    def known(self, tensor: Tensor) -> list[int]:
        """Return the sizes of a tensor without the batch, all of which must be known."""
        if None in tensor.shape:
            raise self.refuse(f"needs to know the sizes of a tensor of shape {list(tensor.shape)}")
        return [size for size in tensor.shape if size is not None]

    # --- what it makes ---

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
        """Do what a Keras layer does with these options and weights, since it does the same."""
        layer = Layer(self.operation.name, class_name, (), config)
        if found := list(faults(layer)):
            raise self.refuse(f"has options that are not supported: {', '.join(found)}")
        for role, array in (weights or {}).items():
            self.arrays[Weight(layer.path, layer.name, role, array.shape)] = array
        return KINDS[class_name].build(LayerContext(self.graph, layer, 2, {}), *tensors)

    def constant(self, array: NDArray[np.float32], tensor: Tensor, role: str) -> str:
        """Return the name of a constant that is combined with a tensor, in the order in which that is stored."""
        rank = len(tensor.shape)
        if array.ndim == rank + 1 and array.shape[0] == 1:
            array = array[0]
        if array.ndim > rank:
            raise self.refuse(f"combines tensors of shapes {list(tensor.shape)} and {list(array.shape)}")
        if tensor.nchw:
            array = array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(2, 0, 1)
        if array.size <= _SMALL:
            return self.graph.constant(array)
        weight = Weight(self.operation.name, self.operation.name, role, array.shape)
        self.arrays[weight] = array
        return self.graph.initializer([weight])

    def reshaped(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Read the same values in another shape (without the batch)."""
        plain = self.graph.plain(tensor)
        if tuple(shape) == plain.shape:
            return plain
        if math.prod(shape) != math.prod(self.known(tensor)):
            raise self.refuse(f"cannot bring {list(tensor.shape)} into the shape {list(shape)}", BROKEN)
        target = self.graph.constant([0, *shape], np.int64)
        return Tensor(self.node("Reshape", plain.name, target), tuple(shape))

"""An ONNX graph while it grows: plain data, without ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import LimitError

# Names of the one input and the one output of a compiled model.
INPUT = "image"
OUTPUT = "classes"

# Raised whenever the same model compiles to another graph, so that those on disk are made anew. It stands here because
# a graph on disk is opened without the compiler.
COMPILER_VERSION = 15

Attribute = int | float | str | Sequence[int]


class Tensor(Struct, frozen=True):
    """A tensor on its way through the graph.

    Attributes
    ----------
    name : str
        Its name in the ONNX graph.
    shape : tuple of (int or None)
        Its shape in Keras, without the batch axis; None is not known before an image comes.
    nchw : bool
        True if it is stored as (batch, channels, height, width), although its shape is (height, width, channels).
    """

    name: str
    shape: tuple[int | None, ...]
    nchw: bool = False


class Node(Struct, frozen=True):
    """One ONNX operation."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Attribute]


class Weight(Struct, frozen=True):
    """A trained tensor that a layer needs.

    Attributes
    ----------
    path, layer : str
        The layer, with and without the models around it.
    role : str
        Keras' word for the tensor, such as ``kernel``.
    shape : tuple of int
        Its shape in Keras.
    """

    path: str
    layer: str
    role: str
    shape: tuple[int, ...]


class Initializer(Struct, frozen=True):
    """How a constant of the graph is computed from weights, once all weights are found."""

    weights: tuple[Weight, ...]
    prepare: Callable[..., NDArray[Any]]


Rewrite: TypeAlias = Callable[[Sequence[Node], Mapping[str, NDArray[Any]]], list[Node]]


class Graph(Struct):
    """A graph with one image as its input.

    Names are generated, because those of a model file may hold anything.

    Attributes
    ----------
    nodes : list of Node
        In an order in which they can run.
    constants : dict of str to ndarray
        Small constants by name.
    initializers : dict of str to Initializer
        Constants by name that are still to be made of weights.
    optional_weights : set of Weight
        What may be in the file but plays no part in a prediction.
    paddings : dict of str to tuple
        Of tensors that are others with zeros around them: the other, and (top, left, bottom, right).
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    initializers: dict[str, Initializer] = field(default_factory=dict)
    optional_weights: set[Weight] = field(default_factory=set)
    paddings: dict[str, tuple[str, tuple[int, int, int, int]]] = field(default_factory=dict)
    _known: dict[Any, Any] = field(default_factory=dict)

    def node(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Append an operation and return the name of its output.

        Raises
        ------
        LimitError
            The graph has more operations than any network in use.
        """
        if len(self.nodes) >= limits.OPERATIONS:
            raise LimitError(
                f"The network has more than {limits.OPERATIONS} operations, more than any network in use.",
                "Choose a smaller model.",
            )
        output = f"t{len(self.nodes)}"
        self.nodes.append(Node(op, inputs, output, attributes))
        return output

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Return the name of a constant; equal ones are stored once."""
        array = np.asarray(value, dtype)
        key = ("constant", array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"c{len(self.constants)}"
            self.constants[self._known[key]] = array
        name: str = self._known[key]
        return name

    def initializer(
        self, weights: Sequence[Weight], prepare: Callable[..., NDArray[Any]] = lambda weight: weight, part: str = ""
    ) -> str:
        """Return the name of a constant that is made of weights.

        A layer that is called again asks again for the same `weights` and `part`, and gets the same constant.
        """
        key = ("initializer", tuple(weights), part)
        if key not in self._known:
            self._known[key] = f"w{len(self.initializers)}"
            self.initializers[self._known[key]] = Initializer(tuple(weights), prepare)
        name: str = self._known[key]
        return name

    def nchw(self, tensor: Tensor) -> Tensor:
        """Return an image-shaped tensor stored as (batch, channels, height, width)."""
        return tensor if tensor.nchw else self._stored(tensor, nchw=True)

    def plain(self, tensor: Tensor) -> Tensor:
        """Return a tensor stored in the order that its shape says."""
        return self._stored(tensor, nchw=False) if tensor.nchw else tensor

    def _stored(self, tensor: Tensor, *, nchw: bool) -> Tensor:
        key = ("stored", tensor.name, nchw)
        if key not in self._known:
            name = self.node("Transpose", tensor.name, perm=[0, 3, 1, 2] if nchw else [0, 2, 3, 1])
            turned = Tensor(name, tensor.shape, nchw)
            self._known[key] = turned
            self._known["stored", name, not nchw] = tensor
        stored: Tensor = self._known[key]
        return stored

    def finish(self, output: str, rewrite: Rewrite) -> None:
        """Name the output, leave out what it does not need, and rewrite the rest.

        Parameters
        ----------
        output : str
            Tensor of any number of axes; the output of the graph is that tensor as (batch, numbers).
        rewrite : callable
            From nodes and small constants to nodes for less work, such as `napari_webipred.runtime.rewrites.rewritten`.
        """
        nodes = rewrite(_needed(self.nodes, output), self.constants)
        self.nodes = [*_needed(nodes, output), Node("Flatten", (output,), OUTPUT, {"axis": 1})]
        used = {name for node in self.nodes for name in node.inputs}
        self.constants = {name: array for name, array in self.constants.items() if name in used}


def _needed(nodes: Sequence[Node], output: str) -> list[Node]:
    """Leave out what an output does not need."""
    needed, kept = {output}, []
    for node in reversed(nodes):
        if node.output in needed:
            kept.append(node)
            needed.update(node.inputs)
    return kept[::-1]

"""Where a compiled network is cut: the last tensor with rows and columns, and the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred.runtime.bounds import read_network
from napari_webipred.runtime.graph import OUTPUT
from napari_webipred.runtime.onnx_graph import Constant, Operation
from napari_webipred.runtime.shapes import infer

if TYPE_CHECKING:
    from napari_webipred.runtime.onnx_graph import OnnxGraph
    from napari_webipred.runtime.shapes import Value

MOVES = {"Flatten", "Reshape", "Identity", "Cast", "Squeeze", "Unsqueeze", "Transpose", "Dropout"}
POINTWISE = {
    *("Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Elu", "HardSwish", "HardSigmoid", "Softplus", "Gelu"),
    *("Add", "Sub", "Mul", "Div", "Identity", "Cast", "Dropout"),
}
ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
TO_ROWS_LAST = [0, 2, 3, 1]  # the permutation that TensorFlow's order of axes needs before a layer that flattens


class Cut(Struct, frozen=True, eq=False):
    """A network in two parts.

    Attributes
    ----------
    features : str or None
        The tensor of shape (batch, channels, rows, columns) between body and head; None if there is none through which
        all that decides passes.
    logits : str
        The tensor before the last softmax or sigmoid, or the output itself.
    activation : str
        What comes after: ``"softmax"``, ``"sigmoid"`` or ``""``.
    head : list of Operation
        The operations from `features` to `logits`.
    shape : tuple of int
        Of `features`, for one image; empty if there are none.
    constants : dict of str to Constant
    """

    features: str | None
    logits: str
    activation: str
    head: list[Operation]
    shape: tuple[int, ...]
    constants: dict[str, Constant]


def cut(graph: bytes | memoryview, size: tuple[int, int, int]) -> Cut:
    """Cut a compiled network before its head.

    Parameters
    ----------
    graph : bytes or memoryview
    size : tuple of int
        (height, width, channels) of the model input.
    """
    network = read_network(graph)
    producers = {name: operation for operation in network.operations for name in operation.outputs if name}
    tensor = _before_moves(OUTPUT, producers)
    last = producers.get(tensor)
    activation = ACTIVATIONS.get(last.kind, "") if last is not None else ""
    logits = last.inputs[0] if last is not None and activation else OUTPUT
    used = _ancestors(logits, network, producers)
    shapes = infer(network, dict.fromkeys(network.inputs, (1, *size)))
    needed = {logits}  # by the operations behind, of what lies before them
    for number in reversed(range(len(used))):
        if len(needed) == 1 and (name := next(iter(needed))) != logits and _is_map(name, shapes, producers):
            return Cut(name, logits, activation, used[number + 1 :], shapes[name].shape, network.constants)
        needed.difference_update(used[number].outputs)
        needed.update(each for each in used[number].inputs if each in producers or each in network.inputs)
    return Cut(None, logits, activation, [], (), network.constants)


def _is_map(tensor: str, shapes: dict[str, Value], producers: dict[str, Operation]) -> bool:
    """Tell whether a tensor has channels, rows and columns, in this order, and more than one place."""
    shape = shapes[tensor].shape if tensor in producers else ()
    if len(shape) != 4 or shape[2] * shape[3] <= 1 or producers[tensor].kind in MOVES:
        return False  # a tensor that was only moved has another order of axes
    return not _channels_last(tensor, producers)


def _before_moves(tensor: str, producers: dict[str, Operation]) -> str:
    """Return the tensor that is only moved, not changed, until it is this one."""
    while tensor in producers and producers[tensor].kind in MOVES:
        tensor = producers[tensor].inputs[0]
    return tensor


def _channels_last(tensor: str, producers: dict[str, Operation]) -> bool:
    """Tell whether a tensor has the order (batch, rows, columns, channels), as TensorFlow has it.

    Operations on single numbers keep the order; it is known again at a transposition, and at any other operation, which
    in ONNX has the channels first.
    """
    while tensor in producers and producers[tensor].kind in POINTWISE:
        tensor = producers[tensor].inputs[0]
    made = producers.get(tensor)
    return made is not None and made.kind == "Transpose" and made.attributes.get("perm") == TO_ROWS_LAST


def _ancestors(tensor: str, network: OnnxGraph, producers: dict[str, Operation]) -> list[Operation]:
    """Return the operations that a tensor is computed by, in an order in which they can run."""
    needed, waiting = set(), [tensor]
    while waiting:
        operation = producers.get(waiting.pop())
        if operation is not None and id(operation) not in needed:
            needed.add(id(operation))
            waiting.extend(operation.inputs)
    return [operation for operation in network.operations if id(operation) in needed]

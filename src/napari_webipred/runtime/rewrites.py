"""Rewrites of a graph: less work for the same numbers, which differ by rounding alone.

What they gain, and what was tried in vain, is in `docs/fidelity.md`. The last convolution and what comes behind it are
left as they are, because there explanations and features have their place.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.runtime.graph import Attribute, Node

    Constants: TypeAlias = Mapping[str, NDArray[Any]]

_NOT_NEGATIVE = {"Relu", "Sigmoid", "Softplus", "HardSigmoid"}
_TO_CHANNELS_FIRST = [0, 3, 1, 2]


def rewritten(nodes: Sequence[Node], constants: Constants) -> list[Node]:
    """Apply all rewrites.

    Parameters
    ----------
    nodes : sequence of Node
        In an order in which they can run.
    constants : mapping of str to ndarray
        The small constants among their inputs, by name.

    Returns
    -------
    list of Node
        In an order in which they can run; some may no longer be needed.
    """
    last = max((place for place, node in enumerate(nodes) if node.op == "Conv"), default=0)
    made, head = list(nodes[:last]), nodes[last:]
    kept = {name for node in head for name in node.inputs}
    for rewrite in REWRITES:
        changed = rewrite(made, constants, kept)
        made = [changed.get(node.output, node) for node in made]
    return [*made, *head]


def pooled_before_convolved(nodes: Sequence[Node], constants: Constants, kept: Set[str]) -> dict[str, Node]:
    """Move an average pooling before the 1 x 1 convolution that it follows.

    Both are linear and act along other axes. The convolution is left with the places that the pooling keeps. Its bias
    stays right, because the mean of a constant is that constant, unless zeros around the image count.
    """
    graph, changed = _Index(nodes, kept), {}
    for pool in nodes:
        convolution = graph.maker(pool.inputs[0], "Conv") if pool.op == "AveragePool" else None
        if convolution is None or not graph.is_used_once(convolution.output) or not _is_pointwise(convolution):
            continue
        if math.prod(_integers(pool, "strides", [1, 1])) > 1 and not pool.attributes.get("count_include_pad", 0):
            between = convolution.output
            changed[between] = replace(pool, inputs=convolution.inputs[:1], output=between)
            changed[pool.output] = replace(convolution, inputs=(between, *convolution.inputs[1:]), output=pool.output)
    return changed


def padded_by_maximum(nodes: Sequence[Node], constants: Constants, kept: Set[str]) -> dict[str, Node]:
    """Leave zeros around an image without negative values to the maximum pooling that follows.

    Its own padding never is the maximum, and neither are these zeros, where a window holds a pixel of the image. With
    negative values this would be wrong; ONNX Runtime does it all the same, unless that is switched off.
    """
    graph, changed = _Index(nodes, kept), {}
    for pool in nodes:
        pad = graph.maker(pool.inputs[0], "Pad") if pool.op == "MaxPool" else None
        image = graph.maker(pad.inputs[0]) if pad is not None else None
        if pad is None or image is None or not _is_not_negative(image, constants):
            continue
        margins = _zeros_around(pad, constants)
        pads = _pads_beside(pool, margins) if margins is not None else None
        if pads is not None:
            attributes = {**pool.attributes, "pads": pads}
            changed[pool.output] = replace(pool, inputs=pad.inputs[:1], attributes=attributes)
    return changed


def images_of_one_place(nodes: Sequence[Node], constants: Constants, kept: Set[str]) -> dict[str, Node]:
    """Use the result of a global pooling as it is where it was made a list and then an image of one place again."""
    graph, pooled = _Index(nodes, kept), {}
    for turn in nodes:
        if turn.op != "Transpose" or turn.attributes.get("perm") != _TO_CHANNELS_FIRST:
            continue
        image = graph.maker(turn.inputs[0], "Reshape")
        listed = graph.maker(image.inputs[0], "Reshape") if image is not None else None
        source = graph.maker(listed.inputs[0], "GlobalAveragePool", "GlobalMaxPool") if listed is not None else None
        if image is not None and source is not None and _is_one_place(image, constants):
            pooled[turn.output] = source.output
    return {
        node.output: replace(node, inputs=tuple(pooled.get(name, name) for name in node.inputs))
        for node in nodes
        if any(name in pooled for name in node.inputs)
    }


def hard_sigmoids(nodes: Sequence[Node], constants: Constants, kept: Set[str]) -> dict[str, Node]:
    """Make one operation of clip(x + b, 0, h) / h, which is how MobileNet V3 writes it."""
    graph, changed = _Index(nodes, kept), {}
    for last in nodes:
        scaled, factor = _with_number(last, constants, "Mul", "Div")
        clip = graph.maker(scaled, "Clip") if scaled else None
        sum_ = graph.maker(clip.inputs[0], "Add") if clip is not None and len(clip.inputs) == 3 else None
        if clip is None or sum_ is None or not all(map(graph.is_used_once, (clip.output, sum_.output))):
            continue
        x, shift = _with_number(sum_, constants, "Add")
        low, high = (_number(name, constants) for name in clip.inputs[1:])
        if x and low == 0 and math.isclose(high * factor, 1, rel_tol=1e-6):
            attributes: dict[str, Attribute] = {"alpha": 1 / high, "beta": shift / high}
            changed[last.output] = replace(last, op="HardSigmoid", inputs=(x,), attributes=attributes)
    return changed


# From nodes in an order in which they can run, the constants among their inputs, and the tensors that are needed beside
# theirs, to the nodes that take the place of those with the same output.
REWRITES: tuple[Callable[[Sequence[Node], Constants, Set[str]], dict[str, Node]], ...] = (
    pooled_before_convolved,
    padded_by_maximum,
    images_of_one_place,
    hard_sigmoids,
)


class _Index:
    """Which node makes a tensor, and how often it is used."""

    def __init__(self, nodes: Sequence[Node], kept: Set[str]) -> None:
        self._makers = {node.output: node for node in nodes}
        self._uses = Counter([*kept, *(name for node in nodes for name in node.inputs)])

    def maker(self, tensor: str, *ops: str) -> Node | None:
        """Return the node that makes a tensor, if it is one of these operations; without any, whatever it is."""
        node = self._makers.get(tensor)
        return node if node is not None and (not ops or node.op in ops) else None

    def is_used_once(self, tensor: str) -> bool:
        return self._uses[tensor] == 1


def _integers(node: Node, name: str, default: Sequence[int]) -> list[int]:
    value = node.attributes.get(name, default)
    assert isinstance(value, Sequence)
    return [int(number) for number in value]


def _number(name: str, constants: Constants) -> float:
    """Return a constant that is a single number; NaN if it is none."""
    array = constants.get(name)
    return float(array.item()) if array is not None and array.size == 1 else math.nan


def _with_number(node: Node, constants: Constants, *ops: str) -> tuple[str, float]:
    """Return the tensor that one of these operations combines with a number, and the number; "" if it does not.

    For a division, it is the number to multiply by.
    """
    if node.op in ops:
        first, second = node.inputs
        number = _number(second, constants)
        if not math.isnan(number):
            return first, 1 / number if node.op == "Div" and number else number
        number = _number(first, constants)
        if not math.isnan(number) and node.op != "Div":
            return second, number
    return "", math.nan


def _is_pointwise(convolution: Node) -> bool:
    """Tell whether each place of the result is computed from this place alone."""
    one, none = [1, 1], [0, 0, 0, 0]
    return (
        _integers(convolution, "kernel_shape", []) == _integers(convolution, "strides", one) == one
        and _integers(convolution, "pads", none) == none
    )


def _is_one_place(reshape: Node, constants: Constants) -> bool:
    """Tell whether the result of a reshape is (batch, 1, 1, channels)."""
    shape = constants.get(reshape.inputs[1])
    return shape is not None and len(shape) == 4 and list(shape[:3]) == [0, 1, 1]


def _is_not_negative(node: Node, constants: Constants) -> bool:
    if node.op == "Clip" and len(node.inputs) > 1:
        return _number(node.inputs[1], constants) >= 0
    return node.op in _NOT_NEGATIVE


def _zeros_around(pad: Node, constants: Constants) -> list[int] | None:
    """Return (top, left, bottom, right) of a padding with zeros; None if it pads otherwise."""
    sizes = constants.get(pad.inputs[1])
    value = _number(pad.inputs[2], constants) if len(pad.inputs) == 3 else 0.0
    if sizes is None or len(sizes) != 8 or value != 0 or pad.attributes.get("mode", "constant") != "constant":
        return None
    margins = [int(size) for size in sizes]
    if margins[:2] != [0, 0] or margins[4:6] != [0, 0] or min(margins) < 0:
        return None
    return [*margins[2:4], *margins[6:]]


def _pads_beside(pool: Node, margins: Sequence[int]) -> list[int] | None:
    """Add margins to the padding of a pooling; None where a window could then miss the image."""
    if {"auto_pad", "dilations", "ceil_mode"} & pool.attributes.keys():
        return None
    pads = [pad + margin for pad, margin in zip(_integers(pool, "pads", [0] * 4), margins, strict=True)]
    kernel = _integers(pool, "kernel_shape", [])
    return pads if all(pad < size for pad, size in zip(pads, kernel * 2, strict=True)) else None

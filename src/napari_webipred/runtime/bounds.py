"""What a network needs at most, in memory and work, told before it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError, SlowModelError
from napari_webipred.runtime.facts import BOUNDS, with_facts
from napari_webipred.runtime.onnx_graph import OnnxGraph, read_graph

# A graph that tells what it needs is opened without the rules for shapes, memory and work, which take time to import.


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a network needs for a batch of images.

    Attributes
    ----------
    batch : tuple of int
        (images, height, width, channels); empty if only `weights` and `folds` are told, which do not depend on it.
    weights : int
        Bytes that stay as long as the network is open.
    folds : bool
        Whether ONNX Runtime may compute what depends on no image once, when it opens the network.
    run : int
        Bytes that a run needs beside the weights.
    work : int
        Multiply-adds of a run.
    largest : str
        Which operation makes the largest tensor of a run, in words.
    """

    batch: tuple[int, ...]
    weights: int
    folds: bool
    run: int = 0
    work: int = 0
    largest: str = ""

    def check_memory(self) -> None:
        """Refuse a network that needs more than the budget.

        Raises
        ------
        LimitError
            With what is needed, what is allowed, and how to allow more.
        """
        needed, budget = self.weights + self.run, limits.memory_budget()
        if needed > budget:
            most = f" {self.largest}." if self.run > self.weights else ""
            raise LimitError(
                f"The network needs up to {limits.amount(needed)} of memory for one image, but "
                f"{limits.amount(budget)} are allowed.{most}",
                f"Set {limits.MEMORY_SETTING}={limits.amount(needed, round_up=True)} to allow it, if this computer "
                "has enough memory for that; or choose a smaller model.",
            )

    def check_work(self) -> None:
        """Refuse a network that computes very long for an image.

        Raises
        ------
        SlowModelError
            With how long an image takes, roughly.
        """
        images = max(self.batch[0], 1) if self.batch else 1
        if self.work > limits.WORK * images:
            raise SlowModelError(
                f"The network needs about {self.work / images / 1e12:,.0f} trillion multiplications for each image, "
                f"which may take {_roughly(self.work / images / limits.WORK_PER_SECOND)}.",
                "Allow it (`allow_slow`) if you can wait.",
                "allow slow model",
            )


def read_network(graph: memoryview | bytes) -> OnnxGraph:
    """Read a compiled network, its operations in an order in which they can run.

    Raises
    ------
    ModelError
        The bytes are no network, or it has more operations than can be opened in 64 MB and four times their number.
    """
    from napari_webipred.runtime.memory import PER_OPERATION
    from napari_webipred.runtime.order import in_order

    network = in_order(read_graph(graph))
    most = min((limits.OPENING + limits.OPENING_PER_BYTE * len(graph)) // PER_OPERATION, limits.OPERATIONS)
    if len(network.operations) > most:
        raise LimitError(
            f"The network has {len(network.operations)} operations; {most} are the most for its size.",
            "Choose another model, or export this one in a simpler form.",
        )
    for constant in network.constants.values():
        if not constant.complete:
            raise ModelError(
                f"The weights {constant.name[:80]!r} do not hold the numbers that their shape "
                f"{list(constant.shape)[:8]} says.",
                "Get the model again from its source.",
            )
    if len(network.inputs) != 1:
        raise ModelError(f"The network takes {len(network.inputs)} inputs instead of one picture.", "")
    return network


def bounds_of(network: OnnxGraph, batch: tuple[int, ...] = ()) -> Bounds:
    """Tell what a network needs.

    Parameters
    ----------
    network : OnnxGraph
        With one input.
    batch : tuple of int
        (images, height, width, channels); left out, only what does not depend on that is told.

    Raises
    ------
    ModelError
        It cannot be told, or the operations do not fit together.
    """
    from napari_webipred.runtime.memory import memory_of
    from napari_webipred.runtime.shapes import infer
    from napari_webipred.runtime.work import multiply_adds

    if not batch:
        network = _without_images(network)
    values = infer(network, dict.fromkeys(network.inputs, batch))
    memory = memory_of(network, values)
    if not batch:
        return Bounds(batch, memory.weights, memory.folds)
    return Bounds(batch, memory.weights, memory.folds, memory.run, multiply_adds(network, values), memory.largest)


def first_bounds(network: OnnxGraph) -> Bounds:
    """Tell what a network needs for one image, or without one if it takes images of any size."""
    (given,) = network.inputs.values()
    sizes = given.sizes or ()
    return bounds_of(network, tuple(size or 1 for size in sizes) if None not in sizes[1:] else ())


def with_bounds(graph: bytes) -> bytes:
    """Write into a compiled graph what it needs for one image, so that this is told once only.

    Raises
    ------
    ModelError
        It needs too much memory, or what it needs cannot be told.
    """
    bounds = first_bounds(read_network(graph))
    bounds.check_memory()
    return with_facts(graph, {BOUNDS: json.dumps(asdict(bounds))})


def known_bounds(properties: Mapping[str, str]) -> Bounds | None:
    """Return what `with_bounds` has written, if it has."""
    if BOUNDS not in properties:
        return None
    told = json.loads(properties[BOUNDS])
    return Bounds(**{**told, "batch": tuple(told["batch"])})


def _without_images(graph: OnnxGraph) -> OnnxGraph:
    """Leave only what depends on no image."""
    known = {"", *graph.constants}
    kept = []
    for operation in graph.operations:
        if known.issuperset(operation.inputs):
            kept.append(operation)
            known.update(operation.outputs)
    return replace(graph, operations=kept, inputs={}, outputs=[])


def _roughly(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.0f} hours"

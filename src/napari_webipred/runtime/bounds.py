"""Upper bounds for the memory and the work of a model, known before it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import asdict, replace

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError, SlowModelError
from napari_webipred.runtime.facts import BOUNDS, with_facts
from napari_webipred.runtime.onnx_graph import OnnxGraph, read_graph

# The rules for shapes, memory and work are imported late: a graph with stored bounds is opened without them.


class Bounds(Struct, frozen=True):
    """The memory and work of a model for a batch of images.

    Attributes
    ----------
    batch : tuple of int
        (images, height, width, channels); empty if only `weights` and `folds` are known, which do not depend on it.
    weights : int
        Bytes in use while the model is open.
    folds : bool
        Whether ONNX Runtime may compute constants when it opens the model (constant folding).
    run : int
        Bytes that a run needs besides the weights.
    work : int
        Multiply-adds of a run.
    largest : str
        A sentence that names the operation with the largest output.
    """

    batch: tuple[int, ...]
    weights: int
    folds: bool
    run: int = 0
    work: int = 0
    largest: str = ""

    def check_memory(self) -> None:
        """Refuse a model that needs more memory than allowed.

        Raises
        ------
        LimitError
            The model needs too much memory.
        """
        needed, budget = self.weights + self.run, limits.memory_budget()
        if needed > budget:
            most = f" {self.largest}." if self.run > self.weights else ""
            raise LimitError(
                f"The model needs up to {limits.amount(needed)} of memory for one image, but "
                f"only {limits.amount(budget)} are allowed.{most}",
                f"Set {limits.MEMORY_SETTING}={limits.amount(needed, round_up=True)} if this computer has enough "
                "memory, or choose a smaller model.",
            )

    def check_work(self) -> None:
        """Refuse a model that needs very long for an image.

        Raises
        ------
        SlowModelError
            The model is slow; the message says roughly how long an image takes.
        """
        images = max(self.batch[0], 1) if self.batch else 1
        if self.work > limits.WORK * images:
            raise SlowModelError(
                f"The model needs about {self.work / images / 1e12:,.0f} trillion multiplications for each image, "
                f"which may take {_roughly(self.work / images / limits.WORK_PER_SECOND)}.",
                "Allow it (`allow_slow`) if you can wait.",
                "allow slow model",
            )


def read_network(graph: memoryview | bytes) -> OnnxGraph:
    """Read a compiled model, with its operations in an order in which they can run.

    Raises
    ------
    ModelError
        The bytes are not a model, or it has too many operations for its size (see `limits.OPENING`).
    """
    from napari_webipred.runtime.memory import PER_OPERATION
    from napari_webipred.runtime.order import in_order

    network = in_order(read_graph(graph))
    most = min((limits.OPENING + limits.OPENING_PER_BYTE * len(graph)) // PER_OPERATION, limits.OPERATIONS)
    if len(network.operations) > most:
        raise LimitError(
            f"The model has {len(network.operations)} operations; at most {most} are allowed for a model of its size.",
            "Choose another model, or export this one in a simpler form.",
        )
    for constant in network.constants.values():
        if not constant.complete:
            raise ModelError(
                f"The weights {constant.name[:80]!r} are incomplete: the number of values does not match their shape "
                f"{list(constant.shape)[:8]}.",
                "Get the model again from its source.",
            )
    if len(network.inputs) != 1:
        raise ModelError(
            f"The model has {len(network.inputs)} inputs instead of one image.",
            "Choose a model with one image as input.",
        )
    return network


def bounds_of(network: OnnxGraph, batch: tuple[int, ...] = ()) -> Bounds:
    """Compute the memory and work of a model.

    Parameters
    ----------
    network : OnnxGraph
        With one input.
    batch : tuple of int
        (images, height, width, channels); by default only the bounds that do not depend on it.

    Raises
    ------
    ModelError
        The bounds are unknown, or shapes do not match.
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
    """Compute the bounds for one image, or without an image if the model takes images of any size."""
    (given,) = network.inputs.values()
    sizes = given.sizes or ()
    return bounds_of(network, tuple(size or 1 for size in sizes) if None not in sizes[1:] else ())


def with_bounds(graph: bytes) -> bytes:
    """Store the bounds for one image in a compiled graph, so that they are computed only once.

    Raises
    ------
    ModelError
        The model needs too much memory, or its bounds are unknown.
    """
    bounds = first_bounds(read_network(graph))
    bounds.check_memory()
    return with_facts(graph, {BOUNDS: json.dumps(asdict(bounds))})


def known_bounds(properties: Mapping[str, str]) -> Bounds | None:
    """Return the bounds that `with_bounds` has stored; None if there are none."""
    if BOUNDS not in properties:
        return None
    stored = json.loads(properties[BOUNDS])
    return Bounds(**{**stored, "batch": tuple(stored["batch"])})


def _without_images(graph: OnnxGraph) -> OnnxGraph:
    """Keep only the operations that do not depend on the image."""
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

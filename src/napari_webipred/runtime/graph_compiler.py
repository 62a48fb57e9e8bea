"""Compile a TensorFlow graph and its constants into an ONNX graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.compiler import serialise
from napari_webipred.runtime.graph import Graph, Tensor, Weight
from napari_webipred.runtime.graph_model import BROKEN, Edge, GraphModel, Operation
from napari_webipred.runtime.image_input import ImageInput, image_sizes, not_an_image
from napari_webipred.runtime.operations import OPERATIONS, OpContext, Value
from napari_webipred.runtime.operations.context import UNSUPPORTED
from napari_webipred.runtime.outputs import NO_LIST, ModelOutput, Shape, described
from napari_webipred.runtime.rewrites import rewritten

_LEAVES = {"Placeholder", "Const"}
_MAX_CHAIN = 100
# Each operation that takes a constant gets its own copy; a model may apply the same layer to several tensors.
_MAX_COPIES = 8
# Element types that an image may have, and what model cards call them.
_FLOATS = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_DOUBLE": "float64"}


def outputs_of(model: GraphModel) -> list[ModelOutput]:
    """Describe the outputs of a TensorFlow graph; unsupported outputs have no shape."""
    model = _without_identities(model)
    graph = Graph()
    values: dict[str, Value] = {}
    try:
        order = _order(model, list(model.outputs.values()), everything=False)
        image = _image(model, order)
    except ModelError:  # compiling an output raises it again
        order, image = [], ImageInput(())
    for operation in order:
        inputs = operation.inputs if operation.op not in _LEAVES else ()
        if all(name in values and index == 0 for name, index in inputs):
            with suppress(ModelError):  # outputs that need it have no shape; compiling them says why
                values[operation.name] = _value(model, graph, operation, values, {}, image)
    tensors: list[tuple[str, tuple[str, Shape] | None]] = []
    for name, (source, index) in model.outputs.items():
        value = values.get(source) if index == 0 else None
        plain = graph.plain(value) if isinstance(value, Tensor) else None
        tensors.append((name, (plain.name, plain.shape) if plain else None))
    if model.guessed and any(tensor for _, tensor in tensors):  # an unused tensor of the graph is not an output
        tensors = [(name, tensor or ("", NO_LIST)) for name, tensor in tensors]
    return described(model.file, tensors, graph.nodes, graph.constants)


def compile_graph(model: GraphModel, output: int = -1) -> bytes:
    """Compile a TensorFlow graph. Only known operations are accepted, and TensorFlow runs none of them.

    Parameters
    ----------
    model : GraphModel
    output : int
        Index of the output with the class result. By default the last one.

    Returns
    -------
    bytes
        As `napari_webipred.runtime.compiler.compile_model`.

    Raises
    ------
    ModelError
        The graph is malformed, has no image as input, or has unsupported operations (all of them are named).
    """
    model = _without_identities(model)
    wanted = list(model.outputs.values())[output]
    order = _order(model, [wanted])
    _check_supported(model, order)
    image = _image(model, order)
    graph = Graph()
    arrays: dict[Weight, NDArray[np.float32]] = {}
    values: dict[str, Value] = {}
    for operation in order:
        values[operation.name] = _value(model, graph, operation, values, arrays, image)
    result = values[wanted[0]]
    if not isinstance(result, Tensor):
        raise ModelError(f"The output {wanted[0][:200]} of {model.file} does not depend on the image.", BROKEN)
    last = graph.plain(result)
    if None in last.shape:
        raise ModelError(f"The output must have a fixed size, but its shape is {list(last.shape)}.", UNSUPPORTED)
    graph.finish(last.name, rewritten)
    _check_weights(model, graph, arrays)
    return serialise(graph, arrays, image, math.prod(size or 1 for size in last.shape))


def _without_identities(model: GraphModel) -> GraphModel:
    """Remove IdentityN operations, which return several tensors unchanged."""

    def source(edge: Edge) -> Edge:
        for _ in range(_MAX_CHAIN):
            operation = model.operations.get(edge[0])
            if operation is None or operation.op != "IdentityN" or edge[1] >= len(operation.inputs):
                break
            edge = operation.inputs[edge[1]]
        return edge

    operations = {
        name: replace(each, inputs=tuple(map(source, each.inputs))) for name, each in model.operations.items()
    }
    return replace(model, operations=operations, outputs={key: source(edge) for key, edge in model.outputs.items()})


def _order(model: GraphModel, wanted: Sequence[Edge], *, everything: bool = True) -> list[Operation]:
    """Sort the operations that the outputs need so that each comes after its inputs.

    With ``everything``, a missing operation is an error.
    """
    needed: dict[str, list[str]] = {}
    todo = [*wanted]
    while todo:
        name, index = todo.pop()
        if not everything and (index or name not in model.operations):
            continue
        if name not in model.operations:
            raise ModelError(
                f"The graph in {model.file} refers to the operation {name[:200]}, which is missing.", BROKEN
            )
        operation = model.operations[name]
        if index:
            raise ModelError(
                f"Output {index} of the operation {name[:200]} ({operation.op}) is unsupported.", UNSUPPORTED
            )
        if name not in needed:
            sources = [source for source, number in operation.inputs if number == 0 and source in model.operations]
            needed[name] = sources if operation.op not in _LEAVES else []
            todo += operation.inputs if operation.op not in _LEAVES else ()
    try:
        return [model.operations[name] for name in TopologicalSorter(needed).static_order()]
    except CycleError as error:
        names = " -> ".join(name[:80] for name in error.args[1][:5])
        raise ModelError(f"The operations in {model.file} form a cycle: {names}.", BROKEN) from error


def _check_supported(model: GraphModel, order: list[Operation]) -> None:
    counts = Counter(each.op for each in order if each.op not in _LEAVES and each.op not in OPERATIONS)
    if counts:
        found = ", ".join(f"{op[:80]} ({count})" for op, count in sorted(counts.items())[:30])
        raise ModelError(f"{model.file} has unsupported operations: {found}.", UNSUPPORTED)


def _image(model: GraphModel, order: list[Operation]) -> ImageInput:
    """Return the image input of the graph."""
    inputs = [each for each in order if each.op == "Placeholder"]
    if len(inputs) != 1:
        names = ", ".join(each.name[:80] for each in inputs[:10]) or "none"
        raise ModelError(f"{model.file} has {len(inputs)} inputs ({names}) instead of one image.", BROKEN)
    attributes = inputs[0].attributes
    shape, kind = attributes.get("shape"), attributes.get("dtype", "DT_FLOAT")
    if kind not in _FLOATS:
        raise ModelError(
            f"The input of {model.file} has the dtype {kind!r:.40}; only floating-point images are supported.",
            UNSUPPORTED,
        )
    sizes = image_sizes(shape)
    if sizes is None or (len(sizes) == 3 and sizes[2] is None and sizes[0] not in (1, 3)):
        raise not_an_image(model.file, shape)
    # TensorFlow has channels last; models converted from other frameworks may have channels first.
    first = len(sizes) == 3 and sizes[0] in (1, 3) and sizes[2] not in (1, 3)
    return ImageInput(sizes, first, inputs[0].name, _FLOATS[kind])


def _value(
    model: GraphModel,
    graph: Graph,
    operation: Operation,
    values: Mapping[str, Value],
    arrays: dict[Weight, NDArray[np.float32]],
    image: ImageInput,
) -> Value:
    """Compile an operation to nodes."""
    if operation.op == "Placeholder":
        return image.tensor(graph)
    if operation.op == "Const":
        if operation.name not in model.constants:
            raise ModelError(f"The constant {operation.name[:200]} in {model.file} is not numeric.", BROKEN)
        return model.constants[operation.name]
    context = OpContext(graph, operation, tuple(values[name] for name, _ in operation.inputs), arrays)
    if operation.op not in OPERATIONS:
        raise context.refuse("is unsupported")
    value = OPERATIONS[operation.op](context)
    if isinstance(value, Tensor) and math.prod(size or 1 for size in value.shape) > limits.LAYER_NUMBERS:
        raise context.refuse(f"outputs a tensor of shape {list(value.shape)}, which is too large", BROKEN)
    return value


def _check_weights(model: GraphModel, graph: Graph, arrays: dict[Weight, NDArray[np.float32]]) -> None:
    missing = [weight for each in graph.initializers.values() for weight in each.weights if weight not in arrays]
    if missing:
        first = missing[0]
        raise ModelError(
            f"The {first.role} of {first.path[:200]} in {model.file} does not have the shape {list(first.shape)}.",
            BROKEN,
        )
    used = sum(arrays[weight].nbytes for each in graph.initializers.values() for weight in each.weights)
    held = sum({id(array): array.nbytes for array in model.constants.values()}.values())
    if used > limits.OPENING // 4 + _MAX_COPIES * held:
        raise LimitError(
            f"The operations in {model.file} use the same constants too often: {limits.amount(used)} instead of "
            f"{limits.amount(held)}.",
            BROKEN,
        )

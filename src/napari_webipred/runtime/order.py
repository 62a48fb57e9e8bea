"""The order in which the operations of an ONNX graph can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from msgspec.structs import replace

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_graph import OnnxGraph, Operation

_BROKEN = "Export the model again, or ask its publisher to do so."


def in_order(graph: OnnxGraph) -> OnnxGraph:
    """Sort the operations so that each comes after its inputs.

    Raises
    ------
    ModelError
        Two tensors have the same name, an input is missing, or the operations form a cycle.
    """
    producers = _producers(graph)
    _check_all_there(graph, producers)
    if all(producers.get(name, -1) < index for index, each in enumerate(graph.operations) for name in each.inputs):
        return graph
    sorter = TopologicalSorter(dict.fromkeys(range(len(graph.operations)), ()))
    for index, operation in enumerate(graph.operations):
        sorter.add(index, *(producers[name] for name in operation.inputs if name in producers))
    try:
        return replace(graph, operations=[graph.operations[index] for index in sorter.static_order()])
    except CycleError as error:
        names = " -> ".join(graph.operations[index].outputs[0][:80] for index in error.args[1][:5])
        raise ModelError(f"The operations form a cycle: {names}.", _BROKEN) from error


def _check_all_there(graph: OnnxGraph, producers: Mapping[str, int]) -> None:
    there = {*producers, *graph.constants, *graph.inputs}
    for operation in graph.operations:
        for name in operation.inputs:
            if name and name not in there:
                raise ModelError(
                    f"The operation {operation.kind[:80]} needs the tensor {name[:80]!r}, which is missing.",
                    _BROKEN,
                )
    for name in graph.outputs:
        if name not in there:
            raise ModelError(f"The output {name[:80]!r} is missing.", _BROKEN)


def _producers(graph: OnnxGraph) -> dict[str, int]:
    """Return the index of the operation that computes each tensor."""
    producers: dict[str, int] = {}
    for index, operation in enumerate(graph.operations):
        for name in operation.outputs:
            if not name:
                continue
            if name in producers or name in graph.constants or name in graph.inputs:
                raise ModelError(f"Two tensors have the name {name[:80]!r}.", _BROKEN)
            producers[name] = index
    return producers


def as_run(operations: Sequence[Operation]) -> list[Operation]:
    """Return operations in the order in which ONNX Runtime runs them: backwards from the last, branch after branch.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    """
    producers = {name: index for index, each in enumerate(operations) for name in each.outputs}
    sources = [sorted({producers[name] for name in each.inputs if name in producers}) for each in operations]
    used = {index for indices in sources for index in indices}
    stack = [(index, False) for index in range(len(operations)) if index not in used]
    seen: set[int] = set()
    found = []
    while stack:
        index, done = stack.pop()
        if done:
            found.append(operations[index])
        elif index not in seen:
            seen.add(index)
            stack.append((index, True))
            stack.extend((source, False) for source in sources[index] if source not in seen)
    return found

"""In which order the operations of an ONNX graph can run, and whether they can run at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_graph import OnnxGraph, Operation

_BROKEN = "Export the model again, or ask its publisher for a sound file."


def in_order(graph: OnnxGraph) -> OnnxGraph:
    """Sort the operations so that each comes after those whose results it takes.

    Raises
    ------
    ModelError
        Two operations make a tensor of the same name, one takes what nothing makes, or they feed each other in a
        circle.
    """
    makers = _makers(graph)
    _check_all_there(graph, makers)
    if all(makers.get(name, -1) < index for index, each in enumerate(graph.operations) for name in each.inputs):
        return graph
    sorter = TopologicalSorter(dict.fromkeys(range(len(graph.operations)), ()))
    for index, operation in enumerate(graph.operations):
        sorter.add(index, *(makers[name] for name in operation.inputs if name in makers))
    try:
        return replace(graph, operations=[graph.operations[index] for index in sorter.static_order()])
    except CycleError as error:
        names = " -> ".join(graph.operations[index].outputs[0][:80] for index in error.args[1][:5])
        raise ModelError(f"The operations feed each other in a circle: {names}.", _BROKEN) from error


def _check_all_there(graph: OnnxGraph, makers: Mapping[str, int]) -> None:
    there = {*makers, *graph.constants, *graph.inputs}
    for operation in graph.operations:
        for name in operation.inputs:
            if name and name not in there:
                raise ModelError(
                    f"An operation {operation.kind[:80]} takes the tensor {name[:80]!r}, which is not there.", _BROKEN
                )
    for name in graph.outputs:
        if name not in there:
            raise ModelError(f"The output {name[:80]!r} is not there.", _BROKEN)


def _makers(graph: OnnxGraph) -> dict[str, int]:
    """Return which operation makes each tensor."""
    makers: dict[str, int] = {}
    for index, operation in enumerate(graph.operations):
        for name in operation.outputs:
            if not name:
                continue
            if name in makers or name in graph.constants or name in graph.inputs:
                raise ModelError(f"Two tensors have the name {name[:80]!r}.", _BROKEN)
            makers[name] = index
    return makers


def as_run(operations: Sequence[Operation]) -> list[Operation]:
    """Return operations in the order in which ONNX Runtime runs them: backwards from the last, branch after branch.

    Parameters
    ----------
    operations : sequence of Operation
        In an order in which they can run.
    """
    makers = {name: index for index, each in enumerate(operations) for name in each.outputs}
    sources = [sorted({makers[name] for name in each.inputs if name in makers}) for each in operations]
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

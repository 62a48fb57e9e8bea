"""The order in which the operations of an ONNX graph can run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

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
    waiting = [0] * len(graph.operations)
    consumers: list[list[int]] = [[] for _ in graph.operations]
    for index, operation in enumerate(graph.operations):
        for name in operation.inputs:
            if name in producers:
                waiting[index] += 1
                consumers[producers[name]].append(index)
            elif name and name not in graph.constants and name not in graph.inputs:
                raise ModelError(
                    f"The operation {operation.kind[:80]} needs the tensor {name[:80]!r}, which is missing.",
                    _BROKEN,
                )
    for name in graph.outputs:
        if name not in producers and name not in graph.constants and name not in graph.inputs:
            raise ModelError(f"The output {name[:80]!r} is missing.", _BROKEN)
    if all(producers.get(name, -1) < index for index, each in enumerate(graph.operations) for name in each.inputs):
        return graph
    ready = deque(index for index, count in enumerate(waiting) if not count)
    found = []
    while ready:
        found.append(ready.popleft())
        for index in consumers[found[-1]]:
            waiting[index] -= 1
            if not waiting[index]:
                ready.append(index)
    if len(found) < len(graph.operations):
        names = [each.outputs[0][:80] for each, count in zip(graph.operations, waiting, strict=True) if count][:5]
        raise ModelError(f"The operations form a cycle: {' -> '.join(names)}.", _BROKEN)
    return replace(graph, operations=[graph.operations[index] for index in found])


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

"""ONNX files without what exporters note of the computer that they ran on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_webipred.errors import ModelError
from napari_webipred.runtime.external_data import is_external

if TYPE_CHECKING:
    from onnx import GraphProto


def cleaned(name: str, content: bytes) -> bytes:
    """Leave out the texts of an ONNX file that no computation needs: PyTorch writes paths of programs into them.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    content : bytes

    Raises
    ------
    ModelError
        Its weights lie in another file.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    found = False
    for graph in _graphs(model.graph):
        if any(map(is_external, graph.initializer)):
            raise ModelError(
                f"The weights of {name} lie in another file.", "Save it as one file: onnx.save(onnx.load(...), ...)."
            )
        for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
            found |= _clean(part)
    for function in model.functions:
        for part in (function, *function.node):
            found |= _clean(part)
    return bytes(model.SerializeToString(deterministic=True)) if found else content


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and those that lie in its operations."""
    todo = [graph]
    while todo:
        each = todo.pop()
        yield each
        todo += [attribute.g for node in each.node for attribute in node.attribute if attribute.HasField("g")]
        todo += [inner for node in each.node for attribute in node.attribute for inner in attribute.graphs]


def _clean(part: Any) -> bool:
    """Clear the notes of a part; tell whether there were any."""
    notes = [field for field in ("doc_string", "metadata_props") if len(getattr(part, field, ""))]
    for field in notes:
        part.ClearField(field)
    return bool(notes)

"""Tensors that a compiled graph gives besides the classes, such as the features before the last layer."""

from __future__ import annotations

from collections.abc import Mapping

from napari_webipred.errors import ModelError
from napari_webipred.runtime.onnx_graph import read_graph


def with_outputs(graph: bytes, tensors: Mapping[str, str]) -> bytes:
    """Let a compiled graph give some of its tensors as outputs of their own.

    `napari_webipred.runtime.session.Session.predict` returns them by name. ONNX Runtime computes such a tensor as it
    stands in the graph, so it does not merge the operations around it with others: the classes of such a graph may
    differ from those of the plain one in the last digits. What the graph needs in memory changes, so bounds are told
    after this (`napari_webipred.runtime.bounds.with_bounds`).

    Parameters
    ----------
    graph : bytes
        What `napari_webipred.runtime.readers.compile_files` returns, whatever the format of the model.
    tensors : mapping of str to str
        The names of the outputs, and for each the tensor of the graph that it is. Its first axis must be that of the
        images; it is given as it lies in the graph, which for images is mostly (batch, channels, height, width), in
        float32.

    Returns
    -------
    bytes
        The graph with these outputs behind ``classes``, which stays as it is. Without `tensors`, the graph itself.

    Raises
    ------
    ModelError
        There is no such tensor, or a name is in use in the graph.
    """
    if not tensors:
        return graph
    import onnx

    network = read_graph(graph)
    made = {name for operation in network.operations for name in operation.outputs if name}
    taken = {*made, *network.inputs, *network.constants, ""}
    added = onnx.ModelProto()
    for name, tensor in tensors.items():
        if tensor not in made:
            raise ModelError(f"The compiled model has no tensor {tensor[:80]!r} to give as {name[:80]!r}.")
        if name in taken:
            raise ModelError(f"The compiled model has a tensor {name[:80]!r} already.", "Choose another name.")
        added.graph.node.add(op_type="Cast", input=[tensor], output=[name]).attribute.append(
            onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT)
        )
        added.graph.output.add(name=name).type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    # Protocol Buffers merge what is written one after the other, so the weights are not written anew.
    return graph + bytes(added.SerializeToString(deterministic=True))

"""A network as an ONNX file with another head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import ModelError
from napari_webipred.runtime.facts import PREFIX
from napari_webipred.runtime.graph import OUTPUT

if TYPE_CHECKING:
    from onnx import GraphProto

    from napari_webipred.runtime.browser import NewHead

_NEW = "own_classes"


def with_onnx_head(graph: bytes, features: str, rank: int, head: NewHead) -> bytes:
    """Cut a compiled network behind its features, and put another head there.

    Parameters
    ----------
    graph : bytes
        A compiled network, or an ONNX file that was adapted.
    features : str
        The tensor with the features.
    rank : int
        How many axes it has: 4 for (images, channels, rows, columns), 3 for (images, places, channels), 2 for none.
    head : NewHead

    Returns
    -------
    bytes
        An ONNX file with one input, (images, rows, columns, channels), and the probabilities as ``classes``.
    """
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(graph)
    network = model.graph
    _keep(network, features)
    tensor = features
    if rank == 4:
        network.node.append(onnx.helper.make_node("GlobalAveragePool", [tensor], [f"{_NEW}_pooled"]))
        network.node.append(onnx.helper.make_node("Flatten", [f"{_NEW}_pooled"], [f"{_NEW}_features"], axis=1))
        tensor = f"{_NEW}_features"
    elif rank == 3:
        opset = next(each.version for each in model.opset_import if each.domain in {"", "ai.onnx"})
        if opset >= 18:  # since then, axes are an input
            network.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), f"{_NEW}_axes"))
            mean = onnx.helper.make_node("ReduceMean", [tensor, f"{_NEW}_axes"], [f"{_NEW}_features"], keepdims=0)
        else:
            mean = onnx.helper.make_node("ReduceMean", [tensor], [f"{_NEW}_features"], axes=[1], keepdims=0)
        network.node.append(mean)
        tensor = f"{_NEW}_features"
    kernel, bias = f"{_NEW}_kernel", f"{_NEW}_bias"
    for name, array in ((kernel, head.kernel), (bias, head.bias)):
        network.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
    network.node.append(onnx.helper.make_node("Gemm", [tensor, kernel, bias], [f"{_NEW}_logits"]))
    last = {"softmax": ("Softmax", {"axis": 1}), "sigmoid": ("Sigmoid", {})}[head.activation]
    network.node.append(onnx.helper.make_node(last[0], [f"{_NEW}_logits"], [OUTPUT], **last[1]))
    (first, *_) = network.output[0].type.tensor_type.shape.dim
    batch = first.dim_param or first.dim_value or "batch"
    del network.output[:], network.value_info[:]
    network.output.append(
        onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [batch, head.kernel.shape[1]])
    )
    kept = [each for each in model.metadata_props if not each.key.startswith(PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return bytes(model.SerializeToString(deterministic=True))


def _keep(network: GraphProto, tensor: str) -> None:
    """Leave out all that a tensor does not need."""
    makers = {name: node for node in network.node for name in node.output if name}
    if tensor not in makers:
        raise ModelError(f"The compiled model has no tensor {tensor[:80]!r}.")
    needed, waiting = set(), [tensor]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(makers[name].input if name in makers else ())
    nodes = [node for node in network.node if any(name in needed for name in node.output)]
    constants = [each for each in network.initializer if each.name in needed]
    del network.node[:], network.initializer[:]
    network.node.extend(nodes)
    network.initializer.extend(constants)

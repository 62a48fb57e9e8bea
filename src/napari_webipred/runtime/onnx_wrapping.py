"""Nodes around the network of an ONNX file that give it the names, axes and dtypes of compiled graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_webipred.runtime.graph import INPUT, OUTPUT

if TYPE_CHECKING:
    from onnx import GraphProto


def rename(graph: GraphProto) -> dict[str, str]:
    """Rename all tensors, because the file may use any names; return the new name of each."""
    names = {"": ""}
    for named in (*graph.input, *graph.initializer):
        names.setdefault(named.name, f"t{len(names)}")
    for node in graph.node:
        for value in node.output:
            names.setdefault(value, f"t{len(names)}")
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    for node in graph.node:
        node.name = ""
        for values in (node.input, node.output):
            for i, value in enumerate(values):
                values[i] = names[value]
    return names


def wrap(graph: GraphProto, source: str, element_type: int, order: str, scores: str) -> None:
    """Convert the input from (batch, height, width, channels), and flatten the output to (batch, numbers).

    Parameters
    ----------
    graph : GraphProto
    source, scores : str
        Names of the input and the output of the network.
    element_type : int
        ONNX' number for the dtype of the input.
    order : str
        ``"NCHW"``, ``"NHWC"``, or ``"HW"`` for an image without channels.
    """
    import onnx

    float32 = onnx.TensorProto.FLOAT
    make = onnx.helper.make_node
    match order:
        case "HW":  # 0 keeps a size
            sizes = onnx.helper.make_tensor("height and width", onnx.TensorProto.INT64, [3], [0, 0, 0])
            graph.initializer.append(sizes)
            first = make("Reshape", [INPUT, sizes.name], ["image as stored"])
        case "NCHW":
            first = make("Transpose", [INPUT], ["image as stored"], perm=[0, 3, 1, 2])
        case _:
            first = make("Identity", [INPUT], ["image as stored"])
    cast = make("Cast", ["image as stored"], [source], to=element_type)
    last = [make("Flatten", [scores], ["flat scores"], axis=1), make("Cast", ["flat scores"], [OUTPUT], to=float32)]
    nodes = [first, cast, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)


def declare(graph: GraphProto, image: list[int | str | None], scores: list[int | str]) -> None:
    """Declare the image and the scores, with these shapes, as the only input and output."""
    import onnx

    for values in (graph.input, graph.output, graph.value_info, graph.quantization_annotation):
        del values[:]
    graph.input.append(onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, image))
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, scores))

"""Small networks as ONNX files, with heads of many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

import napari_webipred as wp

SIZE = 32  # pixels of the input along each side


def write(
    path: Path, nodes: Sequence[NodeProto], weights: dict[str, np.ndarray], classes: int, channels: int = 3
) -> Path:
    """Write a network from ``image`` (batch, channels, rows, columns) to ``y``."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def body(random: np.random.Generator, channels: int = 6) -> tuple[list[NodeProto], dict[str, np.ndarray]]:
    """Two convolutions: from ``image`` to ``maps`` of 8 x 8 places."""
    weights = {
        "k1": random.normal(size=(4, 3, 3, 3)).astype(np.float32) / 3,
        "k2": random.normal(size=(channels, 4, 3, 3)).astype(np.float32) / 3,
    }
    nodes = [
        helper.make_node("Conv", ["image", "k1"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "k2"], ["c"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Relu", ["c"], ["maps"]),
    ]
    return nodes, weights


def opened(path: Path, names: Sequence[str] = ("a", "b", "c")) -> wp.Model:
    return wp.open_model(path, classes=list(names), standardize="0-1")


def bright(folder: Path, activation: str = "Sigmoid") -> wp.Model:
    """A network that answers to brightness alone: its map is the image, averaged over 4 x 4 pixels."""
    nodes = [
        helper.make_node("AveragePool", ["image"], ["maps"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["maps"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["z"]),
        helper.make_node(activation, ["z"], ["y"]),
    ]
    return opened(write(folder / "net.onnx", nodes, {"w": np.eye(3, dtype=np.float32)}, 3))

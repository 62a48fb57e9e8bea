"""A small network that answers to one bright square: where its map is highest is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import helper

import napari_webipred as wp
from heads import opened, write

CELL = 4  # pixels of the model input that each of its 8 x 8 places sees


def square_model(folder: Path, *, unknown_head: bool = False) -> wp.Model:
    """Open a network whose class ``square`` counts places that are brighter than half.

    Parameters
    ----------
    folder : Path
        Where its file is written.
    unknown_head : bool
        Whether its head holds an operation that nothing is known about, so that only occlusion is left.
    """
    weights = {
        "k": np.full((1, 3, CELL, CELL), 1 / (3 * CELL**2), np.float32),
        "half": np.array([-0.5], np.float32),
        "w": np.array([[0.0, 40.0]], np.float32),
        "b": np.array([0.5, 0.0], np.float32),
    }
    strides = [CELL, CELL]
    nodes = [
        helper.make_node("Conv", ["image", "k", "half"], ["c"], kernel_shape=strides, strides=strides),
        helper.make_node("Relu", ["c"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["z"]),
    ]
    if unknown_head:
        nodes.append(helper.make_node("Asinh", ["z"], ["s"]))
    nodes.append(helper.make_node("Softmax", ["s" if unknown_head else "z"], ["y"], axis=1))
    name = "unknown.onnx" if unknown_head else "square.onnx"
    return opened(write(folder / name, nodes, weights, 2), ("dark", "square"))

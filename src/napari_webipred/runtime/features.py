"""The features of images: what a network has found in them, before its head makes classes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import ModelError
from napari_webipred.runtime.bounds import read_network
from napari_webipred.runtime.cut import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES = "webipred.features"
WEIGHTED = {"Gemm", "MatMul", "Conv", "FusedGemm", "FusedMatMul", "FusedConv", "QLinearConv", "QGemm"}


def feature_tensor(graph: bytes | memoryview, size: tuple[int, int, int]) -> str:
    """Name the tensor of a compiled network that holds the features of an image.

    It is the last one with rows and columns through which all that decides passes (`napari_webipred.runtime.cut`), or
    else what goes into the last operation with weights.

    Parameters
    ----------
    graph : bytes or memoryview
    size : tuple of int
        (height, width, channels) of the model input.

    Raises
    ------
    ModelError
        The network has neither.
    """
    found = cut(graph, size)
    if found.features is not None:
        return found.features
    network = read_network(graph)
    producers = {name: operation for operation in network.operations for name in operation.outputs if name}
    tensor = found.logits
    while tensor in producers:
        operation = producers[tensor]
        computed = [name for name in operation.inputs if name in producers]
        if operation.kind in WEIGHTED and computed:
            return computed[0]
        if len(computed) != 1:
            break
        tensor = computed[0]
    raise ModelError("The network has no tensor that holds the features of an image.", "Choose another model.")


def pooled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the mean over all places of each channel.

    Parameters
    ----------
    values : ndarray of float32, shape (n, channels, rows, columns), (n, places, channels) or (n, channels)

    Returns
    -------
    ndarray of float32, shape (n, channels)
    """
    if values.ndim == 4:
        values = values.mean(axis=(2, 3), dtype=np.float64)
    elif values.ndim == 3:
        values = values.mean(axis=1, dtype=np.float64)
    return values.reshape(len(values), -1).astype(np.float32)

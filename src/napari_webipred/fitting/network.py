"""The network of a published model with a head for own classes, as files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from napari_webipred import opening
from napari_webipred.errors import ModelError
from napari_webipred.fitting.head import Head
from napari_webipred.runtime.browser import NewHead

if TYPE_CHECKING:
    from napari_webipred.model import Model

ONNX = "model.onnx"
_log = logging.getLogger(__name__)


def browser_files(base: Model, head: Head) -> dict[str, bytes] | None:
    """Write body and head as a TensorFlow.js Layers model.

    Returns None where the base is no Keras network, or one with layers that TensorFlow.js does not have.
    """
    from napari_webipred.runtime.browser import browser_model, with_head
    from napari_webipred.runtime.compiler import traced
    from napari_webipred.runtime.layers_file import layers_files

    found = opening.keras_network(base)
    if found is None:
        return None
    trace = traced(*found)
    features = base.feature_tensor()
    last = next((index for index, tensor in enumerate(trace.tensors) if tensor.name == features), None)
    if last is None or len(trace.tensors[last].shape) == 2:  # there is no layer here that takes the mean of places
        _log.info("No layer of %s gives its features.", base.card.id)
        return None
    try:
        body = browser_model(trace, last)
    except ModelError as error:
        _log.info("The network cannot be written for TensorFlow.js: %s", error.message)
        return None
    whole = with_head(body, trace.tensors[last].shape, _new_head(head))
    whole.metadata["labels"] = list(head.classes)
    return layers_files(whole)


def onnx_files(base: Model, head: Head) -> dict[str, bytes]:
    """Write body and head as an ONNX file."""
    from napari_webipred.runtime.bounds import read_network
    from napari_webipred.runtime.onnx_head import with_onnx_head
    from napari_webipred.runtime.shapes import infer

    graph, features = base.graph(), base.feature_tensor()
    network = read_network(graph)
    shapes = infer(network, dict.fromkeys(network.inputs, (1, *base.image_size)))
    return {ONNX: with_onnx_head(graph, features, len(shapes[features].shape), _new_head(head))}


def _new_head(head: Head) -> NewHead:
    return NewHead(head.kernel, head.bias, "softmax" if head.task == "single" else "sigmoid")

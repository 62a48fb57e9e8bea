"""Compile a Keras topology and its weights into an ONNX graph."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import ModelError
from napari_webipred.runtime.binding import bind
from napari_webipred.runtime.connections import listed
from napari_webipred.runtime.ending import ends
from napari_webipred.runtime.facts import ENDING
from napari_webipred.runtime.graph import COMPILER_VERSION, INPUT, OUTPUT, Graph, Tensor, Weight
from napari_webipred.runtime.image_input import ImageInput, image_sizes, not_an_image
from napari_webipred.runtime.initializer import write_initializer
from napari_webipred.runtime.layers import KINDS, UNSUPPORTED, LayerContext, faults
from napari_webipred.runtime.outputs import ModelOutput, Shape, described
from napari_webipred.runtime.tfjs import LayersModel
from napari_webipred.runtime.topology import Call, Layer, Network, Ref, ancestors, flatten

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COMPILER_VERSION", "compile_model", "serialise"]

_OPSET = 17
_IR = 8
_BROKEN = "Ask the publisher of the model for a new conversion."


def outputs_of(model: LayersModel) -> list[ModelOutput]:
    """Describe the outputs of a TensorFlow.js Layers model; what cannot be computed has no shape.

    Raises
    ------
    ModelError
        The topology is malformed.
    """
    whole = flatten(model.topology)
    network = ancestors(whole, *whole.outputs)
    graph = Graph()
    made: list[Tensor | None] = []
    for call in network.calls:
        known = call.layer.class_name == "InputLayer" or not any(faults(call.layer))
        made.append(None)
        if known and all(made[ref.call] for ref in call.refs):
            with suppress(ModelError):  # what needs it cannot be computed; if it is chosen, compiling it says why
                made[-1] = _made(graph, network, call, made, _keras_major(model.keras_version))
    layers = [network.calls[ref.call].layer for ref in network.outputs]
    names = [layer.name for layer in layers]
    tensors: list[tuple[str, tuple[str, Shape] | None]] = []
    for ref, layer in zip(network.outputs, layers, strict=True):
        tensor = made[ref.call]
        plain = graph.plain(tensor) if tensor else None
        name = layer.name if names.count(layer.name) == 1 else layer.path
        tensors.append((name, (plain.name, plain.shape) if plain else None))
    return described(model.file, tensors, graph.nodes, graph.constants)


def compile_model(model: LayersModel, output: int = -1) -> bytes:
    """Compile a TensorFlow.js Layers model.

    Parameters
    ----------
    model : LayersModel
    output : int
        Number of the output that gives the classes. The last one by default.

    Returns
    -------
    bytes
        An ONNX model: one input ``image``, float32 (batch, height, width, channels), and one output ``classes``,
        float32 (batch, numbers). What that output does not need is left out. The same model gives the same bytes.

    Raises
    ------
    ModelError
        The topology is malformed, takes no picture, has layers that are not supported (all are named), or its weights
        do not fit.
    """
    whole = flatten(model.topology)
    network = ancestors(whole, whole.outputs[output])
    _check_supported(model.file, network)
    _check_inputs(model.file, network)
    graph = Graph()
    shapes = _add_calls(graph, network, _keras_major(model.keras_version))
    computed = {call.layer.path for call in network.calls}
    pruned_layers = [call.layer for call in whole.calls if call.layer.path not in computed]
    needed = [weight for initializer in graph.initializers.values() for weight in initializer.weights]
    names = bind(
        model.file, needed, sorted(graph.optional_weights, key=lambda weight: weight.path), pruned_layers, model.weights
    )
    arrays = {weight: model.weights[name] for weight, name in names.items()}
    return serialise(graph, arrays, *shapes)


def _check_supported(file: str, network: Network) -> None:
    layers = {call.layer.path: call.layer for call in network.calls if call.layer.class_name != "InputLayer"}
    found = [fault for layer in layers.values() for fault in faults(layer)]
    if found:
        raise ModelError(f"{file} has layers that are not supported: {listed(found)}.", UNSUPPORTED)


def _check_inputs(file: str, network: Network) -> None:
    """Refuse everything but one picture."""
    inputs = [call.layer for call in network.calls if call.layer.class_name == "InputLayer"]
    shapes = {layer.name: _input_shape(layer.config) for layer in inputs}
    if len(inputs) > 1:
        others = ", ".join(name for name, shape in shapes.items() if shape is None) or ", ".join(shapes)
        raise ModelError(
            f"{file} takes {len(inputs)} inputs; besides the picture this model also needs metadata input ({others}).",
            "Choose a model that needs pictures only.",
        )
    if not inputs:
        raise ModelError(f"{file} describes a model without an input.", _BROKEN)
    if None in shapes.values():
        config = inputs[0].config
        given = config.get("batch_input_shape") or config.get("batch_shape")
        raise not_an_image(file, given)


def _input_shape(config: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """Return the sizes of a picture, or None if the input is none."""
    return image_sizes(config.get("batch_input_shape") or config.get("batch_shape"))


def _keras_major(version: str) -> int:
    return 3 if re.match(r"3\.", version) else 2


def _add_calls(graph: Graph, network: Network, keras: int) -> tuple[tuple[int | None, ...], int]:
    """Turn all calls into nodes; return the shape of a picture and the number of numbers that come out for it."""
    made: list[Tensor | None] = []
    for call in network.calls:
        made.append(_made(graph, network, call, made, keras))
    last = made[-1]
    assert last is not None
    last = graph.plain(last)
    if None in last.shape:
        raise ModelError(f"The output has the shape {list(last.shape)}, without a fixed size.", UNSUPPORTED)
    graph.finish(last.name)
    taken = next(call.layer for call in network.calls if call.layer.class_name == "InputLayer")
    return _image(network, taken).shape, math.prod(n or 1 for n in last.shape)


def _made(graph: Graph, network: Network, call: Call, made: Sequence[Tensor | None], keras: int) -> Tensor:
    """Turn a call into nodes, after those that it needs."""
    if call.layer.class_name == "InputLayer":
        return _image(network, call.layer).tensor(graph)

    def tensor(value: Any) -> Any:
        return made[value.call] if isinstance(value, Ref) else value

    _check_call(call)
    arguments = {key: tensor(value) for key, value in call.arguments.items()}
    context = LayerContext(graph, call.layer, keras, arguments)
    result = KINDS[call.layer.class_name].build(context, *map(tensor, call.operands))
    if math.prod(n or 1 for n in result.shape) > limits.LAYER_NUMBERS:
        raise context.refuse(f"makes a tensor of shape {list(result.shape)}, which is too large", _BROKEN)
    return result


def _image(network: Network, layer: Layer) -> ImageInput:
    """Return the image that a network takes, with a fixed number of channels."""
    image = ImageInput(_input_shape(layer.config) or (None, None, None), _channels_first(network))
    if image.shape[-1] is None:
        fault = f"The input {layer.path} has no fixed number of channels."
        raise ModelError(fault, "Choose a model that classifies pictures.")
    return image


def _channels_first(network: Network) -> bool:
    """Tell whether the network takes channels, height, width, by the first layer that has pictures in an order."""
    for call in network.calls:
        if call.layer.class_name in {"Permute", "Reshape", "Dense"}:
            return False
        order = call.layer.config.get("data_format")
        if order is not None:
            return bool(order == "channels_first")
    return False


def _check_call(call: Call) -> None:
    layer, kind = call.layer, KINDS[call.layer.class_name]
    tensors = sum(isinstance(value, Ref) for value in call.operands)
    fault = None
    if any(ref.output for ref in call.refs):
        fault = "refers to a second output of a layer that has one only"
    elif len(call.operands) != (kind.inputs or max(len(call.operands), 1)):
        fault = f"is given {len(call.operands)} tensors instead of {kind.inputs or 'some'}"
    elif tensors < len(call.operands) and not kind.numbers:
        fault = "is given a number instead of a tensor"
    if fault:
        raise ModelError(f"The layer {layer.path} ({layer.class_name}) {fault}.", _BROKEN)


def serialise(
    graph: Graph, arrays: Mapping[Weight, NDArray[np.float32]], picture: tuple[int | None, ...], size: int
) -> bytes:
    """Write a finished graph as an ONNX model that takes a picture of this shape and gives `size` numbers for it."""
    import onnx

    float32 = onnx.TensorProto.FLOAT
    sizes = ["batch", picture[0] or "height", picture[1] or "width", picture[2]]
    model = onnx.ModelProto(ir_version=_IR, producer_name="napari-webipred", producer_version=str(COMPILER_VERSION))
    model.opset_import.add(domain="", version=_OPSET)
    model.graph.name = "network"
    (end,) = ends(graph.nodes, graph.constants, [OUTPUT])
    model.metadata_props.add(key=ENDING, value=end.ending)
    model.graph.input.append(onnx.helper.make_tensor_value_info(INPUT, float32, sizes))
    model.graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, float32, ["batch", size]))
    for node in graph.nodes:
        made = model.graph.node.add(op_type=node.op, input=node.inputs, output=[node.output])
        made.attribute.extend(onnx.helper.make_attribute(key, value) for key, value in sorted(node.attributes.items()))
    written = io.BytesIO()
    written.write(model.SerializeToString(deterministic=True))
    for name, constant in graph.constants.items():
        _write_constant(written, name, constant)
    for name, initializer in graph.initializers.items():
        values = [arrays[weight] for weight in initializer.weights]
        _write_constant(written, name, np.asarray(initializer.prepare(*values), np.float32))
    return written.getvalue()


def _write_constant(written: io.BytesIO, name: str, array: NDArray[Any]) -> None:
    import onnx

    tensor = onnx.TensorProto(name=name, dims=array.shape)
    tensor.data_type = onnx.TensorProto.FLOAT if array.dtype == np.float32 else onnx.TensorProto.INT64
    numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    write_initializer(written, tensor, numbers.data.cast("B") if numbers.size else memoryview(b""))

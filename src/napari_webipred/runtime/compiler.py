"""Compile a Keras topology and its weights into an ONNX graph."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import ModelError
from napari_webipred.names import listed
from napari_webipred.runtime import facts
from napari_webipred.runtime.binding import bind
from napari_webipred.runtime.connections import BROKEN
from napari_webipred.runtime.ending import ends
from napari_webipred.runtime.graph import COMPILER_VERSION, INPUT, OUTPUT, Graph, Tensor, Weight
from napari_webipred.runtime.image_input import ImageInput, image_sizes, not_an_image
from napari_webipred.runtime.initializer import write_initializer
from napari_webipred.runtime.layers import KINDS, UNSUPPORTED, LayerContext, faults
from napari_webipred.runtime.outputs import ModelOutput, Shape, described
from napari_webipred.runtime.rewrites import rewritten
from napari_webipred.runtime.tfjs import LayersModel
from napari_webipred.runtime.topology import Call, Layer, Network, Ref, ancestors, flatten

__all__ = ["COMPILER_VERSION", "compile_model", "serialise"]

_OPSET = 17
_IR = 8


def outputs_of(model: LayersModel) -> list[ModelOutput]:
    """Describe the outputs of a TensorFlow.js Layers model; unsupported outputs have no shape.

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
            with suppress(ModelError):  # outputs that need it have no shape; compiling them says why
                made[-1] = _compiled(graph, network, call, made, _keras_major(model.keras_version))
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
        Index of the output with the class scores. By default the last one.

    Returns
    -------
    bytes
        An ONNX model: one input ``image``, float32 (batch, height, width, channels), and one output ``classes``,
        float32 (batch, numbers). Layers that this output does not need are left out. The same model gives the same
        bytes.

    Raises
    ------
    ModelError
        The topology is malformed, has no image as input or has unsupported layers (all of them are named), or its
        weights do not match.
    """
    built = _built(model, output)
    arrays = {weight: model.weights[name] for weight, name in built.names.items()}
    return serialise(built.graph, arrays, built.image, built.size)


class Trace(Struct, frozen=True, eq=False):
    """A network layer by layer, with what the compiler makes of each call.

    Attributes
    ----------
    network : Network
        Only what the output needs.
    tensors : tuple of Tensor
        What each call gives; the names are those in the compiled graph.
    weights : dict of str to (dict of str to ndarray of float32)
        By the path of the layer and Keras' word for the tensor, such as ``kernel``; in Keras' order.
    keras : int
        The major version of Keras whose rules the layers follow.
    """

    network: Network
    tensors: tuple[Tensor, ...]
    weights: dict[str, dict[str, NDArray[np.float32]]]
    keras: int


def traced(model: LayersModel, output: int = -1) -> Trace:
    """Compile a model, and return its layers instead of the graph; see `compile_model`."""
    built = _built(model, output)
    weights: dict[str, dict[str, NDArray[np.float32]]] = {}
    for weight, name in built.names.items():
        weights.setdefault(weight.path, {})[weight.role] = model.weights[name]
    return Trace(built.network, built.tensors, weights, _keras_major(model.keras_version))


class _Built(Struct, frozen=True, eq=False):
    """What has been made of a model, before its weights are written."""

    graph: Graph
    network: Network
    tensors: tuple[Tensor, ...]
    names: Mapping[Weight, str]
    image: ImageInput
    size: int


def _built(model: LayersModel, output: int) -> _Built:
    whole = flatten(model.topology)
    network = ancestors(whole, whole.outputs[output])
    _check_supported(model.file, network)
    _check_inputs(model.file, network)
    graph = Graph()
    tensors, image, size = _add_calls(graph, network, _keras_major(model.keras_version))
    computed = {call.layer.path for call in network.calls}
    pruned_layers = [call.layer for call in whole.calls if call.layer.path not in computed]
    needed = [weight for initializer in graph.initializers.values() for weight in initializer.weights]
    names = bind(
        model.file, needed, sorted(graph.optional_weights, key=lambda weight: weight.path), pruned_layers, model.weights
    )
    return _Built(graph, network, tensors, names, image, size)


def _check_supported(file: str, network: Network) -> None:
    layers = {call.layer.path: call.layer for call in network.calls if call.layer.class_name != "InputLayer"}
    found = [fault for layer in layers.values() for fault in faults(layer)]
    if found:
        raise ModelError(f"{file} has unsupported layers: {listed(found)}.", UNSUPPORTED)


def _check_inputs(file: str, network: Network) -> None:
    """Refuse models unless their only input is an image."""
    inputs = [call.layer for call in network.calls if call.layer.class_name == "InputLayer"]
    shapes = {layer.name: _input_shape(layer.config) for layer in inputs}
    if len(inputs) > 1:
        others = ", ".join(name for name, shape in shapes.items() if shape is None) or ", ".join([*shapes][1:])
        raise ModelError(
            f"{file} needs {len(inputs)} inputs: besides the image also {others}.",
            "Choose a model with one image as input.",
        )
    if not inputs:
        raise ModelError(f"The model in {file} has no input.", BROKEN)
    if None in shapes.values():
        config = inputs[0].config
        given = config.get("batch_input_shape") or config.get("batch_shape")
        raise not_an_image(file, given)
    dtype = inputs[0].config.get("dtype")
    if isinstance(dtype, str) and "float" not in dtype:  # Keras and TensorFlow.js would drop the decimals of the image
        fault = f"The input of {file} has the dtype {dtype!r:.40}; only floating-point images are supported."
        raise ModelError(fault, UNSUPPORTED)


def _input_shape(config: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """Return the sizes of an image input; None if the input is not an image."""
    return image_sizes(config.get("batch_input_shape") or config.get("batch_shape"))


def _keras_major(version: str) -> int:
    return 3 if re.match(r"3\.", version) else 2


def _add_calls(graph: Graph, network: Network, keras: int) -> tuple[tuple[Tensor, ...], ImageInput, int]:
    """Compile all calls to nodes; return what they give, the image input and the number of values in the output."""
    made: list[Tensor] = []
    for call in network.calls:
        made.append(_compiled(graph, network, call, made, keras))
    last = graph.plain(made[-1])
    if None in last.shape:
        raise ModelError(f"The output must have a fixed size, but its shape is {list(last.shape)}.", UNSUPPORTED)
    graph.finish(last.name, rewritten)
    input_layer = next(call.layer for call in network.calls if call.layer.class_name == "InputLayer")
    return tuple(made), _image(network, input_layer), math.prod(n or 1 for n in last.shape)


def _compiled(graph: Graph, network: Network, call: Call, made: Sequence[Tensor | None], keras: int) -> Tensor:
    """Compile a call to nodes."""
    if call.layer.class_name == "InputLayer":
        return _image(network, call.layer).tensor(graph)

    def tensor(value: Any) -> Any:
        return made[value.call] if isinstance(value, Ref) else value

    _check_call(call)
    arguments = {key: tensor(value) for key, value in call.arguments.items()}
    context = LayerContext(graph, call.layer, keras, arguments)
    result = KINDS[call.layer.class_name].build(context, *map(tensor, call.operands))
    if math.prod(n or 1 for n in result.shape) > limits.LAYER_NUMBERS:
        raise context.refuse(f"outputs a tensor of shape {list(result.shape)}, which is too large", BROKEN)
    return result


def _image(network: Network, layer: Layer) -> ImageInput:
    """Return the image input of a network, with a fixed number of channels."""
    image = ImageInput(_input_shape(layer.config) or (None, None, None), _channels_first(network), layer.name)
    if image.shape[-1] is None:
        fault = f"The input {layer.path} has no fixed number of channels."
        raise ModelError(fault, "Choose a model that classifies images.")
    return image


def _channels_first(network: Network) -> bool:
    """Tell whether the image is (channels, height, width), by the first layer with a data format."""
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
        fault = "uses a second output of a layer that has only one"
    elif len(call.operands) != (kind.inputs or max(len(call.operands), 1)):
        fault = f"has {len(call.operands)} inputs instead of {kind.inputs or 'at least one'}"
    elif tensors < len(call.operands) and not kind.numbers:
        fault = "has a number instead of a tensor as input"
    if fault:
        raise ModelError(f"The layer {layer.path} ({layer.class_name}) {fault}.", BROKEN)


def serialise(graph: Graph, arrays: Mapping[Weight, NDArray[np.float32]], image: ImageInput, size: int) -> bytes:
    """Write a finished graph as an ONNX model with this image as input and `size` values as output."""
    import onnx

    float32 = onnx.TensorProto.FLOAT
    height, width, channels = image.shape
    sizes = ["batch", height or "height", width or "width", channels]
    model = onnx.ModelProto(ir_version=_IR, producer_name="napari-webipred", producer_version=str(COMPILER_VERSION))
    model.opset_import.add(domain="", version=_OPSET)
    model.graph.name = "network"
    (end,) = ends(graph.nodes, graph.constants, [OUTPUT])
    model.metadata_props.add(key=facts.ENDING, value=end.ending)
    model.metadata_props.add(key=facts.IMAGE, value=image.described)
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

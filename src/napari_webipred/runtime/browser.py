"""Keras networks as TensorFlow.js runs them: one list of layers, with the names and options that it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.tfjs import LayersModel
from napari_webipred.runtime.topology import Call, Layer, Ref, ancestors

if TYPE_CHECKING:
    from napari_webipred.runtime.compiler import Trace

VERSION = "tfjs-layers 4.22.0"  # whose rules the layers follow
ACTIVATIONS = {
    *("elu", "gelu", "hard_sigmoid", "linear", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "softmax"),
    *("softplus", "softsign", "swish", "tanh"),
}
LAYERS = {
    *("Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D", "Cropping2D"),
    *("Conv2DTranspose", "Dense", "DepthwiseConv2D", "ELU", "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
    *("InputLayer", "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply", "PReLU"),
    *("Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv2D", "Softmax", "ThresholdedReLU"),
    *("UpSampling2D", "ZeroPadding2D"),
}
# Other names that Keras has for them.
_ALIASES = {
    "AvgPool2D": "AveragePooling2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "MaxPool2D": "MaxPooling2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
}
# Layers that change nothing when a model predicts are left out, also those that TensorFlow.js does not have; and all
# whose names begin with Random.
_IDLE = {
    *("ActivityRegularization", "AlphaDropout", "AugMix", "CutMix", "Dropout", "GaussianDropout", "GaussianNoise"),
    *("Identity", "MixUp", "RandAugment", "SpatialDropout2D", "StochasticDepth"),
}
# Options that TensorFlow.js does not read, or reads in another way, and the values with which that does not matter.
_ONLY: dict[str, dict[str, tuple[Any, ...]]] = {
    "Conv2D": {"groups": (None, 1)},
    "DepthwiseConv2D": {"dilation_rate": (None, 1, [1, 1], (1, 1))},
    "Conv2DTranspose": {"output_padding": (None,), "dilation_rate": (None, 1, [1, 1], (1, 1))},
    "ReLU": {"negative_slope": (None, 0), "threshold": (None, 0)},
    "ELU": {"alpha": (None, 1)},
    "GlobalAveragePooling2D": {"keepdims": (None, False)},
    "GlobalMaxPooling2D": {"keepdims": (None, False)},
    "UpSampling2D": {"interpolation": (None, "nearest")},
    "Softmax": {"axis": (None, -1)},
}
_TRAINING = ("_initializer", "_regularizer", "_constraint")
_LEFT_OUT = {
    *("autocast", "batch_input_shape", "batch_shape", "build_config", "dtype", "input_shape", "name"),
    *("quantization_config", "ragged", "trainable"),
}


class NewHead(Struct, frozen=True, eq=False):
    """A head that takes the place of another: ``pooled features @ kernel + bias``, then softmax or sigmoid.

    Attributes
    ----------
    kernel : ndarray of float32, shape (channels, classes)
    bias : ndarray of float32, shape (classes,)
    activation : "softmax" or "sigmoid"
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: Literal["softmax", "sigmoid"]


def browser_model(trace: Trace, last: int = -1) -> LayersModel:
    """Write a network as one that TensorFlow.js loads, with the same numbers.

    Models within the model are dissolved, names are such as TensorFlow.js takes, options that only training needs are
    left out.

    Parameters
    ----------
    trace : Trace
    last : int
        The call whose result becomes the output; by default the last one.

    Raises
    ------
    ModelError
        TensorFlow.js lacks a layer or an option; the message names it.
    """
    network = ancestors(trace.network, Ref(last % len(trace.network.calls)))
    names = _names([call.layer for call in network.calls])
    shapes = {call.layer.path: made.shape for call, made in zip(trace.network.calls, trace.tensors, strict=True)}
    layers: dict[str, dict[str, Any]] = {}
    places: list[list[Any]] = []  # of each call: the name of the layer, and which of its calls it is
    for call in network.calls:
        if call.layer.class_name in _IDLE or call.layer.class_name.startswith("Random"):
            places.append(places[_inputs(call)[0].call])
            continue
        name = names[call.layer.path]
        layer = layers.setdefault(name, _layer(call.layer, name, shapes[call.layer.path], trace.keras))
        if call.layer.class_name == "InputLayer":
            places.append([name, 0])
            continue
        places.append([name, len(layer["inbound_nodes"])])
        layer["inbound_nodes"].append([[*places[ref.call], 0, {}] for ref in _inputs(call)])
    inputs = [[*place, 0] for place, call in zip(places, network.calls, strict=True) if not _inputs(call)]
    config = {
        "name": "model",
        "layers": [*layers.values()],
        "input_layers": inputs,
        "output_layers": [[*places[-1], 0]],
    }
    weights = {
        f"{names[path]}/{role}": array
        for path, roles in trace.weights.items()
        if path in names
        for role, array in roles.items()
    }
    return LayersModel("model.json", {"class_name": "Functional", "config": config}, VERSION, weights, {})


def with_head(body: LayersModel, shape: Sequence[int | None], head: NewHead) -> LayersModel:
    """Put a head behind a network that gives features.

    Parameters
    ----------
    body : LayersModel
        What `browser_model` returns.
    shape : sequence of (int or None)
        Of what it gives, without the images: (rows, columns, channels), or (channels,).
    head : NewHead
    """
    config = body.topology["config"]
    layers, (end,) = [*config["layers"]], config["output_layers"]
    taken = {layer["name"] for layer in layers}

    def add(class_name: str, name: str, **options: Any) -> None:
        nonlocal end
        while name in taken:
            name += "_new"
        layers.append(
            {
                "class_name": class_name,
                "name": name,
                "config": {"name": name, **options},
                "inbound_nodes": [[[*end, {}]]],
            }
        )
        end = [name, 0, 0]

    if len(shape) == 3:
        add("GlobalAveragePooling2D", "features", data_format="channels_last")
    add("Dense", "own_classes", units=head.kernel.shape[1], use_bias=True, activation=head.activation)
    weights = {**body.weights, f"{end[0]}/kernel": head.kernel, f"{end[0]}/bias": head.bias}
    topology = {"class_name": "Functional", "config": {**config, "layers": layers, "output_layers": [end]}}
    return replace(body, topology=topology, weights=weights)


def _inputs(call: Call) -> list[Ref]:
    """Return the tensors that a call takes.

    Raises
    ------
    ModelError
        It takes something else, which TensorFlow.js has no way to write.
    """
    refs = [value for value in call.operands if isinstance(value, Ref)]
    named = [value for value in call.arguments.values() if isinstance(value, Ref)]
    if named or len(refs) < len(call.operands) or any(ref.output for ref in refs):
        raise _lacking(call.layer, "inputs with names or numbers")
    return refs


def _names(layers: Sequence[Layer]) -> dict[str, str]:
    """Give each layer a name that TensorFlow.js takes, and that no other one has; most keep theirs."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for layer in layers:
        if layer.path in names:
            continue
        own = re.sub(r"[^-A-Za-z0-9._/]", "_", layer.name) or "layer"
        own = own if own[0].isalnum() else f"layer{own}"
        name, number = own, 1
        while name in taken:
            name, number = f"{own}_{number}", number + 1
        taken.add(name)
        names[layer.path] = name
    return names


def _layer(layer: Layer, name: str, made: Sequence[int | None], keras: int) -> dict[str, Any]:
    """Describe a layer that gives tensors of this shape, without the images, as TensorFlow.js reads it."""
    kind = _ALIASES.get(layer.class_name, layer.class_name)
    if kind not in LAYERS:
        raise _lacking(layer, f"layers of the class {kind}")
    if kind == "InputLayer":
        shape = layer.config.get("batch_input_shape") or layer.config.get("batch_shape") or []
        config = {"batch_input_shape": [None, *list(shape)[1:]], "dtype": "float32", "sparse": False}
    else:
        config = {**_config(layer, kind, keras), **_axes(layer, kind, made)}
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": []}


def _config(layer: Layer, kind: str, keras: int) -> dict[str, Any]:
    """Return the options of a layer as TensorFlow.js reads them."""
    config = {
        key: _plain(value)
        for key, value in layer.config.items()
        if key not in _LEFT_OUT and not key.endswith(_TRAINING)
    }
    for option, values in _ONLY.get(kind, {}).items():
        if (value := config.get(option)) not in values:
            raise _lacking(layer, f"{kind} with {option} = {value!r:.80}")
    if config.get("data_format") == "channels_first":
        raise _lacking(layer, "images with the channels first")
    if "activation" in config:
        config["activation"] = _activation(layer, config["activation"], keras)
    if kind == "LeakyReLU" and "negative_slope" in config:  # as Keras 3 calls it
        config["alpha"] = config.pop("negative_slope")
    if kind == "Softmax":
        config["axis"] = -1  # by default it is another one there
    if kind == "Rescaling" and any(isinstance(config.get(option), list) for option in ("scale", "offset")):
        raise _lacking(layer, "Rescaling with numbers for each channel")
    return config


def _axes(layer: Layer, kind: str, made: Sequence[int | None]) -> dict[str, Any]:
    """Return the options of a layer that TensorFlow.js only reads right if they say it in full."""
    axis = layer.config.get("axis")
    if kind == "BatchNormalization":
        (axis,) = axis if isinstance(axis, (list, tuple)) else [axis]
        if axis not in (None, -1, len(made)):  # computed wrongly there
            raise _lacking(layer, f"BatchNormalization with axis = {axis}")
        return {"axis": -1}
    if kind == "Concatenate":  # a negative number is the last axis there, whichever it is
        return {"axis": (-1 if axis is None else int(axis)) % (len(made) + 1)}
    if kind == "Reshape" and None not in made:  # a size that follows from the others stays unknown there
        return {"target_shape": list(made)}
    return {}


def _activation(layer: Layer, value: Any, keras: int) -> str:
    """Return the name by which TensorFlow.js knows an activation."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    name = "linear" if value is None else str(value).rpartition(">")[2]
    name = "swish" if name == "silu" else name
    if name not in ACTIVATIONS or (name == "hard_sigmoid" and keras >= 3):
        raise _lacking(layer, f"activation {name[:80]}")
    return name


def _plain(value: Any) -> Any:
    """Return plain JSON values: lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _lacking(layer: Layer, what: str) -> ModelError:
    return ModelError(
        f"TensorFlow.js has no {what}, as the layer {layer.path[:100]} needs.", "Write the model as ONNX instead."
    )

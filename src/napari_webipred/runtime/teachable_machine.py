"""Recognise image models of Teachable Machine by their structure, in any format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# MobileNetV2 with alpha=0.35 and without its top: filters of the first and last convolution and the last bottleneck.
_FILTERS = {"Conv1": 16, "block_16_project": 112, "Conv_1": 1280}
_INPUT = [224, 224, 3]


def is_teachable_machine(topology: Mapping[str, Any]) -> bool:
    """Tell whether a topology is an image model of Teachable Machine.

    It is a Sequential of two Sequential models: a MobileNetV2 with a pooling layer, and a hidden layer with a softmax
    layer without bias. The names of these models are just counters.
    """
    parts = _layers(topology)
    if [_kind(topology), *map(_kind, parts)] != ["Sequential"] * 3:
        return False
    return _is_features(_layers(parts[0])) and _is_head(_layers(parts[1]))


def _is_features(layers: list[Any]) -> bool:
    if [_kind(layer) for layer in layers] not in (
        ["Model", "GlobalAveragePooling2D"],
        ["Functional", "GlobalAveragePooling2D"],
    ):
        return False
    configs = list(map(_config, _layers(layers[0])))
    inputs = [config[key] for config in configs for key in ("batch_input_shape", "batch_shape") if key in config]
    filters = {name: config.get("filters") for config in configs for name in _FILTERS if config.get("name") == name}
    return filters == _FILTERS and [shape[1:] for shape in inputs if isinstance(shape, list)] == [_INPUT]


def _is_head(layers: list[Any]) -> bool:
    if [_kind(layer) for layer in layers] != ["Dense", "Dense"]:
        return False
    hidden, last = map(_config, layers)
    return (hidden.get("activation"), last.get("activation"), last.get("use_bias")) == ("relu", "softmax", False)


def _layers(model: Any) -> list[Any]:
    config = model.get("config") if isinstance(model, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list):
        return []
    return layers if _kind(model) != "Sequential" else [layer for layer in layers if _kind(layer) != "InputLayer"]


def _kind(layer: Any) -> Any:
    return layer.get("class_name") if isinstance(layer, dict) else None


def _config(layer: Any) -> Mapping[str, Any]:
    config = layer.get("config") if isinstance(layer, dict) else None
    return config if isinstance(config, dict) else {}

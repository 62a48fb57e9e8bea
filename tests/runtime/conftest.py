from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.readers import find_model
from napari_webipred.runtime.session import Session
from napari_webipred.runtime.tfjs import read_layers_model

Files = dict[str, bytes]
Arrays = Mapping[str, NDArray[Any]]


def write_model(topology: Mapping[str, Any], weights: Arrays, folder: str = "", **document: Any) -> Files:
    """Files of a model with one group of float32 weights in one shard; ``document`` replaces parts of its JSON."""
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in weights.items()]
    manifest = [{"paths": ["group1-shard1of1.bin"], "weights": entries}]
    content = {"format": "layers-model", "modelTopology": {"model_config": topology}, "weightsManifest": manifest}
    return {
        f"{folder}model.json": json.dumps(content | document).encode(),
        f"{folder}group1-shard1of1.bin": b"".join(array.astype("<f4").tobytes() for array in weights.values()),
    }


def write_layers(layers: list[dict[str, Any]], shape: tuple[int | None, ...], weights: Arrays | None = None) -> Files:
    """Files of a Sequential model after an input of (height, width, channels)."""
    first = {"class_name": "InputLayer", "config": {"name": "image", "batch_input_shape": [None, *shape]}}
    return write_model({"class_name": "Sequential", "config": {"name": "m", "layers": [first, *layers]}}, weights or {})


@pytest.fixture
def model_files() -> Callable[..., Files]:
    return write_model


@pytest.fixture
def layer_files() -> Callable[..., Files]:
    return write_layers


@pytest.fixture
def open_session() -> Callable[[Mapping[str, bytes]], Session]:
    """Open a model without asking what its outputs mean; those of layers are no lists of classes."""

    def opened(files: Mapping[str, bytes], entry: str | None = None) -> Session:
        return Session(compile_model(read_layers_model(files, entry or find_model(files).name)), 1)

    return opened


@pytest.fixture
def dense_files() -> Files:
    """A model of a 2x2 grey image with the weights 1 ... 8 and the biases 0.5 and -0.5, without an activation."""
    layers = [
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2}},
    ]
    kernel = np.arange(1, 9, dtype=np.float32).reshape(4, 2)
    return write_layers(layers, (2, 2, 1), {"dense/kernel": kernel, "dense/bias": np.float32([0.5, -0.5])})

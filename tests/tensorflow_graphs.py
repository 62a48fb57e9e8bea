"""Small TensorFlow graphs in the format of TensorFlow.js, written by hand."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


IMAGE = node("image", "Placeholder", shape={"shape": {"dim": [{"size": n} for n in ("-1", "2", "2", "3")]}})
MEAN = node("mean", "Mean", "image", "axes", keep_dims={"b": False})
AXES = np.array([1, 2], np.int32)


def graph(*nodes: dict[str, Any], signature: dict[str, Any] | None = None, **constants: np.ndarray) -> dict[str, bytes]:
    constants = {"axes": AXES, **constants}
    weights = [
        {"name": name, "shape": list(a.shape), "dtype": "int32" if a.dtype == np.int32 else "float32"}
        for name, a in constants.items()
    ]
    document = {
        "format": "graph-model",
        "signature": signature,
        "modelTopology": {"node": [*(node(name, "Const") for name in constants), *nodes]},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }
    return {"model.json": json.dumps(document).encode(), "w.bin": b"".join(a.tobytes() for a in constants.values())}

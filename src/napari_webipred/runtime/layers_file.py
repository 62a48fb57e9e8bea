"""A network as the files that TensorFlow.js loads: the topology, and weights in parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred import __version__

if TYPE_CHECKING:
    from napari_webipred.runtime.tfjs import LayersModel

SHARD = 4 * 2**20  # bytes, as TensorFlow.js' own converter makes them: browsers keep parts of this size


def layers_files(model: LayersModel) -> dict[str, bytes]:
    """Write a network as a TensorFlow.js Layers model.

    Parameters
    ----------
    model : LayersModel
        With layers and names that TensorFlow.js knows, see `napari_webipred.runtime.browser`.

    Returns
    -------
    dict of str to bytes
        ``model.json``, and the weights as float32 in files of 4 MiB.
    """
    weights = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in model.weights.values())
    starts = range(0, len(weights), SHARD)
    shards = {
        f"group1-shard{number}of{len(starts)}.bin": weights[start : start + SHARD]
        for number, start in enumerate(starts, 1)
    }
    manifest = [
        {
            "paths": [*shards],
            "weights": [
                {"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in model.weights.items()
            ],
        }
    ]
    document = {
        "format": "layers-model",
        "generatedBy": f"napari-webipred {__version__}",
        "convertedBy": None,
        "modelTopology": {
            "keras_version": model.keras_version,
            "backend": "tensorflow",
            "model_config": model.topology,
        },
        "weightsManifest": manifest,
    }
    if model.metadata:
        document["userDefinedMetadata"] = model.metadata
    return {"model.json": json.dumps(document, separators=(",", ":")).encode(), **shards}

"""TensorFlow.js Layers models: a topology JSON, and files with weights beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import safe_json
from napari_webipred.errors import ModelError
from napari_webipred.runtime.connections import MODEL_CLASSES
from napari_webipred.runtime.graph_model import GraphModel, is_graph, read_graph_model
from napari_webipred.runtime.shards import read_weights

_CHOOSE = "Choose a model in the TensorFlow.js Layers format."
_MAX_FOUND = 20


class LayersModel(Struct, frozen=True):
    """A TensorFlow.js Layers model that has been read, but not checked.

    Attributes
    ----------
    file : str
        Name of the topology JSON.
    topology : dict
        ``class_name`` and ``config`` of the root model, as in Keras. Unchecked.
    keras_version : str
        The version of Keras or TensorFlow.js that wrote the file, for example ``"2.8.0"`` or ``"tfjs-layers 1.5.2"``;
        may be empty.
    weights : dict of str to ndarray of float32
        The tensors by their names in the manifest, dequantised.
    metadata : dict
        Metadata of the publisher (``userDefinedMetadata``); may be empty.
    """

    file: str
    topology: dict[str, Any]
    keras_version: str
    weights: dict[str, NDArray[np.float32]]
    metadata: dict[str, Any]


def read_model(files: Mapping[str, bytes], entry: str) -> LayersModel | GraphModel:
    """Read a TensorFlow.js Layers model or graph model; see `read_layers_model`."""
    document = _document(files, entry)
    return read_graph_model(entry, document, files) if is_graph(document) else _layers_model(entry, document, files)


def read_layers_model(files: Mapping[str, bytes], entry: str = "model.json") -> LayersModel:
    """Read the topology and the weights of a Layers model.

    Parameters
    ----------
    files : mapping of str to bytes
        The files of the model by their relative names with ``/``. The model may be in a subfolder.
    entry : str
        Name of the topology JSON among them; `topologies` finds it.

    Returns
    -------
    LayersModel

    Raises
    ------
    ModelError
        The topology is missing or not of a Layers model, or weights are missing.
    """
    return _layers_model(entry, _document(files, entry), files)


def _layers_model(name: str, document: dict[str, Any], files: Mapping[str, bytes]) -> LayersModel:
    topology, keras_version = _root(name, document)
    weights = read_weights(name, document.get("weightsManifest"), files)
    metadata = document.get("userDefinedMetadata")
    return LayersModel(name, topology, keras_version, weights, metadata if isinstance(metadata, dict) else {})


def _document(files: Mapping[str, bytes], entry: str) -> dict[str, Any]:
    if entry not in files:
        raise ModelError(f"The file {entry} is missing in this model.", "Choose the model.json file of the model.")
    document = parse(entry, files[entry])
    if not isinstance(document, dict) or "modelTopology" not in document:
        raise ModelError(f"{entry} is not a TensorFlow.js model.", _CHOOSE)
    return document


def topologies(
    files: Mapping[str, bytes], among: Iterable[str] | None = None
) -> tuple[dict[str, dict[str, Any]], list[ModelError]]:
    """Find the JSON files that describe a model.

    Parameters
    ----------
    files : mapping of str to bytes
    among : iterable of str, optional
        Names of the files to search; by default all.

    Returns
    -------
    documents : dict of str to dict
        By name: those of TensorFlow.js with a ``modelTopology``, and those of Keras with a ``class_name`` and a
        ``config``. At most 20 are returned.
    broken : list of ModelError
        The errors of files that could not be read.
    """
    found: dict[str, dict[str, Any]] = {}
    broken: list[ModelError] = []
    for name in files if among is None else among:
        if not name.lower().endswith(".json") or is_noise(name) or len(found) >= _MAX_FOUND:
            continue
        try:
            content = files[name]
            marked = b"modelTopology" in content or b'"class_name"' in content
            document = parse(name, content) if marked or name.lower().endswith("model.json") else None
        except ModelError as error:
            broken.append(error)
            continue
        if isinstance(document, dict) and ("modelTopology" in document or is_architecture(document)):
            found[name] = document
    return found, broken


def is_architecture(document: Any) -> bool:
    """Tell whether this is the JSON of a Keras model without its weights."""
    known = isinstance(document, dict) and isinstance(document.get("class_name"), str) and "config" in document
    return known and document["class_name"] in MODEL_CLASSES


def is_noise(name: str) -> bool:
    """Tell whether this is a hidden file or one that macOS adds to archives."""
    return any(part == "__MACOSX" or part.startswith(".") for part in PurePosixPath(name).parts)


def parse(name: str, text: str | bytes) -> Any:
    """Parse the JSON of a model; raise `ModelError` if it is invalid."""
    try:
        return safe_json.parse(text, _unwrap)
    except ValueError as error:
        raise ModelError(f"{name} is not valid JSON: {error}.", "Get the model again from its source.") from error


def _unwrap(value: dict[str, Any]) -> Any:
    """Unwrap a list or number from TensorFlow's JSON wrapper."""
    return value["value"] if value.get("type") == "ndarray" and "value" in value else value


def _root(name: str, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the root model of the document; refuse other kinds of models."""
    topology = document["modelTopology"]
    if topology is None:
        raise ModelError(f"{name} contains only weights, not the model.", _CHOOSE)
    if not isinstance(topology, dict):
        raise ModelError(f"The modelTopology in {name} is not a JSON object.", _CHOOSE)
    if "node" in topology or document.get("format") == "graph-model":
        raise ModelError(f"{name} is a graph model, not a Layers model.", _CHOOSE)
    keras_version = topology.get("keras_version")
    if topology.get("model_config") is not None:
        topology = topology["model_config"]
        if isinstance(topology, str):
            topology = parse(name, topology)
        if not isinstance(topology, dict):
            raise ModelError(f"The model_config in {name} is not a JSON object.", _CHOOSE)
    if "class_name" not in topology or "config" not in topology:
        keys = ", ".join(sorted(map(str, topology))[:10]) or "none"
        raise ModelError(f"The modelTopology in {name} needs class_name and config; found keys: {keys}.", _CHOOSE)
    return topology, keras_version if isinstance(keras_version, str) else ""

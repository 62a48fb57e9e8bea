"""The layers that Keras 2 has noted beside a SavedModel: its file ``keras_metadata.pb``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_webipred import safe_json
from napari_webipred.runtime.protobuf import Message
from napari_webipred.runtime.tfjs import LayersModel, is_architecture

if TYPE_CHECKING:
    from napari_webipred.runtime.graph_model import GraphModel

FILE = "keras_metadata.pb"


def layers_beside(files: Mapping[str, bytes], name: str, graph: GraphModel) -> LayersModel | None:
    """Read the layers of a SavedModel; its weights are the variables of its graph.

    Parameters
    ----------
    files : mapping of str to bytes
    name : str
        Name of ``saved_model.pb`` among them.
    graph : GraphModel
        What it holds.

    Returns
    -------
    LayersModel
        Unchecked. None if Keras has noted no network, or in another way.

    Raises
    ------
    ModelError
        The file is damaged.
    """
    place = str(PurePosixPath(name).with_name(FILE))
    if place not in files:
        return None
    root = next((node for node in Message(files[place]).messages(1) if node.text(3) == "root"), None)
    try:
        noted = safe_json.parse(root.text(5), _plain) if root is not None else None
    except ValueError:
        return None
    topology = noted.get("model_config") if isinstance(noted, dict) else None
    if not isinstance(noted, dict) or not isinstance(topology, dict) or not is_architecture(topology):
        return None
    version = noted.get("keras_version")
    return LayersModel(place, topology, version if isinstance(version, str) else "", dict(graph.variables), {})


def _plain(value: dict[str, Any]) -> Any:
    """Return a list for what Keras writes of a tuple or shape."""
    is_list = value.get("class_name") in {"__tuple__", "TensorShape"} and isinstance(value.get("items"), list)
    return value["items"] if is_list else value

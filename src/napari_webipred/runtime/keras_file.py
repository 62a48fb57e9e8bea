"""Keras files, ``.h5`` and ``.keras``: config and weights are read as data; no code in them is run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import safe_json
from napari_webipred.errors import ModelError
from napari_webipred.formats import BY_ID
from napari_webipred.runtime.hdf5 import File, Node
from napari_webipred.runtime.tfjs import LayersModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIG, WEIGHTS = BY_ID["keras-v3"].members

_MAX_DATASETS = 20_000
_MAX_DEPTH = 16
_MAX_NAME = 1000
_AGAIN = "Save the whole model again with Keras: model.save('model.keras') or model.save('model.h5')."


def read_h5(name: str, content: bytes) -> LayersModel:
    """Read a whole model that Keras 2 or 3 saved as HDF5.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    content : bytes

    Returns
    -------
    LayersModel
        For `napari_webipred.runtime.compiler.compile_model`, which refuses layers that contain code.

    Raises
    ------
    ModelError
        The file is damaged, contains only weights, or its datasets are compressed, in another file or larger than the
        file.
    """
    root = File(name, content).root
    config = root.attribute("model_config")
    if config is None:
        raise ModelError(f"{name} contains only weights, not the model.", _AGAIN)
    topology = _topology(name, config)
    version = root.attribute("keras_version")
    stored = _group(name, root, "model_weights")
    return LayersModel(name, topology, version if isinstance(version, str) else "", _weights_of(name, stored), {})


def has_network(name: str, content: bytes) -> bool:
    """Tell whether an HDF5 file contains a model, not only weights; raise `ModelError` if it is damaged."""
    return File(name, content).root.attribute("model_config") is not None


def read_pair(network: str, description: bytes, name: str, content: bytes) -> LayersModel:
    """Read a model that Keras saved as JSON (``model.to_json()``) and weights (``model.save_weights(...)``).

    Parameters
    ----------
    network : str
        Name of the JSON file, for messages.
    description : bytes
        Its content.
    name : str
        Name of the HDF5 file with the weights, as Keras 2 or 3 writes it.
    content : bytes

    Returns
    -------
    LayersModel

    Raises
    ------
    ModelError
        As `read_h5`.
    """
    topology = _topology(network, description)
    root = File(name, content).root
    stored = root.child("model_weights") or root  # from a whole model, or from weights that Keras 2 saved separately
    version = "3.0" if "module" in topology else topology.get("keras_version") or stored.attribute("keras_version")
    if stored.attribute("layer_names") is not None or stored.attribute("layer_names0") is not None:
        weights = _weights_of(name, stored)
    else:  # Keras 3, and Keras 2 since 2.12
        weights = dict(_numbered(name, root, topology, (), 0))
    return LayersModel(network, topology, version if isinstance(version, str) else "", weights, {})


def read_keras(files: Mapping[str, bytes], folder: str = "", name: str = "") -> LayersModel:
    """Read a Keras 3 model: the files of a ``.keras`` archive.

    Parameters
    ----------
    files : mapping of str to bytes
    folder : str
        Prefix of ``config.json`` and ``model.weights.h5`` among the names.
    name : str
        Name of the archive, for messages; empty if the user has unpacked it.

    Returns
    -------
    LayersModel

    Raises
    ------
    ModelError
        As `read_h5`.
    """
    config, weights = folder + CONFIG, folder + WEIGHTS
    if not {config, weights} <= set(files):
        raise ModelError(f"{name or folder} is not a Keras file: {CONFIG} or {WEIGHTS} is missing.", _AGAIN)
    topology = _topology(name or config, files[config])
    version = "3.0"
    if (metadata := files.get(f"{folder}metadata.json")) is not None:
        document = _json(name or f"{folder}metadata.json", metadata)
        if isinstance(document, dict) and isinstance(document.get("keras_version"), str):
            version = document["keras_version"]
    shown = name or weights
    arrays = dict(_numbered(shown, File(shown, files[weights]).root, topology, (), 0))
    return LayersModel(name or config, topology, version, arrays, {})


def _topology(name: str, text: Any) -> dict[str, Any]:
    topology = _json(name, text)
    if not isinstance(topology, dict) or "class_name" not in topology or "config" not in topology:
        raise ModelError(f"{name} does not describe a Keras model.", _AGAIN)
    return topology


def _json(name: str, text: Any) -> Any:
    if not isinstance(text, (str, bytes)):
        raise ModelError(f"The model description in {name} is not text.", _AGAIN)
    try:
        return safe_json.parse(text)
    except ValueError as error:
        raise ModelError(f"The model description in {name} is not valid JSON: {error}.", _AGAIN) from error


# --- HDF5 ------------------------------------------------------------------------------------------------------------


def _names(name: str, group: Node, key: str) -> list[str]:
    """Return a list of names; Keras splits long lists into ``key0``, ``key1``, ..."""
    whole = group.attribute(key)
    parts = [] if whole is None else [whole]
    while whole is None and (part := group.attribute(f"{key}{len(parts)}")) is not None:
        parts.append(part)
    names = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    if len(names) > _MAX_DATASETS:
        raise ModelError(f"The list {key} in {name} has more than {_MAX_DATASETS} names.", _AGAIN)
    if any(len(each) > _MAX_NAME for each in names):
        raise ModelError(f"A name in the list {key} in {name} has more than {_MAX_NAME} characters.", _AGAIN)
    return names


def _group(name: str, holder: Node, path: str) -> Node:
    group = holder.child(path)
    if group is None or not group.is_group:
        raise ModelError(f"The group {path[:80]} in {name} is missing.", _AGAIN)
    return group


def _array(name: str, path: str, dataset: Node | None) -> NDArray[np.float32] | None:
    if dataset is None:
        raise ModelError(f"The weight {path[:200]} in {name} is missing.", _AGAIN)
    return dataset.array(path)


def _weights_of(name: str, stored: Node) -> dict[str, NDArray[np.float32]]:
    """Read the weights of a group, layer by layer, by the names that Keras gave them."""
    found: list[tuple[str, str, Node]] = []
    for layer in _names(name, stored, "layer_names"):
        group = _group(name, stored, layer)
        found += [(layer, path, group) for path in _names(name, group, "weight_names")]
        if len(found) > _MAX_DATASETS:
            raise ModelError(f"{name} has more than {_MAX_DATASETS} weights.", _AGAIN)
    plain = [_plain(layer, path) for layer, path, _ in found]
    counts = Counter(plain)
    weights: dict[str, NDArray[np.float32]] = {}
    for (layer, path, group), key in zip(found, plain, strict=True):
        array = _array(name, path, group.child(path))
        if array is not None:
            weights[key if counts[key] == 1 else f"{layer}/{key}"] = array
    return weights


def _plain(layer: str, path: str) -> str:
    """Return ``layer/kernel`` for ``layer/kernel:0``, and for the bare ``kernel`` of some versions of Keras 3."""
    key = re.sub(r":\d+$", "", path)
    return key if "/" in key else f"{layer}/{key}"


# --- the weights of a .keras archive ---------------------------------------------------------------------------------


def _numbered(
    name: str, holder: Node, model: Mapping[str, Any], scope: tuple[str, ...], depth: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the weights of the layers of a model as ``layer/0``, ``layer/1``, ...

    Keras names the group of a layer by its class in snake case and a counter for each class. These names are computed
    from the config.
    """
    if depth > _MAX_DEPTH:
        raise ModelError(f"The models in {name} are nested too deeply: more than {_MAX_DEPTH} levels.", _AGAIN)
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list):
        raise ModelError(f"The model of {name} has no list of layers.", _AGAIN)
    names = [_names_of(name, layer) for layer in layers]
    places = _places(holder, [_snake(class_name) for class_name, _ in names])
    for layer, (class_name, layer_name), place in zip(layers, names, places, strict=True):
        group = holder.child(place) if place else None
        if group is None:
            continue
        if isinstance(layer["config"].get("layers"), list):
            yield from _numbered(name, group, layer, (*scope, layer_name), depth + 1)
            continue
        for path, key in _weight_paths(group):
            array = _array(name, f"{layer_name}/{key}", group.child(path))
            if array is not None and (class_name, key) != ("Normalization", _COUNT):
                yield "/".join((*scope, layer_name, key)), array


def _places(holder: Node, kinds: Sequence[str]) -> Iterator[str]:
    """Yield the paths of the groups of layers, whose classes are given in snake case; empty if it is not known."""
    older = holder.child(_OLDER_GROUP) if holder.child("layers") is None else None
    members = _numbered_members(older.names if older is not None else ())
    totals, counts = Counter(kinds), Counter[str]()
    for kind in kinds:
        place = counts[kind]
        counts[kind] += 1
        if older is None:
            yield f"layers/{kind}_{place}" if place else f"layers/{kind}"
        else:  # in which a layer that has weights counts twice, so that numbers are left out
            found = members.get(kind, [])
            yield f"{_OLDER_GROUP}/{found[place]}" if len(found) == totals[kind] else ""


def _numbered_members(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names such as dense, dense_2 and dense_10 in this order, by what stands before their numbers."""
    members: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        kind, _, number = name.rpartition("_")
        if not re.fullmatch(r"[0-9]{1,8}", number):
            kind, number = name, "0"
        members.setdefault(kind, []).append((int(number), name))
    return {kind: [name for _, name in sorted(found)] for kind, found in members.items()}


def _names_of(name: str, layer: Any) -> tuple[str, str]:
    config = layer.get("config") if isinstance(layer, dict) else None
    names = (layer.get("class_name"), config.get("name")) if isinstance(config, dict) else (None, None)
    if not all(isinstance(item, str) and 0 < len(item) < 500 for item in names):
        raise ModelError(f"A layer in {name} has no valid name.", _AGAIN)
    return str(names[0]).rpartition(">")[2], str(names[1])


_INNER = {"query_dense": "query", "key_dense": "key", "value_dense": "value", "output_dense": "attention_output"}
_INNER |= {f"_{group}": name for group, name in _INNER.items()}  # Keras 2
_ROLES = ("kernel", "bias")
_OLDER_GROUP = "_layer_checkpoint_dependencies"  # up to Keras 2.13
_COUNT = "2"  # of a Normalization: over how many images its mean and its variance were taken


def _weight_paths(group: Node) -> Iterator[tuple[str, str]]:
    """Yield paths and names of the weights of a layer; those of attention layers are one level deeper."""
    for path, keys in (("vars", None), *((f"{inner}/vars", inner) for inner in _INNER)):
        variables = group.child(path)
        for i in range(0 if variables is None else min(len(variables.names), _MAX_DATASETS)):
            if keys is None:
                yield f"{path}/{i}", str(i)
            elif i < len(_ROLES):
                yield f"{path}/{i}", f"{_INNER[keys]}/{_ROLES[i]}"


def _snake(class_name: str) -> str:
    """Convert a class name to Keras' name of the group: ZeroPadding2D to zero_padding2d.

    The two steps are those of Keras (``keras.src.utils.naming.to_snake_case``).
    """
    plain = re.sub(r"\W+", "", class_name)
    split = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", plain)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", split).lower()


def keras_folders(names: Sequence[str]) -> list[str]:
    """Return the prefix of the names of each unpacked ``.keras`` archive among files."""
    folders = [name.removesuffix(WEIGHTS) for name in names if name == WEIGHTS or name.endswith(f"/{WEIGHTS}")]
    return [folder for folder in folders if folder + CONFIG in names]

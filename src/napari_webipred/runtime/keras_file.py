"""Keras files, ``.h5`` and ``.keras``: configuration and weights are read as data, nothing in them is executed."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ModelError
from napari_webipred.runtime.tfjs import MAX_TOPOLOGY_BYTES, LayersModel

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped, unused-ignore]
    from numpy.typing import NDArray

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"

_MAX_DATASETS = 20_000
_MAX_DEPTH = 16
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
        For `napari_webipred.runtime.compiler.compile_model`, which refuses layers that carry code.

    Raises
    ------
    ModelError
        h5py is missing, the file is damaged, holds weights only, or its datasets lie elsewhere, are compressed or are
        larger than the file.
    """
    with _opened(name, content) as file:
        config = _attribute(name, file, "model_config")
        if config is None:
            raise ModelError(f"{name} holds weights only, without a network around them.", _AGAIN)
        topology = _topology(name, config)
        version = _attribute(name, file, "keras_version")
        stored = _group(name, file, "model_weights")
        return LayersModel(name, topology, version if isinstance(version, str) else "", _weights_of(name, stored), {})


def read_keras(files: Mapping[str, bytes], folder: str = "") -> LayersModel:
    """Read a model of Keras 3: the members of a ``.keras`` archive.

    Parameters
    ----------
    files : mapping of str to bytes
    folder : str
        What the names of ``config.json`` and ``model.weights.h5`` begin with.

    Returns
    -------
    LayersModel

    Raises
    ------
    ModelError
        As `read_h5`.
    """
    config, weights = folder + CONFIG, folder + WEIGHTS
    topology = _topology(config, files[config])
    version = "3.0"
    if (metadata := files.get(f"{folder}metadata.json")) is not None:
        document = _json(f"{folder}metadata.json", metadata)
        if isinstance(document, dict) and isinstance(document.get("keras_version"), str):
            version = document["keras_version"]
    with _opened(weights, files[weights]) as file:
        arrays = dict(_numbered(weights, file, topology, (), 0))
    return LayersModel(config, topology, version, arrays, {})


def _opened(name: str, content: bytes) -> h5py.File:
    try:
        import h5py
    except ImportError as error:
        raise ModelError(
            f"{name} is a Keras file, and h5py, which reads it, is not installed.",
            'Install it: pip install "napari-webipred[tensorflow]"',
        ) from error
    try:
        return h5py.File(io.BytesIO(content), "r")
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{name} is a damaged HDF5 file.", "Get the file again from its source.") from error


def _topology(name: str, text: Any) -> dict[str, Any]:
    topology = _json(name, text)
    if not isinstance(topology, dict) or "class_name" not in topology or "config" not in topology:
        raise ModelError(f"{name} does not describe a network of layers.", _AGAIN)
    return topology


def _json(name: str, text: Any) -> Any:
    if not isinstance(text, (str, bytes)) or len(text) > MAX_TOPOLOGY_BYTES:
        raise ModelError(f"The description of the network in {name} is not text, or too long.", _AGAIN)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The description of the network in {name} is not valid JSON.", _AGAIN) from error


# --- HDF5 ------------------------------------------------------------------------------------------------------------


def _attribute(name: str, holder: Any, key: str) -> Any:
    """Return a text attribute, or a list of texts; None if there is none."""
    try:
        if key not in holder.attrs:
            return None
        if math.prod(holder.attrs.get_id(key).shape or ()) > _MAX_DATASETS:
            raise ModelError(f"The attribute {key} in {name} is too long.", _AGAIN)
        value = holder.attrs[key]
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The attribute {key} in {name} cannot be read.", _AGAIN) from error
    if isinstance(value, np.ndarray):
        return [_text(item) for item in value.ravel()]
    return _text(value)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _names(name: str, group: Any, key: str) -> list[str]:
    """Return a list of names; Keras cuts long ones into ``key0``, ``key1``, ..."""
    whole = _attribute(name, group, key)
    parts = [whole] if whole is not None else []
    while not parts or whole is None:
        part = _attribute(name, group, f"{key}{len(parts)}")
        if part is None:
            break
        parts.append(part)
    names = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    if len(names) > _MAX_DATASETS or not all(isinstance(item, str) for item in names):
        raise ModelError(f"The list {key} in {name} is not one of names.", _AGAIN)
    return names


def _child(name: str, holder: Any, path: str) -> Any:
    """Go down a path of names, only along what lies in this very file; None if there is nothing."""
    import h5py

    for part in filter(None, path.split("/")):
        try:
            link = holder.get(part, getlink=True) if isinstance(holder, h5py.Group) and part != "." else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise ModelError(f"{part[:80]} in {name} is a link to another place.", _AGAIN)
            holder = holder.get(part)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise ModelError(f"{part[:80]} in {name} cannot be read.", _AGAIN) from error
    return holder


def _group(name: str, holder: Any, path: str) -> Any:
    import h5py

    group = _child(name, holder, path)
    if not isinstance(group, h5py.Group):
        raise ModelError(f"{name} has no {path[:80]}.", _AGAIN)
    return group


def _array(name: str, place: str, dataset: Any) -> NDArray[np.float32] | None:
    """Return a tensor; None if it holds no floating-point numbers, as the state of random numbers does not."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise ModelError(f"The weight {place[:200]} in {name} is missing.", _AGAIN)
    if dataset.dtype.kind != "f":
        return None
    stored = dataset.id.get_storage_size()
    if dataset.external or dataset.is_virtual or dataset.chunks or stored != dataset.size * dataset.dtype.itemsize:
        raise ModelError(f"The weight {place[:200]} in {name} is compressed, incomplete or lies elsewhere.", _AGAIN)
    try:
        return np.asarray(dataset[()], np.float32)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise ModelError(f"The weight {place[:200]} in {name} cannot be read.", _AGAIN) from error


def _weights_of(name: str, stored: Any) -> dict[str, NDArray[np.float32]]:
    """Read the weights that a group lists layer by layer, with the names that Keras gave them."""
    found: list[tuple[str, str, Any]] = []
    for layer in _names(name, stored, "layer_names"):
        group = _group(name, stored, layer)
        found += [(layer, path, group) for path in _names(name, group, "weight_names")]
        if len(found) > _MAX_DATASETS:
            raise ModelError(f"{name} has more than {_MAX_DATASETS} weights.", _AGAIN)
    plain = [_plain(layer, path) for layer, path, _ in found]
    weights: dict[str, NDArray[np.float32]] = {}
    for (layer, path, group), key in zip(found, plain, strict=True):
        array = _array(name, path, _child(name, group, path))
        if array is not None:
            weights[key if plain.count(key) == 1 else f"{layer}/{key}"] = array
    return weights


def _plain(layer: str, path: str) -> str:
    """Return ``layer/kernel`` for ``layer/kernel:0``, and for the bare ``kernel`` of some versions of Keras 3."""
    key = re.sub(r":\d+$", "", path)
    return key if "/" in key else f"{layer}/{key}"


# --- the weights of a .keras archive ---------------------------------------------------------------------------------


def _numbered(
    name: str, holder: Any, model: Mapping[str, Any], scope: tuple[str, ...], depth: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the weights of the layers of a model as ``layer/0``, ``layer/1``, ...

    Keras 3 calls a layer in the file by its class in snake case, and counts those of one class; so the places are
    worked out from the configuration.
    """
    if depth > _MAX_DEPTH:
        raise ModelError(f"The models in {name} are nested too deeply.", _AGAIN)
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list):
        raise ModelError(f"{name} belongs to no network of layers.", _AGAIN)
    counts: dict[str, int] = {}
    for layer in layers:
        class_name, own_name = _names_of(name, layer)
        place = _snake(class_name)
        counts[place] = counts.get(place, -1) + 1
        group = _child(name, holder, f"layers/{place}" + (f"_{counts[place]}" if counts[place] else ""))
        if group is None:
            continue
        if isinstance(layer["config"].get("layers"), list):
            yield from _numbered(name, group, layer, (*scope, own_name), depth + 1)
            continue
        for path, key in _places(name, group):
            array = _array(name, f"{own_name}/{key}", _child(name, group, path))
            if array is not None and (array.ndim or class_name != "Normalization"):
                yield "/".join((*scope, own_name, key)), array


def _names_of(name: str, layer: Any) -> tuple[str, str]:
    config = layer.get("config") if isinstance(layer, dict) else None
    names = (layer.get("class_name"), config.get("name")) if isinstance(config, dict) else (None, None)
    if not all(isinstance(item, str) and 0 < len(item) < 500 for item in names):
        raise ModelError(f"A layer in {name} has no proper name.", _AGAIN)
    return str(names[0]).rpartition(">")[2], str(names[1])


_INNER = {"query_dense": "query", "key_dense": "key", "value_dense": "value", "output_dense": "attention_output"}
_ROLES = ("kernel", "bias")


def _places(name: str, group: Any) -> Iterator[tuple[str, str]]:
    """Yield where the weights of a layer lie, and what they are called; those of attention lie one step deeper."""
    for path, keys in (("vars", None), *((f"{inner}/vars", inner) for inner in _INNER)):
        variables = _child(name, group, path)
        for i in range(0 if variables is None else min(len(variables), _MAX_DATASETS)):
            if keys is None:
                yield f"{path}/{i}", str(i)
            elif i < len(_ROLES):
                yield f"{path}/{i}", f"{_INNER[keys]}/{_ROLES[i]}"


def _snake(class_name: str) -> str:
    """Turn a class name into Keras' name for its place: ZeroPadding2D into zero_padding2d.

    The two steps are those of Keras (``keras.src.utils.naming.to_snake_case``).
    """
    plain = re.sub(r"\W+", "", class_name)
    split = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", plain)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", split).lower()


def keras_folder(names: Sequence[str]) -> str | None:
    """Return what the names of an unpacked ``.keras`` archive begin with; None if there is none among the files."""
    folders = [name.removesuffix(WEIGHTS) for name in names if name == WEIGHTS or name.endswith(f"/{WEIGHTS}")]
    return next((folder for folder in folders if folder + CONFIG in names), None)

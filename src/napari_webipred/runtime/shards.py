"""The weights of a TensorFlow.js model: files that are joined by group and split into named tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import ModelError

_STORED = {"float32": "<f4", "int32": "<i4", "bool": "|b1", "uint8": "|u1", "uint16": "<u2", "float16": "<f2"}
_QUANTISED = {"uint8", "uint16", "float16"}
_MAX_RANK = 8
# How many quantised values are restored at a time, because float64 needs much more memory.
_PIECE = 2**18
_MAX_NAME = 1000
_AGAIN = "Get the model again from its source; the download may be incomplete."
_BROKEN = "Ask the publisher of the model to convert it again."


class _Entry(Struct, frozen=True):
    """One tensor in the manifest. ``scale`` is None unless the tensor is quantised to integers."""

    name: str
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    rounded: bool
    scale: float | None
    minimum: float
    wanted: bool

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        return self.count * self.stored.itemsize


class _Group(Struct, frozen=True):
    files: tuple[str, ...]
    entries: tuple[_Entry, ...]


def read_weights(topology: str, manifest: Any, files: Mapping[str, bytes]) -> dict[str, NDArray[np.float32]]:
    """Read all tensors of a weights manifest.

    Parameters
    ----------
    topology : str
        Name of the JSON file with the manifest; its paths are relative to that file's folder.
    manifest : list
        ``weightsManifest`` of the JSON, unchecked.
    files : mapping of str to bytes

    Returns
    -------
    dict of str to ndarray of float32
        Quantised values are ``q * scale + min``, computed in float64; whole numbers are rounded as JavaScript does.
        Optimizer state is left out. float32 arrays are views into the joined files.

    Raises
    ------
    ModelError
        The manifest is malformed or has a path outside the model's folder, a file is missing, or the sizes differ.
    """
    groups = _read_manifest(topology, manifest)
    missing = [name for group in groups for name in group.files if name not in files]
    if missing:
        raise ModelError(f"Weight files of {topology} are missing: {', '.join(missing)}.", _AGAIN)
    weights: dict[str, NDArray[np.float32]] = {}
    for group in groups:
        joined = _join(topology, group, files)
        offset = 0
        for entry in group.entries:
            if entry.wanted:
                weights[entry.name] = _decode(topology, entry, joined, offset)
            offset += entry.size
    return weights


def _join(topology: str, group: _Group, files: Mapping[str, bytes]) -> bytes | bytearray:
    """Join the files of a group, which must have exactly the size of its tensors."""
    expected = sum(entry.size for entry in group.entries)
    joined: bytes | bytearray = bytearray()
    sizes = []
    for name in group.files:
        content = files[name]
        sizes.append(len(content))
        if len(group.files) == 1:
            joined = content  # a single file, which may be large, needs no copy
        else:
            joined += content
        if len(joined) > expected:
            raise ModelError(
                f"{name} is larger than {topology} describes: at least {len(joined) - expected} bytes too many.",
                _BROKEN,
            )
    missing_bytes = expected - len(joined)
    if missing_bytes and not sizes:
        raise ModelError(f"{topology} has no weight file for the tensor {group.entries[0].name}.", _BROKEN)
    if missing_bytes:
        # All files of a group but the last have the same size, so a smaller one is incomplete.
        at = next((i for i, size in enumerate(sizes[:-1]) if size < max(sizes)), len(sizes) - 1)
        sizing = f"it has {sizes[at]} bytes instead of {sizes[at] + missing_bytes}"
        raise ModelError(f"The weight file {group.files[at]} is incomplete: {sizing}.", _AGAIN)
    return joined


def _decode(topology: str, entry: _Entry, joined: bytes | bytearray, offset: int) -> NDArray[np.float32]:
    values = np.frombuffer(joined, entry.stored, entry.count, offset).reshape(entry.shape)
    if entry.scale is None:
        plain = values.astype(np.float32, copy=False)
        # Both are NaN if any value is; this needs no more memory.
        if not (math.isfinite(plain.max()) and math.isfinite(plain.min())):
            raise ModelError(f"The tensor {entry.name} in {topology} contains NaN or infinite values.", _AGAIN)
        return plain
    result = np.empty(values.size, np.float32)
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, flat.size, _PIECE):
            restored = flat[begin : begin + _PIECE] * np.float64(entry.scale) + entry.minimum
            result[begin : begin + _PIECE] = np.floor(restored + 0.5) if entry.rounded else restored
    if not (math.isfinite(result.max()) and math.isfinite(result.min())):
        raise ModelError(
            f"The quantised tensor {entry.name} in {topology} contains values that are too large.", _BROKEN
        )
    return result.reshape(entry.shape)


def _read_manifest(topology: str, manifest: Any) -> list[_Group]:
    if not isinstance(manifest, list):
        raise ModelError(f"{topology} has no list of weights (weightsManifest).", _BROKEN)
    groups: list[_Group] = []
    for group in manifest:
        if not isinstance(group, dict):
            raise ModelError(f"The weightsManifest in {topology} has a group that is not a JSON object.", _BROKEN)
        paths, entries = group.get("paths"), group.get("weights")
        if not isinstance(paths, list) or not isinstance(entries, list):
            raise ModelError(f"The weightsManifest in {topology} has a group without paths or weights.", _BROKEN)
        read = (_read_entry(topology, entry) for entry in entries)
        groups.append(_Group(tuple(_locate(topology, path) for path in paths), tuple(read)))
    for what, names in (
        ("weight file", [name for group in groups for name in group.files]),
        ("tensor", [entry.name for group in groups for entry in group.entries]),
    ):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise ModelError(f"The weightsManifest in {topology} lists the {what} {name} twice.", _BROKEN)
            seen.add(name)
    return groups


def _locate(topology: str, path: Any) -> str:
    """Convert a path of the manifest to a name among the model's files; refuse paths outside its folder."""
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if not parts or parts[0] == "/" or ".." in parts or re.search(r"\\|\0|^.:|://", path):
        raise ModelError(
            f"{topology} refers to the weight file {path!r}, which is outside the model's folder.",
            "Do not use this model unless you trust its source.",
        )
    return str(PurePosixPath(topology).parent.joinpath(*parts))


def _read_entry(topology: str, entry: Any) -> _Entry:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        raise ModelError(f"The weightsManifest in {topology} has a tensor without a valid name.", _BROKEN)

    def refuse(fault: str) -> ModelError:
        return ModelError(f"The tensor {name} in {topology} {fault}.", _BROKEN)

    shape, dtype, quantisation = entry.get("shape"), entry.get("dtype"), entry.get("quantization")
    if (
        not isinstance(shape, list)
        or len(shape) > _MAX_RANK
        or not all(type(n) is int and 0 < n < 2**31 for n in shape)
    ):
        raise refuse(f"has the invalid shape {shape!r:.80}")
    stored, scale, minimum = dtype, None, 0.0
    if quantisation is not None:
        stored = quantisation.get("dtype") if isinstance(quantisation, dict) else None
        if not isinstance(stored, str) or stored not in _QUANTISED:
            raise refuse(f"has the unsupported quantisation dtype {stored!r:.80}")
        if stored != "float16":
            scale, minimum = (_finite(quantisation.get(key)) for key in ("scale", "min"))
            if math.isnan(scale) or math.isnan(minimum):
                raise refuse("has an invalid quantisation: scale and min must be finite numbers")
    if not isinstance(stored, str) or stored not in _STORED:
        raise refuse(f"has the unsupported dtype {dtype!r:.80}")
    wanted = entry.get("group") != "optimizer"
    return _Entry(name, tuple(shape), np.dtype(_STORED[stored]), dtype == "int32", scale, minimum, wanted)


def _finite(value: Any) -> float:
    """Return a finite number as float, anything else as NaN."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    return math.nan

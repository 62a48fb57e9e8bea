"""Files on servers, and which of them make a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from msgspec import Struct

from napari_webipred import formats, safe_json
from napari_webipred.archive.entry import MAX_FILES, MAX_SIDE_BYTES
from napari_webipred.card import ModelCard, WeightFormat, Weights
from napari_webipred.errors import CatalogueError

# Keras and transformers keep weights alone, without the network that they belong to, in files called so.
_WEIGHTS_ALONE = r"(?i)\.weights\.h5$|^tf_model.*\.h5$|no_?top"
_RESERVED = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)"
_PART = r"[A-Za-z0-9_][A-Za-z0-9 ._()+=@,-]{0,199}(?<![ .])"


class RemoteFile(Struct, frozen=True):
    """A file on a server.

    Attributes
    ----------
    url : str
        Where its content is.
    name : str
        What it is called within its model: relative, with ``/``, harmless on every operating system.
    size : int or None
        Bytes, as far as is known.
    checksum : str or None
        ``"sha256:<hex>"``, ``"md5:<hex>"``, as far as is known.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None


def format_of(name: str) -> WeightFormat | None:
    """Tell the format of a model by the name of its file; None if no model that can be fetched is called so.

    A zip is taken for one with a TensorFlow.js model. A ``model.json`` is one, with its weights beside it.
    """
    path, found = PurePosixPath(name), formats.format_of(name)
    if path.suffix.lower() == ".zip":
        return formats.ZIPPED
    return found.id if found and found.remote and not re.search(_WEIGHTS_ALONE, path.name) else None


def wanted(card: ModelCard) -> Weights | None:
    """Return which of a card's files is the one to fetch: for TensorFlow.js, else the first; None if none is remote."""
    remote = [weights for weights in card.weights if weights.source.type not in {"builtin", "local"}]
    return min(remote, key=lambda weights: weights.format != "tfjs-layers", default=None)


def harmless(name: str) -> str:
    """Make a harmless file name of the last part of a name, which may hold anything."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(name).name)[-100:].rstrip(".") or "model"
    # A name that begins with a dot is hidden, one with a hyphen an option; Windows reserves CON and others.
    return plain if re.match(r"[A-Za-z0-9]", plain) and not re.match(_RESERVED, plain) else f"_{plain}"


def beside(url: str, path: str) -> str:
    """Return the address of a file, given by its relative path, in the same folder as another address."""
    return urljoin(url.partition("#")[0].partition("?")[0], quote(path))


def name_in(url: str) -> str:
    """Return the last part of an address's path, as people read it; it may be empty."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def read_side_file(file: RemoteFile, limit: int = MAX_SIDE_BYTES) -> bytes:
    """Fetch a small file that says something about a model."""
    from napari_webipred.download import client  # a model that is on this machine needs none

    what = f"the file {PurePosixPath(file.name).name}"
    with client.open_url(file.url, what, elsewhere=True) as response:
        return client.read_bytes(response, what, limit)


def read_json_file(file: RemoteFile, limit: int = MAX_SIDE_BYTES) -> dict[str, Any]:
    """Fetch a small file that must hold a JSON object; servers call its type as they like."""
    try:
        document = safe_json.parse(read_side_file(file, limit))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        host = urlsplit(file.url).hostname
        raise CatalogueError(
            f"What {host} gives for {file.name} is not valid.",
            "There may be a proxy or a login page, or the model was removed: open the URL in a browser.",
        )
    return document


def layers_files(topology: RemoteFile, listing: Mapping[str, RemoteFile] | None = None) -> tuple[RemoteFile, ...]:
    """Return a TensorFlow.js topology and the files with its weights, after reading which ones those are.

    Parameters
    ----------
    topology : RemoteFile
        The ``model.json``; it comes first in the result, under the last part of its name.
    listing : mapping of str to RemoteFile, optional
        The files that there are, by their names; it knows sizes and checksums. Without it the files are expected beside
        the topology.

    Raises
    ------
    CatalogueError
        The topology cannot be had, is none, names files outside its folder, or some that there are not.
    """
    document = read_json_file(topology, safe_json.MAX_BYTES)
    name, folder = PurePosixPath(topology.name).name, PurePosixPath(topology.name).parent
    paths = _shards(document)
    if paths is None or len(paths) >= MAX_FILES or len({path.casefold() for path in [name, *paths]}) <= len(paths):
        raise CatalogueError(
            f"{name} at {urlsplit(topology.url).hostname} does not list its weights like a TensorFlow.js model.",
            "Choose another model.",
        )
    files = [RemoteFile(topology.url, name, topology.size, topology.checksum)]
    for path in paths:
        file = RemoteFile(beside(topology.url, path), path)
        if listing is not None:
            if (there := listing.get((folder / path).as_posix())) is None:
                raise CatalogueError(
                    f"{topology.name} needs the file {path}, which is missing.",
                    "The model is incomplete: tell its publisher, or choose another model.",
                )
            file = RemoteFile(there.url, path, there.size, there.checksum)
        files.append(file)
    return tuple(files)


def _shards(document: dict[str, Any]) -> list[str] | None:
    """Return the paths of the weight files, each once; None if one is not a harmless relative path."""
    manifest = document.get("weightsManifest")
    groups = [group.get("paths") for group in manifest if isinstance(group, dict)] if isinstance(manifest, list) else []
    paths = [path for group in groups for path in (group if isinstance(group, list) else [None])]
    harmless_ones = {path: None for path in paths if isinstance(path, str) and is_harmless(path)}
    return (
        list(harmless_ones)
        if paths and all(isinstance(path, str) and path in harmless_ones for path in paths)
        else None
    )


def is_harmless(path: str) -> bool:
    """Tell whether a relative path stays below its folder and can be the name of a file everywhere."""
    parts = path.split("/")
    return len(parts) <= 4 and all(re.fullmatch(_PART, part) and not re.match(_RESERVED, part) for part in parts)

"""Models at any https address: a file, a TensorFlow.js model.json with its weights, a description in YAML."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from pydantic import ValidationError

from napari_webipred.archive.model_files import kind_of
from napari_webipred.card import ModelCard, WeightFormat, Weights, WeightSource
from napari_webipred.catalogue import bioimageio
from napari_webipred.catalogue.plain_text import plain_text
from napari_webipred.download import client
from napari_webipred.download.remote_file import RemoteFile, format_of, harmless, layers_files, name_in, read_side_file
from napari_webipred.errors import CatalogueError

_MAX_LENGTH = 2000
_KINDS: dict[str, tuple[WeightFormat, str]] = {
    "zip": ("tfjs-layers", ".zip"),
    "onnx": ("onnx", ".onnx"),
    "hdf5": ("keras-h5", ".h5"),
    "json": ("tfjs-layers", ".json"),
}


def place(reference: str) -> WeightSource | None:
    """Return the address that a reference is, without what stands behind ``#``; None if it is no address of the web.

    Raises
    ------
    CatalogueError
        It begins as an address does, but is none.
    """
    text = reference.strip()
    if not re.match(r"https?://[^\s]+$", text, re.IGNORECASE) or len(text) > _MAX_LENGTH:
        return None
    url = text.partition("#")[0]
    try:
        return WeightSource(type="url", url=url)
    except ValidationError as error:
        client.check_address(url)
        raise CatalogueError(f"{url} is not an address.", "Check it for typing errors.") from error


def checksum_of(reference: str) -> str | None:
    """Return the checksum that stands behind an address, as in ``https://example.org/model.zip#sha256=<64 digits>``.

    Raises
    ------
    CatalogueError
        There is one, but it is none.
    """
    fragment = reference.strip().partition("#")[2]
    if not fragment.lower().startswith("sha256="):
        return None
    digest = fragment[len("sha256=") :].lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise CatalogueError(
            f"{digest[:80]!r} is not a SHA-256 checksum, which has 64 digits from 0 to f.", "Copy it once more."
        )
    return f"sha256:{digest}"


def resolve(reference: str) -> ModelCard:
    """Make a card for what lies at an address.

    What it is, the end of the address tells (``.zip``, ``.onnx``, ``.h5``, ``.keras``, ``.json``, ``.yaml``), else the
    first bytes of the file, for which the server is asked.

    Raises
    ------
    CatalogueError
        The address is not https or holds a password, the checksum behind it is none, what lies there is no model, or
        the server cannot be asked.
    """
    source, checksum = place(reference), checksum_of(reference)
    if source is None or source.url is None:
        raise CatalogueError(f"{reference[:200]} is no address.", "Give one that starts with https://.")
    url = source.url
    client.check_address(url)
    if "@" in urlsplit(url).netloc:
        raise CatalogueError(
            "The address holds a user name or password, which would be kept.",
            "Download the file in a browser and open it from disk.",
        )
    if PurePosixPath(name_in(url)).suffix.lower() in {".yaml", ".yml"}:
        return _described(url)
    return _card(url, _format(url), checksum)


def files(weights: Weights) -> tuple[RemoteFile, ...]:
    """Return the files of a model; the server is asked for the names of the weights of a ``model.json``."""
    url = weights.source.url or ""
    name = weights.source.file_key or harmless(name_in(url))
    file = RemoteFile(url, name, weights.size, weights.checksum)
    return layers_files(file) if name.lower().endswith(".json") else (file,)


def _card(url: str, form: tuple[WeightFormat, str], checksum: str | None) -> ModelCard:
    name = plain_text(PurePosixPath(name_in(url)).stem)[:200]
    digest = hashlib.sha256(f"{url} {checksum}".encode()).hexdigest()[:8]
    file_name = harmless(name_in(url))
    source = WeightSource(
        type="url", url=url, file_key=file_name if file_name.endswith(form[1]) else file_name + form[1]
    )
    return ModelCard(
        id=f"url-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-._')[:80] or 'model'}-{digest}",
        name=name or "model",
        weights=(Weights(format=form[0], source=source, checksum=checksum),),
        provenance={"source": f"{urlsplit(url).hostname}"},
    )


def _format(url: str) -> tuple[WeightFormat, str]:
    """Tell the format of a model, and how the name of its file should end."""
    suffix = PurePosixPath(name_in(url)).suffix
    if form := format_of(f"model{suffix}"):
        return form, suffix
    what = "the file"
    with client.open_url(url, what, elsewhere=True) as response:
        head = client.read_beginning(response, 512)
    kind = kind_of(head)
    if kind in _KINDS:
        return _KINDS[kind]
    host = urlsplit(url).hostname
    if kind == "html":
        raise CatalogueError(
            f"{host} gives a web page at this address, not a model.",
            "Copy the address of the file itself: the link that starts the download.",
        )
    raise CatalogueError(
        f"What {host} gives at this address is no model that can be used here.",
        "Give the address of a zip archive, a model.json, a Keras or an ONNX file.",
    )


def _described(url: str) -> ModelCard:
    """Make a card of a description for the BioImage Model Zoo that lies beside its model."""
    name = name_in(url)
    document = bioimageio.parse(name, read_side_file(RemoteFile(url, name), bioimageio.MAX_BYTES))
    found = bioimageio.weights(document)
    if not found:
        raise CatalogueError(
            f"{name} names no weights for ONNX, Keras or TensorFlow.js.", "Choose another model of the zoo."
        )
    weights = found[0]
    address = urljoin(url, weights.source)
    client.check_address(address)
    card = _card(address, _format(address), weights.checksum)
    return bioimageio.fill(card.model_copy(update={"name": bioimageio.title(document) or card.name}), document)

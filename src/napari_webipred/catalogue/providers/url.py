"""Models at any https address: a file, a TensorFlow.js model.json with its weights, a description in YAML."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from napari_webipred import formats
from napari_webipred.card import ModelCard, Provenance, WeightFormat, Weights, WeightSource
from napari_webipred.catalogue import bioimageio
from napari_webipred.catalogue.plain_text import plain_text
from napari_webipred.catalogue.providers import teachable_machine
from napari_webipred.download import client
from napari_webipred.download.remote_file import RemoteFile, format_of, harmless, layers_files, name_in, read_side_file
from napari_webipred.errors import CatalogueError
from napari_webipred.field_values import ValidationError
from napari_webipred.merge import merge

_MAX_LENGTH = 2000
_CHECKSUM = "sha256="
# The format of what the first bytes of a file say, and how its name should end.
_KINDS = {"zip": (formats.ZIPPED, ".zip"), "json": ("tfjs-layers", ".json")} | {
    each.id: (each.id, each.suffixes[0]) for each in formats.FORMATS if each.starts
}


def parse(reference: str) -> WeightSource | None:
    """Return the address that a reference is; None if it is no address of the web.

    Of what stands behind ``#``, only a checksum stays, as in ``https://example.org/model.zip#sha256=<64 digits>``.

    Raises
    ------
    CatalogueError
        It begins as an address does, but is none, or the checksum is none.
    """
    text = reference.strip()
    if not re.match(r"https?://[^\s]+$", text, re.IGNORECASE) or len(text) > _MAX_LENGTH:
        return None
    url, _, fragment = text.partition("#")
    checksum = _checksum_in(fragment)
    try:
        return WeightSource(type="url", url=f"{url}#{_CHECKSUM}{checksum}" if checksum else url)
    except ValidationError as error:
        client.check_address(url)
        raise CatalogueError(f"{url} is not a valid URL.", "Check it for typing errors.") from error


def _checksum_in(fragment: str) -> str | None:
    """Return the SHA-256 that stands behind an address, 64 hexadecimal digits."""
    if not fragment.lower().startswith(_CHECKSUM):
        return None
    digest = fragment[len(_CHECKSUM) :].lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise CatalogueError(f"{digest[:80]!r} is not a SHA-256 checksum (64 hexadecimal digits).", "Copy it again.")
    return digest


def _split(source: WeightSource) -> tuple[str, str | None]:
    """Return the address of a parsed reference and the checksum behind it."""
    url, _, fragment = (source.url or "").partition(f"#{_CHECKSUM}")
    return url, f"sha256:{fragment}" if fragment else None


def matches(source: WeightSource, card: ModelCard, weights: Weights) -> bool:
    """Tell whether a parsed reference leads to weights: their address, and their checksum if it has one."""
    url, checksum = _split(source)
    return weights.source.type == "url" and url == weights.source.url and checksum in {None, weights.checksum}


def resolve(source: WeightSource) -> ModelCard:
    """Make a card for what lies at an address.

    What it is, the end of the address tells (``.zip``, ``.yaml``, or that of a format), else the first bytes of the
    file, for which the server is asked.

    Raises
    ------
    CatalogueError
        The address is not https or holds a password, what lies there is no model, or the server cannot be asked.
    """
    url, checksum = _split(source)
    client.check_address(url)
    if "@" in urlsplit(url).netloc:
        raise CatalogueError(
            "The URL contains a user name or password, which would be stored.",
            "Download the file in a browser and open it from disk.",
        )
    if PurePosixPath(name_in(url)).suffix.lower() in {".yaml", ".yml"}:
        return _described(url)
    return _card(url, _format(url), checksum)


def files(card: ModelCard, weights: Weights) -> tuple[RemoteFile, ...]:
    """Return the files of a model; the server is asked for the names of the weights of a ``model.json``."""
    url = weights.source.url
    if not url:
        return ()
    if teachable_machine.parse(url):  # as older cards call such a model
        return teachable_machine.files(card, weights)
    name = weights.source.file_key or harmless(name_in(url))
    file = RemoteFile(url, name, weights.size, weights.checksum)
    return layers_files(file) if name.lower().endswith(".json") else (file,)


def _card(url: str, form: tuple[WeightFormat, str], checksum: str | None, title: str | None = None) -> ModelCard:
    name = plain_text(PurePosixPath(name_in(url)).stem)[:200]
    digest = hashlib.sha256(f"{url} {checksum}".encode()).hexdigest()[:8]
    file_name = harmless(name_in(url))
    source = WeightSource(
        type="url", url=url, file_key=file_name if file_name.endswith(form[1]) else file_name + form[1]
    )
    return ModelCard(
        id=f"url-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-._')[:80] or 'model'}-{digest}",
        name=title or name or "model",
        weights=(Weights(format=form[0], source=source, checksum=checksum),),
        provenance=Provenance(source=urlsplit(url).hostname),
    )


def _format(url: str) -> tuple[WeightFormat, str]:
    """Tell the format of a model, and how the name of its file should end."""
    suffix = PurePosixPath(name_in(url)).suffix
    if form := format_of(f"model{suffix}"):
        return form, suffix
    what = "the file"
    with client.open_url(url, what, elsewhere=True) as response:
        head = client.read_beginning(response, 512)
    kind = formats.kind_of(head)
    if kind in _KINDS:
        return _KINDS[kind]
    host = urlsplit(url).hostname
    if kind == "html":
        raise CatalogueError(
            f"{host} returns a web page at this URL, not a model.",
            "Copy the URL of the file itself: the link that starts the download.",
        )
    raise CatalogueError(
        f"{host} returns a file at this URL that is not a supported model.",
        f"Give the URL of a zip archive or a model file ({formats.names()}).",
    )


def _described(url: str) -> ModelCard:
    """Make a card of a description for the BioImage Model Zoo that lies beside its model."""
    name = name_in(url)
    document = bioimageio.parse(name, read_side_file(RemoteFile(url, name), bioimageio.MAX_BYTES))
    found = bioimageio.weights(document)
    if not found:
        zoo = dict.fromkeys(each.program for each in formats.FORMATS if each.zoo)
        raise CatalogueError(
            f"{name} names no weights for {formats.joined(zoo)}.", "Choose another model from the BioImage Model Zoo."
        )
    weights = found[0]
    address = urljoin(url, weights.source)
    client.check_address(address)
    card = _card(address, _format(address), weights.checksum, bioimageio.title(document))
    return merge(card, bioimageio.describe(document))

"""Where models come from: what a reference leads to, and which files have to be fetched for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from napari_webipred.catalogue import zenodo
from napari_webipred.catalogue.card import ModelCard, Weights
from napari_webipred.errors import CatalogueError


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server.

    Attributes
    ----------
    url : str
        Where its content is.
    name : str
        What it is called within its model: relative, with ``/``, of letters, digits and ``._-`` only.
    size : int or None
        Bytes, as far as is known.
    checksum : str or None
        ``"sha256:<hex>"``, ``"md5:<hex>"``, as far as is known.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None


def resolve(reference: str) -> ModelCard | None:
    """Return the card of a model somewhere else; None if `reference` has the form of no such thing.

    Raises
    ------
    CatalogueError
        The server does not have it, cannot be asked or must not be asked.
    """
    if number := zenodo.record_id(reference):
        return zenodo.card_of(zenodo.look_up(number), zenodo.file_key(reference))
    return None


def remote_files(card: ModelCard) -> tuple[RemoteFile, ...]:
    """Return what has to be fetched to have a model: one archive or file, or the files of its folder.

    The server is asked where the card does not say it.

    Raises
    ------
    CatalogueError
        The card names nothing that could be fetched, or the server does not have it or cannot be asked.
    """
    for weights in card.weights:
        if weights.source.type == "zenodo" and weights.source.record_id:
            return (_on_zenodo(card, weights),)
    raise CatalogueError(
        f"The card of {card.id} names no file that could be fetched.",
        "Download the model in a browser and open it from disk.",
    )


def _on_zenodo(card: ModelCard, weights: Weights) -> RemoteFile:
    file = zenodo.choose_file(zenodo.look_up(str(weights.source.record_id)), card)
    return RemoteFile(file.url, harmless(file.key), file.size, weights.checksum or file.checksum)


def harmless(name: str) -> str:
    """Make a harmless file name of the last part of a name, which may hold anything."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(name).name)[-100:]
    # A name that begins with a dot is hidden; what Windows reserves (CON, NUL) has no underscore in front.
    return plain if re.match(r"[A-Za-z0-9]", plain) and not _RESERVED.match(plain) else f"_{plain}"


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

"""Where models come from: what a reference leads to, and which files have to be fetched for it."""

from __future__ import annotations

from napari_webipred.catalogue import zenodo
from napari_webipred.catalogue.card import ModelCard
from napari_webipred.catalogue.remote import RemoteFile as RemoteFile
from napari_webipred.catalogue.remote import wanted
from napari_webipred.errors import CatalogueError


def resolve(reference: str) -> ModelCard | None:
    """Return the card of a model somewhere else; None if `reference` has the form of no such thing.

    Raises
    ------
    CatalogueError
        The server does not have it, cannot be asked or must not be asked.
    """
    if zenodo.record_id(reference):
        return zenodo.resolve(reference)
    return None


def remote_files(card: ModelCard) -> tuple[RemoteFile, ...]:
    """Return what has to be fetched to have a model: one archive or file, or the files of its folder.

    The server is asked where the card does not say it.

    Raises
    ------
    CatalogueError
        The card names nothing that could be fetched, or the server does not have it or cannot be asked.
    """
    weights = wanted(card)
    if weights is not None and weights.source.type == "zenodo" and weights.source.record_id:
        return zenodo.files(card, weights)
    raise CatalogueError(
        f"The card of {card.id} names no file that could be fetched.",
        "Download the model in a browser and open it from disk.",
    )

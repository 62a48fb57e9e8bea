"""Where models come from: what a reference leads to, and which files have to be fetched for it."""

from __future__ import annotations

from napari_webipred.card import ModelCard, WeightSource
from napari_webipred.catalogue.providers import huggingface, teachable_machine, url, zenodo
from napari_webipred.download.remote_file import RemoteFile as RemoteFile
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import CatalogueError


def place(reference: str) -> WeightSource | None:
    """Return what a reference says about where a model lies; None if it has the form of no such thing.

    Understood are a Zenodo record (number, DOI, address), ``hf:owner/name`` or the address of a repository on Hugging
    Face, the address of a model of Teachable Machine, and any other address. The network is not used.
    """
    if number := zenodo.record_id(reference):
        return WeightSource(type="zenodo", record_id=number, file_key=zenodo.file_key(reference))
    return huggingface.place(reference) or teachable_machine.place(reference) or url.place(reference)


def means(reference: str, card: ModelCard) -> bool:
    """Tell whether a reference leads to the model of a card. The network is not used.

    A reference that names no version or file means whichever the card is about: what has been fetched stays what it is
    until somebody asks for another.
    """
    there, weights = place(reference), wanted(card)
    if there is None or weights is None or weights.source.type != there.type:
        return False
    source = weights.source
    if there.type == "zenodo":
        # The names of the files in the built-in records are not known for certain, so None fits every archive's name.
        unsure = source.file_key is None and str(there.file_key).lower().endswith(".zip")
        return there.record_id in {source.record_id, card.provenance.get("all_versions")} and (
            unsure or there.file_key in {None, source.file_key}
        )
    if there.type == "huggingface":
        return (
            (there.repo or "").casefold() == (source.repo or "").casefold()
            and (source.revision or "").startswith(there.revision or "")
            and there.file_key in {None, source.file_key}
        )
    return there.url == source.url and url.checksum_of(reference) in {None, weights.checksum}


def resolve(reference: str) -> ModelCard | None:
    """Return the card of a model somewhere else; None if `reference` has the form of no such thing.

    Raises
    ------
    CatalogueError
        The server does not have it, cannot be asked or must not be asked.
    """
    there = place(reference)
    if there is None:
        return None
    if there.type == "zenodo":
        return zenodo.resolve(reference)
    if there.type == "huggingface":
        return huggingface.resolve(reference)
    if teachable_machine.place(reference):
        return teachable_machine.resolve(reference)
    return url.resolve(reference)


def remote_files(card: ModelCard) -> tuple[RemoteFile, ...]:
    """Return what has to be fetched to have a model: one archive or file, or the files of its folder.

    The server is asked where the card does not say it.

    Raises
    ------
    CatalogueError
        The card names nothing that could be fetched, or the server does not have it or cannot be asked.
    """
    weights = wanted(card)
    source = weights.source if weights else WeightSource(type="local")
    if weights and source.type == "zenodo" and source.record_id:
        return zenodo.files(card, weights)
    if weights and source.type == "huggingface" and source.repo and source.revision and source.file_key:
        return huggingface.files(weights)
    if weights and source.type == "url" and source.url:
        return teachable_machine.files(weights) if teachable_machine.place(source.url) else url.files(weights)
    raise CatalogueError(
        f"The card of {card.id} names no file that could be fetched.",
        "Download the model in a browser and open it from disk.",
    )

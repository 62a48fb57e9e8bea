"""The models that are known here: those that come with the program and those the user has fetched."""

from __future__ import annotations

from napari_webipred.cache import store
from napari_webipred.card import ModelCard, WeightSource
from napari_webipred.catalogue import built_in, providers
from napari_webipred.catalogue.search import matches
from napari_webipred.download import remote_file
from napari_webipred.errors import CatalogueError


def cards() -> list[ModelCard]:
    """Return the cards of all known models, the built-in ones first."""
    known = {card.id for card in built_in.cards()}
    return [*built_in.cards(), *(card for card in store.cards() if card.id not in known)]


def search(text: str = "", discipline: str | None = None, procedure: str | None = None) -> list[ModelCard]:
    """Return the cards of all known models that a search finds, see `napari_webipred.catalogue.search.matches`."""
    return [card for card in cards() if matches(card, text, discipline, procedure)]


def disciplines() -> list[str]:
    """Return the medical disciplines of all known models, each once, in alphabetical order."""
    return sorted({card.discipline for card in cards() if card.discipline})


def procedures() -> list[str]:
    """Return the imaging procedures of all known models, each once, in alphabetical order."""
    return sorted({card.procedure for card in cards() if card.procedure})


def find(reference: str) -> ModelCard | None:
    """Return the card that `reference` names: a model's id, or where it lies, see `providers`."""
    return _named(reference) or _published(providers.parse(reference))


def _named(reference: str) -> ModelCard | None:
    name = reference.strip().casefold()
    return next((card for card in cards() if card.id.casefold() == name), None)


def _published(source: WeightSource | None) -> ModelCard | None:
    return next((card for card in cards() if providers.matches(source, card)), None) if source else None


def resolve(reference: str) -> ModelCard:
    """Return the card that `reference` names, asking the server in question about a model that is not known here.

    Raises
    ------
    CatalogueError
        Nothing is called so (similar names are suggested), or the server does not have it or cannot be asked.
    """
    if card := _named(reference):
        return card
    source = providers.parse(reference)
    if card := _published(source):
        return card
    if source is None:
        raise unknown(reference)
    found = providers.resolve(source)
    # The number of all versions has led to one version, a branch to a commit; what is there may be known.
    return next((card for card in cards() if _is_same(card, found)), found)


def _is_same(card: ModelCard, found: ModelCard) -> bool:
    there, wanted = remote_file.wanted(card), remote_file.wanted(found)
    if there is None or wanted is None:
        return False
    if there.source.type == wanted.source.type == "zenodo" and there.format == wanted.format:
        fits = there.source.file_key in {None, wanted.source.file_key}
        return fits and there.source.record_id == wanted.source.record_id
    return there.source == wanted.source and wanted.checksum in {None, there.checksum}


def unknown(reference: str) -> CatalogueError:
    """Return the error for a name that no model has, with those it may have been meant for, or for a missing file."""
    is_path = remote_file.format_of(reference) or reference.startswith((".", "/", "~")) or "\\" in reference
    if is_path and "://" not in reference:
        return CatalogueError(
            f"There is no model called '{reference}', and no such file or folder.", "Check the name and the folder."
        )
    name = reference.strip().casefold()
    ids = [card.id for card in cards()]
    if entry := next((entry for entry in store.entries() if entry.id.casefold() == name), None):
        if entry.is_unpublished:
            return CatalogueError(
                f"The card of the model {entry.id} on this machine is damaged.",
                "Import the bundle that it came in again.",
                "import file",
            )
        source = entry.source
        address = source.get("doi") or source.get("url") or f"hf:{source.get('repo')}@{source.get('revision')}"
        return CatalogueError(
            f"The card of the model {entry.id} on this machine is damaged.",
            f"Download it again from its source: {address}.",
        )
    import difflib

    similar = [known for known in ids if name and name in known.casefold()]
    similar += difflib.get_close_matches(name, ids, n=3, cutoff=0.5)
    if similar:
        hint = f"Did you mean {' or '.join(dict.fromkeys(similar[:3]))}?"
    else:
        hint = "Choose a model from the catalogue, or give a Zenodo DOI, hf:owner/name, a URL or a file."
    return CatalogueError(f"There is no model called '{reference}'.", hint, "list models")

"""The models that are known here: those that come with the program and those the user has fetched."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from napari_webipred.catalogue import remote, sources, store
from napari_webipred.catalogue.card import ModelCard, read_card
from napari_webipred.errors import CatalogueError

_CARDS = Path(__file__).parent / "cards"


def cards() -> list[ModelCard]:
    """Return the cards of all known models, the built-in ones first."""
    built_in = _built_in()
    known = {card.id for card in built_in}
    return [*built_in, *(card for card in store.cards() if card.id not in known)]


@cache
def _built_in() -> tuple[ModelCard, ...]:
    # The demonstration model comes first: it is there without a network.
    paths = sorted(_CARDS.glob("*.json"), key=lambda path: (path.stem != "demo", path.stem))
    return tuple(read_card(path) for path in paths)


def pinned(id: str) -> str | None:  # noqa: A002
    """Return the checksum that a built-in card has for the model of this identifier; None for all others.

    What a card from elsewhere says of its own files proves nothing.
    """
    weights = next((remote.wanted(card) for card in _built_in() if card.id == id), None)
    return weights.checksum if weights else None


def search(text: str = "", discipline: str | None = None, procedure: str | None = None) -> list[ModelCard]:
    """Return the cards in which every word of `text` occurs, in any field, whatever the case.

    Parameters
    ----------
    text : str
        Words, in any order; a part of a word is enough. Hyphens may be left out: ``xray`` finds X-ray.
    discipline, procedure : str, optional
        Exactly this discipline or procedure, whatever the case.
    """
    return [card for card in cards() if matches(card, text, discipline, procedure)]


def matches(card: ModelCard, text: str, discipline: str | None, procedure: str | None) -> bool:
    """Tell whether a model is found by a search, see `search`."""
    if not _same(discipline, card.discipline) or not _same(procedure, card.procedure):
        return False
    words = text.casefold().split()
    there = _words(card) if words else ""
    return all(word in there for word in words)


def _same(wanted: str | None, there: str | None) -> bool:
    return wanted is None or wanted.casefold() == (there or "").casefold()


def _words(card: ModelCard) -> str:
    # Provenance is about how the card was made, and would find the model for what it is not.
    fields = card.model_dump(exclude={"provenance", "metrics", "test", "classes"})
    classes = (text for entry in card.classes for text in (entry.name, entry.label or ""))  # there may be 100,000
    text = "\n".join([*_strings(fields), *classes]).casefold()
    return f"{text}\n{text.replace('-', '')}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _strings(part)


def disciplines() -> list[str]:
    """Return the medical disciplines of all known models, each once, in alphabetical order."""
    return sorted({card.discipline for card in cards() if card.discipline})


def procedures() -> list[str]:
    """Return the imaging procedures of all known models, each once, in alphabetical order."""
    return sorted({card.procedure for card in cards() if card.procedure})


def find(reference: str) -> ModelCard | None:
    """Return the card that `reference` names: a model's id, or where it lies (`napari_webipred.catalogue.sources`)."""
    name = reference.strip().casefold()
    known = cards()
    by_name = (card for card in known if card.id.casefold() == name)
    return next(by_name, None) or next((card for card in known if sources.means(reference, card)), None)


def resolve(reference: str) -> ModelCard:
    """Return the card that `reference` names, asking the server in question about a model that is not known here.

    Raises
    ------
    CatalogueError
        Nothing is called so (similar names are suggested), or the server does not have it or cannot be asked.
    """
    if card := find(reference):
        return card
    found = sources.resolve(reference)
    if found is None:
        raise unknown(reference)
    # The number of all versions has led to one version, a branch to a commit; what is there may be known.
    return next((card for card in cards() if _is_same(card, found)), found)


def _is_same(card: ModelCard, found: ModelCard) -> bool:
    there, wanted = remote.wanted(card), remote.wanted(found)
    if there is None or wanted is None:
        return False
    if there.source.type == wanted.source.type == "zenodo" and there.format == wanted.format:
        fits = there.source.file_key in {None, wanted.source.file_key}
        return fits and there.source.record_id == wanted.source.record_id
    return there.source == wanted.source and wanted.checksum in {None, there.checksum}


def unknown(reference: str) -> CatalogueError:
    """Return the error for a name that no model has, with those it may have been meant for, or for a missing file."""
    is_path = remote.format_of(reference) or reference.startswith((".", "/", "~")) or "\\" in reference
    if is_path and "://" not in reference:
        return CatalogueError(
            f"There is no model called {reference!r}, and no file or folder either.", "Check its name and folder."
        )
    name = reference.strip().casefold()
    ids = [card.id for card in cards()]
    if entry := next((entry for entry in store.entries() if entry.id.casefold() == name), None):
        source = entry.source
        address = source.get("doi") or source.get("url") or f"hf:{source.get('repo')}@{source.get('revision')}"
        return CatalogueError(
            f"The card of the model {entry.id} on this machine is damaged.",
            f"Download it again from where it came from: {address}.",
        )
    similar = [known for known in ids if name and name in known.casefold()]
    similar += difflib.get_close_matches(name, ids, n=3, cutoff=0.5)
    if similar:
        hint = f"Did you mean {' or '.join(dict.fromkeys(similar[:3]))}?"
    else:
        hint = "Choose a model of the catalogue, or give a Zenodo DOI, hf:owner/name, an address or a file."
    return CatalogueError(f"There is no model called {reference!r}.", hint, "list models")

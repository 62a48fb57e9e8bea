"""Finding models by words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from napari_webipred.card import ModelCard


def matches(card: ModelCard, text: str, discipline: str | None = None, procedure: str | None = None) -> bool:
    """Tell whether a search finds a model.

    Parameters
    ----------
    card : ModelCard
    text : str
        Words, in any order, which must all occur in some field of the card, whatever the case; a part of a word is
        enough. Hyphens may be left out: ``xray`` finds X-ray.
    discipline, procedure : str, optional
        Exactly this discipline or procedure, whatever the case.
    """
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

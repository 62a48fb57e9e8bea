"""The card of a model that is the user's own file, and which of the files of a model is opened."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from napari_webipred import formats
from napari_webipred.card import ModelCard, PartialCard, Provenance, Weights, WeightSource
from napari_webipred.download.remote_file import wanted
from napari_webipred.names import visible

UNNAMED = (
    "Unnamed model"  # what a model is called in public that nobody has named: a file may be called after a patient
)


def card_of_path(path: Path) -> ModelCard:
    """Make a card for the user's own file, of its name alone; what it is, is known once it is opened."""
    path = path.resolve()
    stem = path.parent.name if path.name == formats.BY_ID["saved-model"].file_name else path.stem
    named = formats.format_of(path.name)
    weights = Weights(format=named.id if named else formats.ZIPPED, source=WeightSource(type="local"))
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:128] or "model"
    return ModelCard(id=slug, name=visible(stem) or "model", weights=(weights,))


def describe_choice(card: ModelCard, entry: str | None) -> PartialCard:
    """Say that the user chose another file than the one that the card beside it is about, if so."""
    named = entry_point(card) if card.is_local else None
    if entry is None or named is None or PurePosixPath(named).name == PurePosixPath(entry).name:
        return PartialCard()
    remark = f"The card beside {entry} describes {named}. The card is used, but {entry} is the model."
    return PartialCard(provenance=Provenance(assumed=(remark,)))


def opened_weights(card: ModelCard) -> Weights | None:
    """Return which of a card's weights are opened: those that are fetched, or the first."""
    return wanted(card) or next(iter(card.weights), None)


def entry_point(card: ModelCard) -> str | None:
    """Return which file of a model a card names."""
    weights = opened_weights(card)
    return weights.entry_point if weights else None

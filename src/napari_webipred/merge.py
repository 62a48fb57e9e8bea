"""Which source counts when several describe the same model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_webipred.card import ModelCard, PartialCard, Provenance
from napari_webipred.names import listed, plain

_SHOWN = 3
# What this program finds out for itself; nobody else can say it.
_OWN_FINDINGS = {"self_test", "origin"}


def merge(card: ModelCard, *parts: PartialCard, overrule: bool = False) -> ModelCard:
    """Complete a card by what other places say about the model; of several, the first that says something counts.

    Parameters
    ----------
    card : ModelCard
    parts : PartialCard
        Only fields that are set say something.
    overrule : bool
        Whether they replace what the card says, as the user and the network itself do. Files never do: what the card
        says stays, and if a file names the classes differently, that is added to ``provenance.assumed``. The name and
        identifier on the card of a user's own file come from the name of that file, and so say nothing. Of the
        weights, only the name of the model's file is taken.

    Returns
    -------
    ModelCard
        With the remarks of all parts.
    """
    for part in parts:
        card = _merged(card, part, overrule)
    return card


def _merged(card: ModelCard, part: PartialCard, overrule: bool) -> ModelCard:
    taken = {key for key in part.model_fields_set if overrule or _adds(card, part, key)}
    update = {key: getattr(part, key) for key in taken - {"schema_version", "provenance"}}
    entry = part.weights[0].entry_point if part.weights and not overrule else None
    if entry and len(card.weights) == 1 and card.weights[0].entry_point is None:
        update["weights"] = (card.weights[0].model_copy(update={"entry_point": entry}),)
    provenance = card.provenance.model_copy(update=_provenance(card, part, overrule))
    if "classes" in taken and provenance.labels != part.provenance.labels:
        provenance = provenance.model_copy(update={"labels": part.provenance.labels})
    return card.model_copy(update={**update, "provenance": provenance})


def _adds(card: ModelCard, part: PartialCard, key: str) -> bool:
    """Tell whether a file says something that the card does not say."""
    if key == "weights" or not getattr(part, key):
        return False
    return not _says(card, key) or (card.is_local and key in {"id", "name"})


def _says(card: ModelCard | Provenance, key: str) -> bool:
    return key in card.model_fields_set and bool(getattr(card, key))


def _provenance(card: ModelCard, part: PartialCard, overrule: bool) -> dict[str, Any]:
    known, found = card.provenance, part.provenance
    keys = set(found.model_fields_set) - {"labels", "assumed", "notes"}
    if not overrule:
        keys = {key for key in keys - _OWN_FINDINGS if not _says(known, key)}
    update = {key: getattr(found, key) for key in keys}
    if assumed := (*found.assumed, *(() if overrule else _differing(card, part))):
        update["assumed"] = _together(known.assumed, assumed)
    if found.notes:
        update["notes"] = _together(known.notes, found.notes)
    return update


def _together(known: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *new]))  # a file may be read again


def _differing(card: ModelCard, part: PartialCard) -> Sequence[str]:
    """Say that a file names the classes differently; how they are written does not matter."""
    names, source, used = part.class_names, part.provenance.labels, card.provenance.labels or "the card"
    if not names or not card.classes or source in {None, used}:
        return []
    for known in (card.class_names, [entry.label or entry.name for entry in card.classes]):
        if list(map(plain, known)) == list(map(plain, names)):
            return []
    return [f"{source} names the classes differently ({listed(names, _SHOWN)}); those of {used} are used."]

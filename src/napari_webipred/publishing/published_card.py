"""The card that a model is published with: what is known of it, and nothing that only this computer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_webipred import licences
from napari_webipred.card import Base, ModelCard, PartialCard, Provenance
from napari_webipred.catalogue import local_model
from napari_webipred.errors import OptionError
from napari_webipred.merge import merge
from napari_webipred.publishing.checklist import slug

if TYPE_CHECKING:
    from pathlib import Path

# What is found out anew by whoever opens the model, or names files that lay beside it here.
_OF_HERE = {"assumed", "notes", "labels", "self_test", "origin", "source", "published", "all_versions", "description"}
_EMPTY: tuple[Any, ...] = (None, "", [], {}, ())


def published_card(
    card: ModelCard, path: Path | None, said: PartialCard, test: dict[str, Any] | None = None
) -> ModelCard:
    """Make the card.

    Parameters
    ----------
    card : ModelCard
        Of the model as it was opened.
    path : Path, optional
        Where it lies.
    said : PartialCard
        What the user says; counts instead of what the card says.
    test : dict, optional
        The self-test.

    Returns
    -------
    ModelCard
        The name of a file is no name of a model: where nobody has named it, it is called `local_model.UNNAMED`.

    Raises
    ------
    OptionError
        The user names another number of classes than the model has.
    """
    update: dict[str, Any] = {
        "test": test,
        "thresholds": None,  # the user's own
        "record_doi": None,  # it gets one of its own
        "provenance": _provenance(card),
    }
    if card.base is None and not card.is_unpublished and not _is_built_in(card):
        update["base"] = Base(name=card.name, id=card.id, doi=card.record_doi, license=card.license)
    if path is not None and card.is_unpublished:
        of_file = local_model.card_of_path(path)
        if (card.name, card.id) == (of_file.name, of_file.id):
            update["name"] = local_model.UNNAMED
    if said.classes and len(said.classes) != len(card.classes):
        raise OptionError(
            f"{len(said.classes)} names of classes are given, but the model has {len(card.classes)} classes.",
            "Give one name for each class, in the order of the outputs.",
        )
    card = merge(card.model_copy(update=update), said, overrule=True)
    named = {"id": slug(card.name), "license": licences.known(card.license) if card.license else None}
    return card.model_copy(update=named)


def is_refusal(note: str) -> bool:
    """Tell whether a note says that browsers cannot load a model; what is published for them is written anew."""
    return note.startswith("WebIPred cannot load this model")


def _is_built_in(card: ModelCard) -> bool:
    return any(weights.source.type == "builtin" for weights in card.weights)


def _provenance(card: ModelCard) -> Provenance:
    """Keep what the card says of its making, but nothing that was found out or assumed on this computer."""
    values = card.provenance.model_dump(mode="json", exclude_unset=True)
    kept = {key: value for key, value in values.items() if key not in _OF_HERE}
    notes = [note for note in card.provenance.notes if not is_refusal(note)]
    return Provenance.model_validate({**kept, **({"notes": notes} if notes else {})})


def card_values(card: ModelCard) -> dict[str, Any]:
    """Return a card as plain JSON values, without those that say nothing."""
    values = card.model_dump(mode="json", exclude_none=True)
    filled = {key: value for key, value in values.items() if value not in _EMPTY}
    return {**filled, "schema_version": card.schema_version, "task": card.task}

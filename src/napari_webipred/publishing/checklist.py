"""What a model that is to be published has, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from napari_webipred import licences, names
from napari_webipred.catalogue.local_model import UNNAMED

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.publishing.verification import Verification

State = Literal["there", "missing", "advised", "look"]
# Who needs it: Zenodo takes no record without a "missing" one, or nobody could use the model; "advised" would help
# readers; "look" asks the user to look at something.


class Item(Struct, frozen=True):
    """One line of the list.

    Attributes
    ----------
    field : str
        What it is about: a field of the card, or ``"evaluation"``, ``"verification"``, ``"base"``, ``"look"``.
    title : str
        What people call it.
    state : "there", "missing", "advised" or "look"
    text : str
        What there is, or why it is needed.
    """

    field: str
    title: str
    state: State
    text: str


def listed(
    card: ModelCard,
    verifications: Sequence[Verification] = (),
    unverified: Sequence[str] = (),
    *,
    measured: bool = False,
    looks: Sequence[str] = (),
) -> tuple[Item, ...]:
    """List what a model has and what is missing.

    Parameters
    ----------
    card : ModelCard
        As it will be published.
    verifications : sequence of Verification
    unverified : sequence of str
        Why the numbers were not compared with those of other programs.
    measured : bool
        Whether there are metrics.
    looks : sequence of str
        What else the user should look at, a sentence each.
    """
    return (
        *_needed(card),
        *_helpful(card, measured),
        *(
            Item("verification", "Numbers", "there" if each.passed else "missing", each.sentence)
            for each in verifications
        ),
        *(Item("verification", "Numbers", "advised", sentence) for sentence in unverified),
        *(Item("base", "Base model", "look", sentence) for sentence in _of_base(card)),
        *(Item("look", "Before you publish", "look", sentence) for sentence in looks),
    )


def _needed(card: ModelCard) -> Iterator[Item]:
    authors = ", ".join(author.name for author in card.authors)
    classes = ", ".join(card.class_names[:6]) + (", …" if len(card.classes) > 6 else "") if card.is_named else ""
    count = len(card.classes)
    yield _item("name", "Name", "" if card.name == UNNAMED else card.name, "The title of the record.")
    yield _item(
        "description", "Description", _short(card.description), "What the model tells apart, and how it was made."
    )
    yield _item("classes", "Classes", classes, f"The names of its {count} classes, in the order of its outputs.")
    yield _item("authors", "Authors", authors, "Who is named, as “Family, Given”.")
    yield _item("license", "Licence", card.license or "", "What others may do with it, such as CC-BY-4.0.")


def _helpful(card: ModelCard, measured: bool) -> Iterator[Item]:
    citations = "; ".join(_short(citation.text) for citation in card.citations)
    advised: list[tuple[str, str, str | None, str]] = [
        (
            "evaluation",
            "Performance",
            "metrics and charts" if measured else "",
            "How good it is on images it never saw.",
        ),
        ("intended_use", "Intended use", card.intended_use, "Which images it is for, and what for."),
        ("limitations", "Limitations", card.limitations, "Where it fails, or has not been tried."),
        ("citations", "Citation", citations, "What to cite, such as the article about the data."),
        ("discipline", "Discipline", card.discipline, "So that it is found, such as Histopathology."),
        ("procedure", "Procedure", card.procedure, "How the images are made, such as Microscopy."),
        ("version", "Version", card.version, "To tell later ones from it."),
    ]
    for field, title, text, why in advised:
        yield _item(field, title, _short(text or ""), why, "advised")


def _item(field: str, title: str, text: str, why: str, otherwise: State = "missing") -> Item:
    return Item(field, title, "there", text) if text else Item(field, title, otherwise, why)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:69]}…"


def _of_base(card: ModelCard) -> list[str]:
    return [] if card.base is None else licences.doubts(card.base.license, card.license)


def slug(name: str) -> str:
    """Make the beginning of file names of the name of a model, which may be `UNNAMED`."""
    return names.slug("" if name == UNNAMED else name, "unnamed")

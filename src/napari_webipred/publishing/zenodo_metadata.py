"""What Zenodo is told of a model: ``.zenodo.json``."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from napari_webipred.evaluation.files import as_json

if TYPE_CHECKING:
    from napari_webipred.card import Author, ModelCard

FILE = ".zenodo.json"
KEYWORDS = ("webipred", "tensorflow.js", "image classification")
PROGRAM = "https://github.com/napari-webipred/napari-webipred"


def zenodo_file(card: ModelCard, *, for_browsers: bool) -> bytes:
    """Write the metadata of a record; what the card does not say is left out.

    Parameters
    ----------
    card : ModelCard
    for_browsers : bool
        Whether the record has a file for TensorFlow.js.
    """
    words = [word for word in KEYWORDS if for_browsers or word != "tensorflow.js"]
    related = [{"identifier": PROGRAM, "relation": "isCompiledBy", "resource_type": "software"}]
    of = card.base.doi if card.base else None
    related += [{"identifier": of, "relation": "isDerivedFrom"}] if of else []
    cited = (citation.doi for citation in card.citations)
    related += [{"identifier": doi, "relation": "cites"} for doi in cited if doi and doi != of]
    document: dict[str, Any] = {
        "title": card.name,
        "upload_type": "software",
        "access_right": "open",
        "description": _html(card),
        "creators": [_creator(author) for author in card.authors],
        "license": (card.license or "").lower(),
        "version": card.version,
        "keywords": list(dict.fromkeys([*words, *filter(None, (card.discipline, card.procedure))])),
        "references": [" ".join(filter(None, (each.text, each.doi or each.url))) for each in card.citations],
        "related_identifiers": related,
    }
    return as_json({key: value for key, value in document.items() if value})


def _creator(author: Author) -> dict[str, str]:
    """Write an author as Zenodo wants it; affiliation and ORCID if the card has them."""
    more = {key: getattr(author, key, None) for key in ("affiliation", "orcid")}
    return {"name": author.name, **{key: str(value) for key, value in more.items() if value}}


def _html(card: ModelCard) -> str:
    """Write the description as HTML, the form that Zenodo keeps."""
    parts = [
        ("", card.description),
        ("Classes", ", ".join(f"{each.name} ({each.label})" if each.label else each.name for each in card.classes)),
        ("Intended use", card.intended_use or ""),
        ("Limitations", card.limitations or ""),
    ]
    lines = (
        (f"<p><strong>{title}:</strong> " if title else "<p>") + "<br>".join(map(escape, text.split("\n"))) + "</p>"
        for title, text in parts
        if text
    )
    return "".join(lines)

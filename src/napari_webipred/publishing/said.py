"""What the user says about a model that is to be published."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_webipred import file_errors, safe_json
from napari_webipred.atomic_file import read_small
from napari_webipred.card import PartialCard
from napari_webipred.errors import OptionError

# What stands on a card because of the network; the settings of the model say it.
_NOT_SAID = {
    "schema_version",
    "task",
    "input",
    "preprocessing",
    "output",
    "weights",
    "test",
    "provenance",
    "base",
    "fitted_to",
}


def said_in(file: Path | None, values: Mapping[str, Any], authors: Sequence[Mapping[str, str]] = ()) -> PartialCard:
    """Read what the user says, in the words of a card.

    Parameters
    ----------
    file : Path, optional
        A JSON file with fields of a card.
    values : mapping
        Further fields, which count more; those that are None or empty say nothing.
    authors : sequence of mapping
        Instead of the authors in it, if there are any.

    Raises
    ------
    OptionError
        Something is no field of a card, or not what it has to be.
    """
    said = {**({} if file is None else _read(file)), **{key: value for key, value in values.items() if value}}
    if authors:
        said["authors"] = list(authors)
    if wrong := sorted(said.keys() & _NOT_SAID):
        raise OptionError(
            f"{', '.join(wrong)} cannot be said of a model that is published; it is known from the model itself.",
            "Leave it out.",
        )
    try:
        card = PartialCard.model_validate(said)
    except ValueError as error:
        raise OptionError(f"What is said about the model cannot be used: {error}.", "Correct it.") from error
    if unknown := sorted(said.keys() - set(PartialCard.model_fields)):
        raise OptionError(f"A model card has no field {', '.join(unknown)}.", f"It has {', '.join(_fields())}.")
    return card


def _fields() -> list[str]:
    return sorted(set(PartialCard.model_fields) - _NOT_SAID)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = safe_json.parse(read_small(file))
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"{file.name} cannot be read: {reason}.", remedy) from error
    except ValueError as error:
        raise OptionError(f"{file.name} is not valid JSON: {error}.", "Correct it.") from error
    if not isinstance(document, dict):
        raise OptionError(f"{file.name} is not a JSON object.", "Write the fields of a model card into it.")
    document.pop("schema_version", None)
    return document


def author_of(text: str) -> dict[str, str]:
    """Read an author: the name, and behind ``;`` an affiliation or an ORCID, in any order.

    Raises
    ------
    OptionError
        There is no name, or the ORCID has a mistake.

    Examples
    --------
    >>> author_of("Carberry, Josiah; Brown University; 0000-0002-1825-0097")
    {'name': 'Carberry, Josiah', 'affiliation': 'Brown University', 'orcid': '0000-0002-1825-0097'}
    """
    name, *more = (part.strip() for part in text.split(";"))
    if not name:
        raise OptionError(f"{text!r} has no name.", "Write an author as: Family, Given; affiliation; ORCID.")
    author = {"name": name}
    for part in filter(None, more):
        number = part.removeprefix("https://orcid.org/")
        looks_like_one = re.fullmatch(r"[\dX-]{15,}", number) is not None
        if looks_like_one and not is_orcid(number):
            raise OptionError(f"{part} is no ORCID: it does not agree with its check digit.", "Check the number.")
        author["orcid" if looks_like_one else "affiliation"] = number if looks_like_one else part
    return author


def is_orcid(text: str) -> bool:
    """Tell whether a text is an ORCID with the right check digit (ISO 7064, MOD 11-2)."""
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text):
        return False
    digits = text.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]

"""Codes of classes: those of the model's card, or our own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from napari_webipred.errors import OptionError

PRIVATE = "99WEBIPRED"
SYSTEMS = {"SCT": "http://snomed.info/sct", "RADLEX": "http://radlex.org"}  # by what DICOM calls them
_VALUE = re.compile(r"[A-Za-z0-9.-]{1,16}")
_LONGEST = 64  # characters of what a code means, in DICOM


class Code(Struct, frozen=True):
    """A code.

    Attributes
    ----------
    value : str
    scheme : str
        What DICOM calls the system that the code is of.
    meaning : str
        At most 64 characters.
    """

    value: str
    scheme: str
    meaning: str

    @property
    def is_private(self) -> bool:
        """Whether it is one of ours, which means something only together with the model."""
        return self.scheme == PRIVATE


def code_of(entry: Mapping[str, Any]) -> Code:
    """Return the code of a class: that of the model's card, or one of ours with the name of the class.

    Parameters
    ----------
    entry : mapping
        The class as the record of a run has it. Its ``codes`` are those that the author of the card has chosen; no code
        is ever guessed from a name.

    Raises
    ------
    OptionError
        What the card says is no code.
    """
    name = short(str(entry.get("label") or entry["name"]))
    for code in entry.get("codes") or ():
        known = isinstance(code, dict) and code.get("scheme") in SYSTEMS and _VALUE.fullmatch(str(code.get("code")))
        if not known:
            raise OptionError(
                f"The card of the model has an odd code for the class {name}.",
                "Correct it: a code has a scheme, SCT or RADLEX, a code and a meaning.",
            )
        return Code(str(code["code"]), code["scheme"], short(str(code.get("meaning") or name)))
    return Code(f"CLASS{entry['index'] + 1}", PRIVATE, name)


def short(text: str) -> str:
    """Cut a text to what a meaning may have."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

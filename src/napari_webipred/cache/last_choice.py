"""The model and the settings that were chosen last in the panel, for the next viewer and the next start."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from napari_webipred.cache import shared_file

FILE = "last-choice.json"
_LONGEST = 4096  # characters of a path
_MOST = 20  # settings


class LastChoice(Struct, frozen=True):
    """What was chosen last.

    Attributes
    ----------
    model : str, Path or None
        Identifier of the model, or the path of the user's own file or folder, which need not be there any more.
    settings : mapping of str to object
        Settings that are not the usual ones, by name: texts, numbers, or pairs of numbers. They are not checked.
    first : bool
        Whether nothing was ever chosen before.
    """

    model: str | Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    first: bool = False


def read() -> LastChoice:
    """Return what was chosen last; what cannot be understood counts as not chosen."""
    document = shared_file.read(FILE)
    if not isinstance(document, dict):
        return LastChoice(first=document is None)
    found = document.get("settings")
    items = list(found.items())[:_MOST] if isinstance(found, dict) else []
    return LastChoice(_model(document), {name: _value(value) for name, value in items if _is_plain(value)})


def remember(choice: LastChoice) -> bool:
    """Keep a choice; tell whether that has worked. A choice without a model keeps the model of before."""
    path = isinstance(choice.model, Path)
    model = {"path" if path else "id": os.fspath(choice.model)} if choice.model is not None else None

    def changed(document: Any) -> Any:
        before = _model(document) if isinstance(document, dict) and model is None else None
        kept = {key: document[key] for key in ("path", "id") if before is not None and key in document}
        return {**(model or kept), "settings": dict(choice.settings)}

    return shared_file.change(FILE, changed)


def _model(document: Mapping[str, Any]) -> str | Path | None:
    match document:
        case {"path": str(path)} if len(path) <= _LONGEST and "\0" not in path and Path(path).is_absolute():
            return Path(path)
        case {"id": str(name)} if 0 < len(name) <= _LONGEST:
            return name
    return None


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(map(_is_number, value))
    return _is_number(value) or (isinstance(value, str) and len(value) <= _LONGEST)


def _is_number(value: Any) -> bool:
    return (type(value) is int and abs(value) < 2**63) or (type(value) is float and math.isfinite(value))


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

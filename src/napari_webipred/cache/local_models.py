"""The user's own models: which files and folders were opened in the panel, so that they are listed the next time.

Only where they lie is kept, and what they are called; the models themselves stay where they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from napari_webipred.cache import shared_file

FILE = "own-models.json"
MOST = 100
_LONGEST_PATH = 4096
_LONGEST_NAME = 200
_CHECKSUM = r"(sha256:[0-9a-f]{64})?"
_TIME = r"\d{4}-\d\d-\d\d[T0-9:.+]{0,24}"


class OwnModel(Struct, frozen=True):
    """A model of the user's own.

    Attributes
    ----------
    path : Path
        Where it lies: absolute. It need not be there any more.
    name : str
        What it calls itself.
    used : str
        When it was last chosen: UTC, ISO 8601.
    title : str
        What the user calls it; empty if that is its name.
    checksum : str
        ``sha256:<hex>`` of its files when it was last opened; empty if it never was.
    """

    path: Path
    name: str
    used: str
    checksum: str = ""
    title: str = ""


def own_models() -> list[OwnModel]:
    """Return the models that are remembered, the last used first. Whether they are there is not looked at."""
    return sorted(_valid(shared_file.read(FILE)), key=lambda model: model.used, reverse=True)[:MOST]


def remember(path: Path, name: str) -> bool:
    """Put a model into the list, at its top; tell whether the list could be written.

    Of more than `MOST` models those are forgotten that were not used for longest.
    """
    return _put(path, name, "", only_if_listed=False)


def note_use(path: Path, name: str, checksum: str) -> None:
    """Note that a model of the list was opened, what it calls itself and what its files are.

    A model that is not in the list any more does not come back.
    """
    _put(path, name, checksum, only_if_listed=True)


def rename(path: Path, title: str) -> bool:
    """Note what the user calls a model of the list; an empty title means its own name again."""
    title = _shown(title)

    def with_it(document: Any) -> Any:
        return [_note(replace(each, title=title) if each.path == path else each) for each in _valid(document)]

    return shared_file.change(FILE, with_it)


def _shown(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).strip()[:_LONGEST_NAME]


def _put(path: Path, name: str, checksum: str, *, only_if_listed: bool) -> bool:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    name = _shown(name) or "model"
    model = OwnModel(path.absolute(), name, now, checksum)

    def with_it(document: Any) -> Any:
        known = {other.path: other for other in _valid(document)}
        before = known.pop(model.path, None)
        first = [] if before is None and only_if_listed else [model]
        if before is not None:
            first = [replace(model, checksum=checksum or before.checksum, title=before.title)]
        others = sorted(known.values(), key=lambda other: other.used, reverse=True)
        return [_note(each) for each in [*first, *others][:MOST]]

    return shared_file.change(FILE, with_it)


def forget(path: Path) -> OwnModel | None:
    """Take a model from the list and return what was noted of it; None if it was not there. Its files stay."""
    forgotten = next((model for model in own_models() if model.path == path), None)
    if forgotten is not None:
        shared_file.change(FILE, lambda document: [_note(model) for model in _valid(document) if model.path != path])
    return forgotten


def _note(model: OwnModel) -> dict[str, str]:
    return {**asdict(model), "path": os.fspath(model.path)}


def _valid(document: Any) -> Iterator[OwnModel]:
    """Yield what can be understood of a list that may hold anything."""
    for note in document if isinstance(document, list) else []:
        match note:
            case {"path": str(path), "name": str(name), "used": str(used), "checksum": str(checksum), **others}:
                title = others.get("title", "")
                lies = 0 < len(path) <= _LONGEST_PATH and "\0" not in path and Path(path).is_absolute()
                title = _shown(title) if isinstance(title, str) else ""
                named = 0 < len(name) <= _LONGEST_NAME and name.isprintable()
                if lies and named and re.fullmatch(_TIME, used) and re.fullmatch(_CHECKSUM, checksum):
                    yield OwnModel(Path(path), name, used, checksum, title)

"""Models that could not be used here, and why: so that a list says it before they are tried again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from napari_webipred import __version__
from napari_webipred.cache import shared_file

FILE = "refused.json"
MOST = 100
_LONGEST = 500


def reasons() -> dict[str, str]:
    """Return why models are refused, by their identifiers or paths. What another version refused does not count."""
    return _reasons(shared_file.read(FILE))


def note(reference: str | Path, reason: str) -> None:
    """Note why a model is refused; an empty reason takes the note away."""
    key = os.fspath(reference)

    def with_it(document: Any) -> Any:
        others = {other: why for other, why in _reasons(document).items() if other != key}
        first = {key: reason[:_LONGEST]} if reason else {}
        kept = dict([*first.items(), *others.items()][:MOST])
        return {"version": __version__, "reasons": kept}

    if reason or key in reasons():
        shared_file.change(FILE, with_it)


def _reasons(document: Any) -> dict[str, str]:
    match document:
        case {"version": version, "reasons": dict(found)} if version == __version__:
            return {key: why[:_LONGEST] for key, why in found.items() if isinstance(why, str)}
    return {}

"""What the files of a model were when they came from their source for the first time.

Where nobody publishes a checksum, the first download is trusted and remembered by the model's identifier and source, as
SSH does with hosts. It is remembered when the model is removed, too; other files under the same name are not taken
without asking.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_webipred import settings
from napari_webipred.atomic_file import read_note, write_note
from napari_webipred.cache.folders import KNOWN, refuse_links


def fingerprint(files: Iterable[tuple[str, str]]) -> str:
    """Make one SHA-256 of the names and SHA-256 of a model's files; that of a single file stays what it is."""
    lines = sorted(f"{sha256}  {name}\n" for name, sha256 in files)
    return lines[0][:64] if len(lines) == 1 else hashlib.sha256("".join(lines).encode()).hexdigest()


def recall(id: str, source: dict[str, Any]) -> str | None:  # noqa: A002
    """Return the fingerprint of the files that came from this source; None if none ever did."""
    for cache in settings.current().own_caches:
        note = read_note(cache / KNOWN / _path(id, source).name)
        if note is not None and (note.get("id"), note.get("source")) == (id, source):
            return str(note.get("fingerprint"))
    return None


def remember(id: str, source: dict[str, Any], files: str) -> None:  # noqa: A002
    """Note the fingerprint of files that came from their source, or that the user has accepted instead.

    Raises
    ------
    OSError
        It cannot be written.
    """
    if recall(id, source) == files:
        return
    path = _path(id, source)
    refuse_links(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    today = datetime.now(UTC).date().isoformat()
    write_note(path, {"id": id, "source": source, "fingerprint": files, "since": today})


def _path(id: str, source: dict[str, Any]) -> Path:  # noqa: A002
    digest = hashlib.sha256(json.dumps([id, source], sort_keys=True).encode()).hexdigest()
    return settings.current().cache_folder / KNOWN / f"{digest}.json"

"""Notes in the cache: small JSON files that are written whole or not at all and carry their own checksum."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_webipred import safe_json

_KEY = "note_sha256"
# Windows refuses to replace or delete a file that another program has open, which lasts for milliseconds.
_TRIES, _PAUSE = 20, 0.05


def write_note(path: Path, content: dict[str, Any]) -> None:
    """Write a note with its checksum."""
    write_whole(path, json.dumps({**content, _KEY: _checksum(content)}, indent=1).encode())


def read_note(path: Path) -> dict[str, Any] | None:
    """Return what a note says; None if there is none, it cannot be read, or a bit of it has changed."""
    try:
        content = safe_json.parse(read_small(path))
        return content if content.pop(_KEY) == _checksum(content) else None
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return None


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_small(path: Path) -> bytes:
    """Read a file of which no more is read than JSON may have; the parser refuses what is longer."""
    with path.open("rb") as file:
        return file.read(safe_json.MAX_BYTES + 1)


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file, given in parts, so that others see all of it or nothing.

    Its mode follows the umask, and no link is followed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of a process that was killed, or a link that somebody has laid there
        with temporary.open("xb") as file:
            file.writelines(parts)
        patiently(lambda: temporary.replace(path))
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def patiently(change: Callable[[], object]) -> None:
    """Replace or delete a file, also while another program on Windows is reading it."""
    for left in reversed(range(_TRIES)):
        try:
            change()
            return
        except PermissionError:
            if os.name != "nt" or not left:
                raise
            time.sleep(_PAUSE)

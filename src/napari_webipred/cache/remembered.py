"""Checksums of the files of models, remembered so that a model that has not changed is not read again.

A file counts as unchanged if its device, its inode, its size and its times (to the nanosecond) are the same; on Linux
and macOS one of these times is that of any change, which no program sets. A change that leaves all of them alone is
that of a disk that decays. That harms nothing: a checksum is remembered only for models whose compiled graph is kept,
and the graph, not the files, is what is computed, and is verified itself. Before files are compiled, they are read in
full.

A file that was changed within the last seconds is not remembered: file systems note times in steps, so it could be
changed again without another time. No names are kept, only a checksum of these numbers.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_webipred import settings
from napari_webipred.cache import shared_file
from napari_webipred.cache.entry import caches
from napari_webipred.cache.folders import COMPILED

FILE = "remembered.json"
MOST = 200
# FAT notes the time of a change in steps of two seconds; clocks of servers are a little off.
STEP = 5.0


def identity(files: Iterable[tuple[str, Path]]) -> str | None:
    """Return what tells files from changed ones, without reading them; None if nothing does.

    Parameters
    ----------
    files : iterable of (str, Path)
        What each is called within the model, and where it lies.
    """
    facts = []
    for name, path in files:
        try:
            stat = path.stat()
        except OSError:
            return None
        if not stat.st_ino or max(stat.st_mtime, stat.st_ctime) > time.time() - STEP:
            return None
        facts.append([name, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns])
    return hashlib.sha256(json.dumps(sorted(facts)).encode()).hexdigest() if facts else None


def checksum_of(identity: str | None) -> str | None:
    """Return the checksum of files that have not changed since it was computed, if they were compiled; else None."""
    checksum = _known(shared_file.read(FILE)).get(identity or "")
    return checksum if checksum is not None and _is_compiled(checksum) else None


def _is_compiled(checksum: str) -> bool:
    pattern = f"{checksum.removeprefix('sha256:')}-*v*.onnx"
    return any(next((cache / COMPILED).glob(pattern), None) is not None for cache in caches())


def note(before: str | None, after: str | None, checksum: str) -> None:
    """Remember the checksum of files, if they have the same identity after they were read as before."""
    if before is None or before != after or _known(shared_file.read(FILE)).get(before) == checksum:
        return
    if not settings.current().cache_folder.is_dir():  # nothing is kept here yet
        return

    def with_it(document: Any) -> dict[str, str]:
        others = {key: value for key, value in _known(document).items() if key != before}
        return dict([(before, checksum), *others.items()][:MOST])

    shared_file.change(FILE, with_it)


def forget(checksum: str) -> bool:
    """Forget for which files this checksum is remembered, as they are read now; tell whether it was."""
    if checksum not in _known(shared_file.read(FILE)).values():
        return False
    return shared_file.change(
        FILE, lambda document: {key: value for key, value in _known(document).items() if value != checksum}
    )


def _known(document: Any) -> Mapping[str, str]:
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if isinstance(value, str) and value.startswith("sha256:")}

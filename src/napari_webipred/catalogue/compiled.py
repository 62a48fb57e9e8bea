"""The graphs that were compiled from models, each kept with a note that tells whether it is still the same."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from contextlib import suppress
from pathlib import Path

from napari_webipred import settings
from napari_webipred.catalogue.entry import caches, sha256_of, write_whole

# A graph, or the note beside it.
COMPILED = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{16})?-v\d+\.onnx(\.json)?")
_log = logging.getLogger(__name__)


def compiled_path(checksum: str, version: int, output: str | None = None) -> Path:
    """Return where the compiled graph of a model lies, in the cache of all users or the own, or would lie.

    A graph that is not what was written is taken away: it would give other numbers without a word. The SHA-256 is
    computed only if size or time of change are not those that were noted.

    Parameters
    ----------
    checksum : str
        ``sha256:`` and 64 hexadecimal digits, of the model's files.
    version : int
        Version of the compiler.
    output : str, optional
        Which output of the model the graph gives, if not the one that the compiler chooses: another one of the same
        files is another graph.
    """
    chosen = "" if output is None else f"-{hashlib.sha256(output.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    name = f"{checksum.removeprefix('sha256:')}{chosen}-v{version}.onnx"
    if not COMPILED.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    *shared, own = (cache / "compiled" / name for cache in caches())
    for path in shared:
        if _is_sound(path):
            return path
    if own.exists() and not _is_sound(own):
        _log.warning("A compiled model was damaged and is made again.")
        with suppress(OSError):  # Then it will be written over, or the model is not kept at all.
            own.unlink()
    return own


def keep_compiled(path: Path, data: bytes) -> bool:
    """Write a compiled graph for the next time; False if that is not possible, which harms nothing.

    Nothing is written into the cache of all users.
    """
    if path.parent != settings.current().cache_folder / "compiled":
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        _note(path, hashlib.sha256(data).hexdigest())
    except OSError as error:
        _log.info("The compiled model is not kept: %s", error.strerror)
        return False
    return True


def _note(path: Path, sha256: str) -> None:
    stat = path.stat()
    note = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
    write_whole(path.with_name(f"{path.name}.json"), json.dumps(note).encode())


def _is_sound(path: Path) -> bool:
    try:
        stat = path.stat()
        note = json.loads(path.with_name(f"{path.name}.json").read_bytes())
        if (stat.st_size, stat.st_mtime_ns) == (note["size"], note["mtime_ns"]):
            return True
        sound = bool(sha256_of(path) == note["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    if sound and path.parent == settings.current().cache_folder / "compiled":
        with suppress(OSError):  # In a cache that cannot be written the hash is computed every time.
            _note(path, note["sha256"])
    return sound

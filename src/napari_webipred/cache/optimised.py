"""Networks that ONNX Runtime has optimised for this processor, kept beside the graphs they were made of.

Opening one takes a fifth of the time of opening the graph. It depends on the processor, on the version of ONNX Runtime
and on its options, so these stand in its name and in the file; what is not exactly for here and now is not used. One
file has all: the weights, the optimised graph, what it was made of, and at its end the sizes of the three and the
SHA-256 of all but the weights. That of the weights is computed while ONNX Runtime opens the graph, and nothing is
computed before it has proved to be the right one.

The weights are copied into memory that is this process' own, once for all sessions. They could be mapped: that would
save a quarter of the time for reading them, but a file that is cut off, or replaced on a network drive, would then end
the process, one that is overwritten would change numbers, and on Windows no model in use could be removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import struct
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from napari_webipred import limits, settings
from napari_webipred.atomic_file import write_whole
from napari_webipred.cache.entry import caches
from napari_webipred.cache.folders import COMPILED
from napari_webipred.cache.graphs import checksum_of, drop, is_own

_log = logging.getLogger(__name__)
_MAGIC = b"webipred optimised network 1\n"
_SIZES = struct.Struct("<QQQ")  # bytes of the weights, of the graph, and of what is noted of them
_END = len(_MAGIC) + _SIZES.size + hashlib.sha256().digest_size
_PIECE = 2**22
# The graph without its weights, and the note: 20,000 operations have some 20 MB.
_MOST_BESIDE_WEIGHTS = 2**27


class Stored(Struct, frozen=True, eq=False):
    """An optimised network in the cache.

    Attributes
    ----------
    file : Path
    graph : bytes
        Verified.
    facts : mapping
        What was noted when it was kept.
    weights : future of a buffer
        They are being read.
    sound : future of bool
        Whether they are what was written; they are being compared.
    """

    file: Path
    graph: bytes
    facts: Mapping[str, Any]
    weights: Future[memoryview]
    sound: Future[bool]


def paths(graph: Path, circumstances: Mapping[str, Any]) -> list[Path]:
    """Return where the optimised network of a graph may lie: in the cache of all users, and last in the user's own.

    Parameters
    ----------
    graph : Path
        The compiled graph.
    circumstances : mapping
        For what it is optimised, as JSON has it.
    """
    key = hashlib.sha256(_encoded(circumstances)).hexdigest()[:16]
    return [cache / COMPILED / f"{graph.name.removesuffix('.onnx')}.{key}.optimised" for cache in caches()]


def own_path(graph: Path, circumstances: Mapping[str, Any]) -> Path | None:
    """Return where the optimised network of a graph is kept; None if nothing can be, as in a private session."""
    path = paths(graph, circumstances)[-1]
    return None if settings.current().private or not is_own(path) else path


def load(graph: Path, circumstances: Mapping[str, Any]) -> Stored | None:
    """Open the optimised network of a graph; None if none is kept that is sound and made for these circumstances."""
    for path in paths(graph, circumstances):
        try:
            if path.is_symlink():
                continue
            file = path.open("rb")
        except OSError:  # there is none, or it is not to be read
            continue
        try:
            stored = _read(path, file, {"of": checksum_of(graph), "circumstances": dict(circumstances)})
        except (OSError, ValueError, LookupError, TypeError) as error:
            file.close()
            _log.warning("An optimised model was damaged and is made again: %s", error)
            drop(path)
            continue
        return stored
    return None


def _read(path: Path, file: IO[bytes], expected: Mapping[str, Any]) -> Stored:
    """Read and verify all but the weights, and begin to read these, which closes the file."""
    whole = file.seek(0, 2)
    file.seek(max(whole - _END, 0))
    end = file.read()
    if len(end) != _END or not end.startswith(_MAGIC):
        raise ValueError("its end is missing")
    weights, graph, note = _SIZES.unpack_from(end, len(_MAGIC))
    if weights + graph + note + _END != whole or graph + note > _MOST_BESIDE_WEIGHTS:
        raise ValueError("its sizes are wrong")
    if weights > limits.memory_budget():
        raise ValueError("it needs more memory than is allowed")
    file.seek(weights)
    content = file.read(graph + note)
    if hashlib.sha256(content + end[: len(_MAGIC) + _SIZES.size]).digest() != end[-hashlib.sha256().digest_size :]:
        raise ValueError("its checksum is wrong")
    noted = json.loads(content[graph:])
    if {key: noted[key] for key in expected} != expected:
        raise ValueError("it is for another model, processor or version of ONNX Runtime")
    stored = Stored(path, content[:graph], noted["facts"], Future(), Future())
    threading.Thread(
        target=_read_weights, args=(stored, file, weights, noted["weights"]), name="read weights", daemon=True
    ).start()
    return stored


def _read_weights(stored: Stored, file: IO[bytes], size: int, checksum: str) -> None:
    """Copy the weights into memory, then compare them with their checksum; in a thread of its own."""
    try:
        with file:
            weights = _memory(size)
            file.seek(0)
            for start in range(0, size, _PIECE):
                if file.readinto(weights[start : start + _PIECE]) != min(_PIECE, size - start):  # type: ignore[attr-defined]
                    raise OSError("The optimised model was cut off.")
    except Exception as error:
        stored.weights.set_exception(error)
        stored.sound.set_result(False)
        return
    stored.weights.set_result(weights)
    sound = hashlib.sha256(weights).hexdigest() == checksum
    if not sound:
        _log.warning("An optimised model was damaged and is made again.")
        drop(stored.file)
    stored.sound.set_result(sound)


def _memory(size: int) -> memoryview:
    """Allocate memory, in huge pages where the system has them: that takes a third of the time."""
    if not size:
        return memoryview(b"")
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return memoryview(mmap.mmap(-1, size))
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # the kernel was built without
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def keep(
    path: Path,
    circumstances: Mapping[str, Any],
    graph: Path,
    optimised: bytes,
    weights: memoryview,
    facts: Mapping[str, Any],
) -> None:
    """Write an optimised network for the next time; others see all of it or nothing.

    Parameters
    ----------
    path : Path
        See `own_path`.
    circumstances : mapping
        For what it is optimised.
    graph : Path
        The compiled graph of which it was made.
    optimised : bytes
        The optimised graph without its weights.
    weights : memoryview
    facts : mapping
        What is to be known of it, as JSON has it.

    Raises
    ------
    OSError
        It cannot be written.
    """
    note = {
        "of": checksum_of(graph),
        "circumstances": circumstances,
        "facts": facts,
        "weights": hashlib.sha256(weights).hexdigest(),
    }
    content = optimised + _encoded(note)
    end = _MAGIC + _SIZES.pack(len(weights), len(optimised), len(content) - len(optimised))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, weights, content, end, hashlib.sha256(content + end).digest())


def _encoded(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True).encode()

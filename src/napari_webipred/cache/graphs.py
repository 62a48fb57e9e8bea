"""The graphs that were compiled from models, each with its own checksum at its end.

A graph is compared with its checksum whenever it is loaded: a bit that has flipped on the disk changes neither size nor
time, and would give other numbers without a word. The checksum is the SHA-256 of the SHA-256s of pieces of 4 MiB, so
that several cores share the work: with two, a graph of 32 MB takes 13 ms where the processor has instructions for
SHA-256, 41 ms where not. It is the last property (``metadata_props``) of the ONNX model, so that one file is written,
all of it or nothing, and any program can open it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_webipred import settings
from napari_webipred.atomic_file import patiently, write_whole
from napari_webipred.cache.entry import caches
from napari_webipred.cache.folders import COMPILED, holds_link
from napari_webipred.errors import ModelError
from napari_webipred.limits import available_cores

# A graph, the note beside it that earlier versions wrote, or a graph as it is optimised for one processor.
GRAPH = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{16})?-v\d+(\.onnx(\.json)?|\.[0-9a-f]{16}\.optimised)")

_log = logging.getLogger(__name__)
_KEY = b"webipred.sha256-of-pieces"
_DIGITS = 64
# Field 14 of ModelProto with fields 1 (key) and 2 (value); each length is one byte.
_FIELD = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_DIGITS])
_HEAD = b"\x72" + bytes([len(_FIELD) + _DIGITS]) + _FIELD
_PIECE = 2**22


def compiled_paths(
    checksum: str, version: int, output: str | None = None, extra_outputs: Mapping[str, str] | None = None
) -> list[Path]:
    """Return where the compiled graph of a model may lie: in the cache of all users, and last in the user's own.

    Parameters
    ----------
    checksum : str
        ``sha256:`` and 64 hexadecimal digits, of the model's files.
    version : int
        Version of the compiler.
    output : str, optional
        Which output of the model the graph gives, if not the one that the compiler chooses: another one of the same
        files is another graph.
    extra_outputs : mapping of str to str, optional
        Which tensors the graph gives besides, by the names of these outputs; see
        `napari_webipred.runtime.extra_outputs.with_outputs`.
    """
    choice = f"\0{json.dumps([output, sorted(extra_outputs.items())])}" if extra_outputs else output
    chosen = "" if choice is None else f"-{hashlib.sha256(choice.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    name = f"{checksum.removeprefix('sha256:')}{chosen}-v{version}.onnx"
    if not GRAPH.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return paths_named(name)


def paths_named(name: str) -> list[Path]:
    """Return where a compiled graph of this file name may lie: in the cache of all users, and last in the user's own.

    Raises
    ------
    ValueError
        No compiled graph is called so.
    """
    if not GRAPH.fullmatch(name):
        raise ValueError(f"not the name of a compiled model: {name!r}")
    return [cache / COMPILED / name for cache in caches()]


def is_own(path: Path) -> bool:
    """Tell whether a file would lie in the user's own cache, and not behind links."""
    return path.parent == settings.current().cache_folder / COMPILED and not holds_link(path.parent)


def keep_compiled(path: Path, graph: bytes) -> bool:
    """Write a compiled graph for the next time; False if that is not possible, which harms nothing.

    Nothing is written into the cache of all users, and nothing through links.
    """
    return _kept(path, graph, _end(graph))


def keep_copy(path: Path, content: bytes) -> bool:
    """Write the whole content of such a file, as `with_checksum` returns it, that comes from another computer.

    See `keep_compiled`; a file that is there stays as it is.
    """
    return not path.exists() and _kept(path, content)


def with_checksum(graph: bytes) -> bytes:
    """Return a graph as it is written: with its checksum at its end."""
    return graph + _end(graph)


def is_copy(content: bytes, checksum: str) -> bool:
    """Tell whether this is the whole content of a compiled graph with this checksum."""
    size = len(content) - len(_HEAD) - _DIGITS
    return size >= 0 and content[size:] == _HEAD + checksum.encode() == _end(content[:size])


def _kept(path: Path, *parts: bytes) -> bool:
    if not is_own(path):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, *parts)
    except OSError as error:
        _log.info("The compiled model is not kept: %s", error.strerror)
        return False
    return True


def checksum_of(path: Path) -> str:
    """Return the checksum at the end of a compiled graph, which was computed when it was written.

    Raises
    ------
    ValueError
        It has none.
    OSError
        It cannot be read.
    """
    _, end = _end_of(path)
    return _digits_of(end)


def checksum_in(content: bytes) -> str:
    """Return the checksum at the end of the content of such a file; see `checksum_of`."""
    return _digits_of(content[-len(_HEAD) - _DIGITS :])


def _digits_of(end: bytes) -> str:
    head, digits = end[: len(_HEAD)], end[len(_HEAD) :]
    if head != _HEAD or not re.fullmatch(rb"[0-9a-f]{64}", digits):
        raise ValueError("the compiled model has no checksum")
    return digits.decode()


@contextmanager
def verified(path: Path) -> Iterator[None]:
    """Verify a compiled graph, then let it be loaded from its path, and see that it was the same file all the time.

    ONNX Runtime reads the file itself: given the bytes, it keeps them as long as the model is open, which doubles the
    memory of a large model.

    Raises
    ------
    ModelError
        There is no such graph, it is not what was written, or it was replaced while it was loaded.
    """
    try:
        before = _identity(path)
        sound = _is_sound(path)
    except OSError as error:
        raise ModelError("The compiled model was removed.", "Open the model again.") from error
    if not sound:
        _log.warning("A compiled model was damaged and is made again.")
        drop(path)
        raise ModelError("The compiled model is damaged.", "Open the model again.")
    yield
    try:
        same = _identity(path) == before
    except OSError:
        same = False
    if not same:
        raise ModelError("The compiled model was replaced while it was loading.", "Open the model again.")


def drop(path: Path) -> None:
    """Remove a damaged file, so that it is made again; not from the cache of all users."""
    if path.parent == settings.current().cache_folder / COMPILED:
        with suppress(OSError):
            patiently(path.unlink)


def _identity(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _is_sound(path: Path) -> bool:
    size, written = _end_of(path)
    return size >= 0 and written == _HEAD + _digest(_of_file(path), size)


def _end(graph: bytes) -> bytes:
    return _HEAD + _digest(_of_bytes(graph), len(graph))


def _end_of(path: Path) -> tuple[int, bytes]:
    """Return how many bytes stand before the checksum, negative if the file is too short for one, and what follows."""
    with path.open("rb") as file:
        size = file.seek(0, 2) - len(_HEAD) - _DIGITS
        file.seek(max(size, 0))
        return size, file.read(len(_HEAD) + _DIGITS)


def _digest(read: Callable[[int, int], bytes], size: int) -> bytes:
    """Return the checksum of so many bytes, in hexadecimal digits. Each core reads and hashes every n-th piece."""
    pieces = range(0, size, _PIECE)
    threads = min(available_cores(), len(pieces))
    digests = [b""] * len(pieces)

    def hash_every(first: int) -> None:
        # What cannot be read has no digest, so that the checksum is another.
        with suppress(OSError):
            for index in range(first, len(pieces), threads):
                length = min(_PIECE, size - pieces[index])
                digests[index] = hashlib.sha256(read(pieces[index], length)).digest()

    others = [threading.Thread(target=hash_every, args=(first,), daemon=True) for first in range(1, threads)]
    for thread in others:
        thread.start()
    hash_every(0)
    for thread in others:
        thread.join()
    return hashlib.sha256(b"".join(digests)).hexdigest().encode()


def _of_bytes(graph: bytes) -> Callable[[int, int], bytes]:
    return lambda start, length: graph[start : start + length]


def _of_file(path: Path) -> Callable[[int, int], bytes]:
    def read(start: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    return read

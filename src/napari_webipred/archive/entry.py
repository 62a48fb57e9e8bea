"""A file of a model, in a folder or an archive, and the limits for its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from msgspec import Struct

from napari_webipred import file_errors
from napari_webipred.errors import ArchiveError

MAX_FILES = 2000
MAX_BYTES = 4 * 2**30
MAX_SIDE_BYTES = 2**20  # of labels, cards and settings; the 1000 classes of ImageNet need 20 kB
CHUNK = 2**20
ANOTHER_ARCHIVE = "Get the archive again from its publisher, or choose another model."


class ArchiveEntry(Struct, frozen=True):
    """A file: its declared size, a function that reads its content in chunks, and its path if it is on disk."""

    size: int
    chunks: Callable[[], Iterator[bytes]]
    path: Path | None = None


def file_entry(path: Path) -> ArchiveEntry:
    """Describe a file on disk."""
    return ArchiveEntry(path.stat().st_size, partial(file_chunks, path), path)


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in chunks; raise ArchiveError if it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path.name} cannot be read: {reason}.", remedy) from error


def is_noise(name: str) -> bool:
    """Tell whether this is a file that operating systems add, a hidden file or a nested archive."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or name.lower().endswith(".zip")

"""The files of an array of Zarr: each is checked before Zarr decodes it."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_webipred import limits
from napari_webipred.errors import ImageError
from napari_webipred.imaging.deflate import DEFLATE_RATIO

if TYPE_CHECKING:
    from napari_webipred.imaging.zarr_metadata import ArrayFacts

ZSTD_BLOCK = 2**17  # bytes that a block of Zstandard decodes to at most
ZSTD_MAGIC, SKIPPED = 0xFD2FB528, range(0x184D2A50, 0x184D2A60)
ROOM = 2**16  # bytes that headers may add
METADATA = (".json", ".zarray", ".zattrs", ".zgroup")
NOT_WRITTEN = 2**64 - 1  # in the index of a shard


class CheckedStore(Store):  # type: ignore[misc]
    """The files below a folder, for reading.

    What is no plain file is not opened, and what decodes to more bytes than a chunk has is not decoded. Zarr makes all
    ways to read that are not defined here of `get`, in its later versions, too.
    """

    supports_writes = supports_deletes = False
    supports_listing = True

    def __init__(self, path: Path, facts: ArrayFacts) -> None:
        super().__init__(read_only=True)
        self._path, self._facts = path, facts
        self._files = LocalStore(path, read_only=True)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Read a file, or a part of it; None if it is not there."""
        _check_file(self._path / key, byte_range, self._facts)
        found = await self._files.get(key, prototype, byte_range)
        if found is not None and self._facts.compression and not key.endswith(METADATA):
            data = found.as_numpy_array().tobytes()
            for chunk in _chunks(data, byte_range, self._facts):
                check_chunk(chunk, self._facts)
        return found

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Read parts of files."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def get_ranges(
        self, key: str, byte_ranges: Iterable[Any], *, prototype: Any, **_: Any
    ) -> AsyncIterator[tuple[tuple[int, Any], ...]]:
        """Read the chunks of a shard one by one: where several are read at once, only the first could be checked."""
        for number, byte_range in enumerate(byte_ranges):
            yield ((number, await self.get(key, prototype, byte_range)),)

    async def exists(self, key: str) -> bool:
        """Tell whether there is a file."""
        return bool(await self._files.exists(key))

    def list(self) -> Any:
        """List all files."""
        return self._files.list()

    def list_prefix(self, prefix: str) -> Any:
        """List all files below a folder."""
        return self._files.list_prefix(prefix)

    def list_dir(self, prefix: str) -> Any:
        """List what is in a folder."""
        return self._files.list_dir(prefix)

    async def set(self, key: str, value: Any) -> None:
        """Refuse to write."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        self._check_writable()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckedStore) and self._files == other._files


def _chunks(data: bytes, byte_range: Any, facts: ArrayFacts) -> Iterator[bytes]:
    """Yield the compressed chunks in what was read: one, none if it is the index of a shard, or all of a shard."""
    if not facts.shard_index:
        yield data
    elif byte_range is not None:
        if getattr(byte_range, "suffix", None) is None:
            yield data
    else:
        index = data[max(len(data) - facts.shard_index, 0) :]
        for offset, size in struct.iter_unpack("<QQ", index[: len(index) // 16 * 16]):
            if (offset, size) != (NOT_WRITTEN, NOT_WRITTEN):
                yield data[offset : offset + size]


def _check_file(path: Path, byte_range: Any, facts: ArrayFacts) -> None:
    """Refuse what is no file, which may never end, and what is larger than a chunk can be."""
    try:
        status = path.stat()
    except OSError:
        return  # not there: the chunk was never written
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISDIR(status.st_mode):
            return
        raise ImageError(f"The chunk {path.name} is not a file.")
    begin, end = getattr(byte_range, "start", None), getattr(byte_range, "end", None)
    size = end - begin if begin is not None and end is not None else None
    suffix = getattr(byte_range, "suffix", None)
    size = suffix if suffix is not None else (status.st_size if size is None else size)
    if size > 2 * facts.chunk_bytes + limits.BLOCK_AT_MOST // 4:
        raise ImageError(f"The chunk {path.name} has {size} bytes, far more than its pixels need.")


def check_chunk(data: bytes, facts: ArrayFacts) -> None:
    """Refuse compressed bytes that decode to more than a chunk has.

    Raises
    ------
    ImageError
        They do, or do not tell to how many.
    """
    at_most = facts.chunk_bytes + ROOM
    if decoded_size(data, facts.compression, at_most) > at_most:
        raise ImageError("A chunk of the array is damaged: it decodes to more than it claims.")


def decoded_size(data: bytes, compression: str, at_most: int) -> int:
    """Return to how many bytes a chunk decodes, or what is above that; what no decoder will take counts nothing."""
    if compression == "blosc" and len(data) >= 16:
        return int(struct.unpack_from("<I", data, 4)[0])
    if compression == "lz4" and len(data) >= 4:
        return int(struct.unpack_from("<I", data)[0])
    if compression == "zstd":
        return _zstd_size(data)
    if compression in {"gzip", "zlib"} and len(data) * DEFLATE_RATIO > max(at_most, limits.BLOCK_AT_MOST):
        inflating, size, rest = zlib.decompressobj(47), 0, data
        try:
            while rest and not inflating.eof and size <= at_most:
                size += len(inflating.decompress(rest, 2**20))
                rest = inflating.unconsumed_tail
        except zlib.error:
            return 0
        return size + len(inflating.unused_data) * DEFLATE_RATIO
    return 0


def _zstd_size(data: bytes) -> int:
    """Return what frames of Zstandard decode to at most, from their headers and those of their blocks."""
    at, size = 0, 0
    while at + 5 <= len(data):
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic in SKIPPED:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if magic != ZSTD_MAGIC:
            break
        flags = data[at + 4]
        single, dictionary = flags >> 5 & 1, (0, 1, 2, 4)[flags & 3]
        width = (single, 2, 4, 8)[flags >> 6]
        content = at + 5 + (not single) + dictionary
        if width:
            stated = int.from_bytes(data[content : content + width], "little") + 256 * (width == 2)
        at, in_blocks, last = content + width, 0, False
        while not last and at + 3 <= len(data):
            head = int.from_bytes(data[at : at + 3], "little")
            last, kind, length = bool(head & 1), head >> 1 & 3, head >> 3
            in_blocks += ZSTD_BLOCK if kind == 2 else length
            at += 3 + (1 if kind == 1 else length)
        size += max(stated, 0) if width else in_blocks
        at += 4 * (flags >> 2 & 1)
    return size

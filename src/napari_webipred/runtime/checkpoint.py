"""The variables of a SavedModel: an index of names, and files with the values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import ModelError
from napari_webipred.runtime.protobuf import Message, broken, varint

# TensorFlow's numbers for the supported dtypes.
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1", 19: "<f2"}

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = 5  # the compression of a block, and its checksum
_MAX_ENTRIES = 100_000
_MAX_KEY = 10_000
_MAX_CHARACTERS = 2**24  # of all keys, after prefixes shared with the previous key are added
_AGAIN = "Get the model again from its source."


class _Entry(Struct, frozen=True):
    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class Checkpoint:
    """The tensors of a checkpoint by their keys. Each is read when it is needed.

    Parameters
    ----------
    files : mapping of str to bytes
    index : str
        Name of the ``.index`` file among them. The files with the values are in the same folder.

    Raises
    ------
    ModelError
        The index is damaged, or a file that it lists is missing.
    """

    def __init__(self, files: Mapping[str, bytes], index: str) -> None:
        self._files = files
        self._name = index
        self._shards: dict[str, bytes] = {}
        entries = dict(_table(memoryview(files[index])))
        header = Message(entries.pop(b"", b""))
        self._count = header.integer(1)
        if header.integer(2):
            raise ModelError(f"{index} has an unsupported byte order (big-endian).", _AGAIN)
        self._entries = {key.decode("utf-8", "replace"): _entry(value) for key, value in entries.items()}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def size(self) -> int:
        """How many bytes of files with values have been read."""
        return sum(map(len, self._shards.values()))

    def array(self, key: str) -> NDArray[np.float32]:
        """Read a tensor as float32."""
        if key not in self._entries:
            raise ModelError(f"The variable {key[:200]} is missing in {self._name}.", _AGAIN)
        entry = self._entries[key]
        kind = DTYPES.get(entry.dtype)
        if kind is None:
            raise ModelError(f"The variable {key[:200]} in {self._name} is not numeric.", _AGAIN)
        data = self._shard(entry.shard)
        count = math.prod(entry.shape)
        if count * np.dtype(kind).itemsize != entry.size or not 0 <= entry.offset <= len(data) - entry.size:
            raise ModelError(f"The variable {key[:200]} in {self._name} is incomplete.", _AGAIN)
        return finite(np.frombuffer(data, kind, count, entry.offset).reshape(entry.shape), key)

    def _shard(self, number: int) -> bytes:
        name = f"{PurePosixPath(self._name).with_suffix('')}.data-{number:05d}-of-{self._count:05d}"
        if name not in self._shards:
            if name not in self._files:
                raise ModelError(f"The file {name[-200:]} with the model's weights is missing.", _AGAIN)
            self._shards[name] = self._files[name]
        return self._shards[name]


def finite(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return values as float32; refuse NaN and infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        array = values.astype(np.float32, copy=False)
        if not math.isfinite(array.sum(dtype=np.float64)):
            raise ModelError(f"The tensor {name[:200]} contains NaN or infinite values.", _AGAIN)
    return array


def sizes(shape: Message) -> tuple[int, ...]:
    """Read the shape of a tensor."""
    dims = tuple(dim.integer(1) for dim in shape.messages(2))
    known = len(dims) <= 8 and all(0 <= size < 2**31 for size in dims)
    if (
        not known or math.prod(filter(None, dims)) > limits.TENSOR_NUMBERS
    ):  # numpy refuses these even if another size is 0
        raise broken()
    return dims


def _entry(value: bytes) -> _Entry:
    message = Message(value)
    if message.has(7):
        raise ModelError(
            "The model has partitioned variables, which are unsupported.", "Save the model without partitions."
        )
    shape = sizes(message.message(2))
    return _Entry(message.integer(1), shape, message.integer(3), message.integer(4), message.integer(5))


def _table(data: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Read a table of keys and values: blocks, a block that lists them, and a footer with the offset of that block."""
    if len(data) < _FOOTER or bytes(data[-8:]) != _MAGIC:
        raise broken()
    footer = data[-_FOOTER:]
    at = 0
    for _ in range(3):  # the footer has offset and size of two blocks, of which the second is needed
        offset, at = varint(footer, at)
    size, at = varint(footer, at)
    count = characters = end = 0
    for _, handle in _block(data, offset, size):
        place, at = varint(memoryview(handle), 0)
        length, _ = varint(memoryview(handle), at)
        if place < end:
            raise broken()
        end = place + length
        for key, value in _block(data, place, length):
            count, characters = count + 1, characters + len(key)
            if count > _MAX_ENTRIES or characters > _MAX_CHARACTERS:
                raise ModelError(
                    f"The model has more than {_MAX_ENTRIES} variables, or their names are too long.", _AGAIN
                )
            yield key, value


def _block(data: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Read a block of keys and values. Each key is stored without the prefix that it shares with the previous key."""
    if offset + size + _TRAILER > len(data) or size < 4:
        raise broken()
    if data[offset + size]:
        raise ModelError("The index of the model's variables is compressed, which is unsupported.", _AGAIN)
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 * (restarts + 1)
    if end < 0:
        raise broken()
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        rest, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + rest + length > end or shared + rest > _MAX_KEY:
            raise broken()
        key = key[:shared] + bytes(block[at : at + rest])
        yield key, bytes(block[at + rest : at + rest + length])
        at += rest + length

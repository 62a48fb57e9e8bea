"""The variables of a SavedModel: an index of names, and files that hold the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import ModelError
from napari_webipred.runtime.protobuf import Message, broken, varint

# TensorFlow's numbers for the types of tensors that a network may be made of.
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1", 19: "<f2"}

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = 5  # how a block is compressed, and its checksum
_MAX_ENTRIES = 100_000
_MAX_KEY = 10_000
_MAX_LETTERS = 2**24  # of all keys, each of which may leave out what it begins with like the one before
_AGAIN = "Get the model again from its source."


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class Checkpoint:
    """The tensors of a checkpoint by their keys; a tensor is read when it is asked for.

    Parameters
    ----------
    files : mapping of str to bytes
    index : str
        Name of the ``.index`` file among them; the files with the numbers lie beside it.

    Raises
    ------
    ModelError
        The index is damaged, or what it lists is not there.
    """

    def __init__(self, files: Mapping[str, bytes], index: str) -> None:
        self._files = files
        self._name = index
        self._shards: dict[str, bytes] = {}
        entries = dict(_table(memoryview(files[index])))
        header = Message(entries.pop(b"", b""))
        self._count = header.integer(1)
        if header.integer(2):
            raise ModelError(f"{index} is of a machine with another order of bytes.", _AGAIN)
        self._entries = {key.decode("utf-8", "replace"): _entry(value) for key, value in entries.items()}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def size(self) -> int:
        """How many bytes have been read from files with numbers."""
        return sum(map(len, self._shards.values()))

    def array(self, key: str) -> NDArray[np.float32]:
        """Read a tensor as float32."""
        if key not in self._entries:
            raise ModelError(f"The variable {key[:200]} is missing in {self._name}.", _AGAIN)
        entry = self._entries[key]
        kind = DTYPES.get(entry.dtype)
        if kind is None:
            raise ModelError(f"The variable {key[:200]} in {self._name} is no tensor of numbers.", _AGAIN)
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
    """Return values as float32; refuse those that are no numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        array = values.astype(np.float32, copy=False)
        if not math.isfinite(array.sum(dtype=np.float64)):
            raise ModelError(f"The tensor {name[:200]} holds values that are no finite numbers.", _AGAIN)
    return array


def sizes(shape: Message) -> tuple[int, ...]:
    """Read the shape of a tensor that is there."""
    dims = tuple(dim.integer(1) for dim in shape.messages(2))
    known = len(dims) <= 8 and all(0 <= size < 2**31 for size in dims)
    if not known or math.prod(filter(None, dims)) > limits.TENSOR_NUMBERS:  # which numpy refuses even beside a 0
        raise broken()
    return dims


def _entry(value: bytes) -> _Entry:
    message = Message(value)
    if message.has(7):
        raise ModelError("The model's weights are cut into slices, which is not supported.", "Save the model again.")
    shape = sizes(message.message(2))
    return _Entry(message.integer(1), shape, message.integer(3), message.integer(4), message.integer(5))


def _table(data: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Read a table of keys and values: blocks, a block that lists them, and a footer that says where that lies."""
    if len(data) < _FOOTER or bytes(data[-8:]) != _MAGIC:
        raise broken()
    footer = data[-_FOOTER:]
    at = 0
    for _ in range(3):  # of the two blocks that the footer points at, offset and size each, the second is wanted
        offset, at = varint(footer, at)
    size, at = varint(footer, at)
    count = letters = end = 0
    for _, handle in _block(data, offset, size):
        place, at = varint(memoryview(handle), 0)
        length, _ = varint(memoryview(handle), at)
        if place < end:
            raise broken()
        end = place + length
        for key, value in _block(data, place, length):
            count, letters = count + 1, letters + len(key)
            if count > _MAX_ENTRIES or letters > _MAX_LETTERS:
                raise ModelError(f"The model has more than {_MAX_ENTRIES} variables, or too long names.", _AGAIN)
            yield key, value


def _block(data: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Read a block: keys of which each leaves out what it begins with like the one before, with their values."""
    if offset + size + _TRAILER > len(data) or size < 4:
        raise broken()
    if data[offset + size]:
        raise ModelError("The list of the model's variables is compressed, which is not supported.", _AGAIN)
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

"""HDF5 files as Keras writes them: groups, text attributes and plain tensors, read with bounds on everything.

The usual library is not asked, because a changed byte can make it run forever or crash. The layout is that of the "HDF5
File Format Specification", versions that h5py writes unless told otherwise: superblock 0, object headers 1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1
_MAX_STEPS = 300_000  # entries of tables that are looked at; a network of 1000 layers takes some ten thousand
_AGAIN = "Save the whole model again with Keras: model.save('model.keras') or model.save('model.h5')."

# Numbers of the kinds of messages in an object header, and of the classes of datatypes.
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 0x1, 0x3, 0x7, 0x8, 0xB, 0xC
_CONTINUATION, _SYMBOL_TABLE, _MANY_ATTRIBUTES, _LINK_INFO = 0x10, 0x11, 0x15, 0x2
_FLOAT, _STRING, _VARIABLE_LENGTH = 1, 3, 9
# How floats of 2, 4 and 8 bytes lie: exponent's place and size, mantissa's place and size, exponent's bias (IEEE 754).
_IEEE = {2: (10, 5, 0, 10, 15), 4: (23, 8, 0, 23, 127), 8: (52, 11, 0, 52, 1023)}


@dataclass(frozen=True, slots=True)
class _Type:
    """A datatype: its class, the bytes of an element, and of a number how numpy calls it."""

    kind: int
    size: int
    float_name: str | None = None


class Node:
    """A group or a dataset.

    Parameters
    ----------
    file : File
    address : int
        Where its object header begins.
    """

    def __init__(self, file: File, address: int) -> None:
        self._file = file
        self._messages = list(file.messages(address))
        tables = [body for kind, body in self._messages if kind == _SYMBOL_TABLE]
        self._members = file.members(tables[0]) if tables else None
        self._attributes = dict(file.attributes(body for kind, body in self._messages if kind == _ATTRIBUTE))

    @property
    def is_group(self) -> bool:
        """Whether it holds others."""
        return self._members is not None

    @property
    def names(self) -> list[str]:
        """Names of what a group holds; of a dataset none."""
        return list(self._members or {})

    def child(self, path: str) -> Node | None:
        """Go down a path of names; None if there is nothing.

        Raises
        ------
        ModelError
            There is a link to another place or file, or the bytes are damaged.
        """
        node = self
        for part in filter(None, path.split("/")):
            self._file.step()
            if node._members is None or part not in node._members:
                return None
            address = node._members[part]
            if address is None:
                raise ModelError(f"{part[:80]} in {self._file.name} is a link to another place.", _AGAIN)
            node = self._file.node(address)
        return node

    def attribute(self, key: str) -> str | list[str] | None:
        """Return a text attribute, or a list of texts; None if there is none.

        Raises
        ------
        ModelError
            It is not text, or too long.
        """
        return self._file.text(key, self._attributes[key]) if key in self._attributes else None

    def array(self, place: str) -> NDArray[np.float32] | None:
        """Return a tensor; None if it holds no floating-point numbers, as the state of random numbers does not.

        Parameters
        ----------
        place : str
            What to call it in messages.

        Raises
        ------
        ModelError
            It is no dataset, or is compressed, incomplete, in another file, or of an unknown kind of numbers.
        """
        found = dict(self._messages)
        name = self._file.name
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= found.keys():
            raise ModelError(f"The weight {place[:200]} in {name} is missing.", _AGAIN)
        return self._file.array(place, found)


class File:
    """An HDF5 file in memory.

    Parameters
    ----------
    name : str
        What to call it in messages.
    content : bytes

    Raises
    ------
    ModelError
        It is damaged, or in a form that Keras does not write.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content
        self._steps = 0
        self._bytes_left = len(content)  # headers, names, texts and tensors do not overlap
        self._nodes: dict[int, Node] = {}
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        if not content.startswith(_SIGNATURE):
            raise self._damaged()
        version, offsets, lengths = self._numbers("<B4xBB", 8)
        if version > 1:
            raise self._foreign()
        base, _, _, _, _, root = self._numbers("<6Q", 24 + 4 * version)
        if (offsets, lengths, base) != (8, 8, 0):
            raise self._foreign()
        self.root = self.node(root)

    def node(self, address: int) -> Node:
        """Return what begins at an address."""
        if address not in self._nodes:
            self._nodes[address] = Node(self, address)
        return self._nodes[address]

    def _damaged(self) -> ModelError:
        return ModelError(f"{self.name} is a damaged HDF5 file.", "Get the file again from its source.")

    def _foreign(self) -> ModelError:
        return ModelError(f"{self.name} is in a form of HDF5 that Keras does not write.", _AGAIN)

    def _numbers(self, form: str, address: int, content: bytes | None = None) -> tuple[int, ...]:
        try:
            return struct.unpack_from(form, self._content if content is None else content, address)
        except (struct.error, OverflowError) as error:
            raise self._damaged() from error

    def _piece(self, address: int, length: int) -> bytes:
        if address + length > len(self._content):
            raise self._damaged()
        return self._content[address : address + length]

    def step(self) -> None:
        """Count a step on the way through the file, which may lead in circles."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise self._damaged()

    def _spend(self, length: int) -> None:
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise self._damaged()

    def messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Yield the kind and the content of each message of an object header."""
        version, count, length = self._numbers("<BxH4xI", address)
        if version != 1:
            raise self._damaged()
        blocks: list[tuple[int, ...]] = [(address + 16, length)]
        for start, size in blocks:
            self._spend(size)
            place, end = start, start + size
            while place + 8 <= end and count > 0:
                self.step()
                count -= 1
                kind, length, flags = self._numbers("<HHB", place)
                body = self._piece(place + 8, length)
                place += 8 + length
                if kind == _CONTINUATION:
                    blocks.append(self._numbers("<QQ", 0, body))
                elif kind in {_MANY_ATTRIBUTES, _LINK_INFO} or (flags & 2 and kind in {_DATATYPE, _ATTRIBUTE}):
                    raise self._foreign()
                else:
                    yield kind, body

    def members(self, table: bytes) -> dict[str, int | None]:
        """Return where the members of a group are; None of one that is a link to another place."""
        tree, heap = self._numbers("<QQ", 0, table)
        size, _, names = self._numbers("<QQQ", heap + 8)
        if self._piece(heap, 4) != b"HEAP":
            raise self._damaged()
        found: dict[str, int | None] = {}
        nodes = [tree]
        for node in nodes:
            self.step()
            if self._piece(node, 4) == b"TREE":
                kind, _, count = self._numbers("<BBH", node + 4)
                if kind != 0:
                    raise self._damaged()
                for i in range(count):
                    self.step()
                    nodes += self._numbers("<Q", node + 32 + 16 * i)
                continue
            if self._piece(node, 4) != b"SNOD":
                raise self._damaged()
            (count,) = self._numbers("<H", node + 6)
            for i in range(count):
                self.step()
                place, address, cached = self._numbers("<QQI", node + 8 + 40 * i)
                found[self._name(names + place, names + size)] = None if cached == 2 else address
        return found

    def _name(self, start: int, limit: int) -> str:
        end = self._content.find(b"\0", start, limit)
        if end < 0:
            raise self._damaged()
        self._spend(end - start)
        return _text(self._content[start:end])

    def attributes(self, messages: Iterable[bytes]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """Yield the name of each attribute, and its datatype, shape and data."""
        for body in messages:
            self.step()
            version, *lengths = self._numbers("<BxHHH", 0, body)
            if version not in {1, 2, 3}:
                raise self._damaged()
            place = 9 if version == 3 else 8
            parts = []
            for length in lengths:
                parts.append(body[place : place + length])
                place += length if version > 1 else -(-length // 8) * 8
            yield _text(parts[0].rstrip(b"\0")), (*parts[1:], body[place:])

    def text(self, key: str, attribute: tuple[bytes, ...]) -> str | list[str]:
        """Return the text, or texts, of an attribute."""
        datatype, shape, data = self._type(attribute[0]), self._shape(attribute[1]), attribute[2]
        count = math.prod(shape)
        if count == 0:  # an empty list has numbers for a datatype
            return []
        if datatype.kind not in {_STRING, _VARIABLE_LENGTH} or datatype.size == 0:
            raise ModelError(f"The attribute {key} in {self.name} is not text.", _AGAIN)
        if count * datatype.size > len(data):
            raise self._damaged()
        elements = [data[i * datatype.size : (i + 1) * datatype.size] for i in range(count)]
        if datatype.kind == _VARIABLE_LENGTH:
            elements = [self._in_heap(element) for element in elements]
        texts = [_text(element.rstrip(b"\0")) for element in elements]
        return texts if shape else texts[0]

    def _shape(self, message: bytes) -> tuple[int, ...]:
        version, rank = self._numbers("<BB", 0, message)
        if version not in {1, 2} or rank > 32:
            raise self._damaged()
        return self._numbers(f"<{rank}Q", 8 if version == 1 else 4, message)

    def _type(self, message: bytes) -> _Type:
        kind, order, size = self._numbers("<BB2xI", 0, message)
        if kind & 15 != _FLOAT:
            return _Type(kind & 15, size)
        _, precision, *layout = self._numbers("<HHBBBBI", 8, message)
        known = precision == 8 * size and _IEEE.get(size) == tuple(layout) and not order & 64
        return _Type(_FLOAT, size, f"{'>' if order & 1 else '<'}f{size}" if known else None)

    def _in_heap(self, reference: bytes) -> bytes:
        """Return what an element of variable length refers to."""
        self.step()
        length, heap, index = self._numbers("<IQI", 0, reference)
        if length == 0:
            return b""
        start, size = self._heap(heap).get(index, (0, 0))
        if length > size:
            raise self._damaged()
        self._spend(length)
        return self._piece(start, length)

    def _heap(self, address: int) -> dict[int, tuple[int, int]]:
        """Return where the objects of a global heap are, and how long, by their numbers."""
        if address not in self._heaps:
            objects: dict[int, tuple[int, int]] = {}
            (whole,) = self._numbers("<Q", address + 8)
            if self._piece(address, 4) != b"GCOL":
                raise self._damaged()
            place, end = address + 16, address + whole
            while place + 16 <= end:
                self.step()
                index, size = self._numbers("<H6xQ", place)
                if index == 0:  # the rest is free
                    break
                objects[index] = (place + 16, size)
                place += 16 + -(-size // 8) * 8
            self._heaps[address] = objects
        return self._heaps[address]

    def array(self, place: str, messages: dict[int, bytes]) -> NDArray[np.float32] | None:
        """Return the tensor that messages describe, or None if it holds no floating-point numbers."""
        datatype, shape, layout = self._type(messages[_DATATYPE]), self._shape(messages[_DATASPACE]), messages[_LAYOUT]
        if datatype.kind != _FLOAT:
            return None
        if datatype.float_name is None:
            raise ModelError(f"The weight {place[:200]} in {self.name} has an unknown kind of numbers.", _AGAIN)
        version, form = self._numbers("<BB", 0, layout)
        length = math.prod(shape) * datatype.size
        if version not in {3, 4} or form > 1 or {_FILTERS, _EXTERNAL} & messages.keys():
            raise ModelError(f"The weight {place[:200]} in {self.name} is compressed or lies elsewhere.", _AGAIN)
        if form == 0:
            content: bytes | memoryview = layout[4 : 4 + self._numbers("<H", 2, layout)[0]]
        else:
            address, stored = self._numbers("<QQ", 2, layout)
            whole = address != _NOWHERE and stored == length and address + stored <= len(self._content)
            content = memoryview(self._content)[address : address + stored] if whole else b""
        # numpy refuses large sizes even beside a size of 0.
        if len(content) != length or math.prod(filter(None, shape)) > limits.TENSOR_NUMBERS:
            raise ModelError(f"The weight {place[:200]} in {self.name} is incomplete.", _AGAIN)
        self._spend(length)
        return np.frombuffer(content, datatype.float_name).reshape(shape).astype(np.float32)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")

"""A reader for HDF5 files as Keras writes them: groups, text attributes and uncompressed tensors, all within limits.

h5py is not used, because one changed byte can make it hang or crash. The layout follows the "HDF5 File Format
Specification", in the versions that h5py writes by default: superblock 0, object headers 1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from napari_webipred import limits
from napari_webipred.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED_ADDRESS = 2**64 - 1
_MAX_STEPS = 300_000  # entries of tables to read; a model of 1000 layers needs about ten thousand
_AGAIN = "Save the whole model again with Keras: model.save('model.keras') or model.save('model.h5')."

# Types of messages in an object header, and classes of datatypes.
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 0x1, 0x3, 0x7, 0x8, 0xB, 0xC
_CONTINUATION, _SYMBOL_TABLE, _MANY_ATTRIBUTES, _LINK_INFO = 0x10, 0x11, 0x15, 0x2
_FLOAT, _STRING, _VARIABLE_LENGTH = 1, 3, 9
# Floats of 2, 4 and 8 bytes: exponent's position and size, mantissa's position and size, exponent's bias (IEEE 754).
_IEEE = {2: (10, 5, 0, 10, 15), 4: (23, 8, 0, 23, 127), 8: (52, 11, 0, 52, 1023)}


class _Type(Struct, frozen=True):
    """A datatype: its class, the bytes of an element, and the NumPy dtype if it is a float."""

    kind: int
    size: int
    float_name: str | None = None


class Node:
    """A group or a dataset.

    Parameters
    ----------
    file : File
    address : int
        Offset of its object header.
    """

    def __init__(self, file: File, address: int) -> None:
        self._file = file
        self._messages = list(file.messages(address))
        tables = [body for kind, body in self._messages if kind == _SYMBOL_TABLE]
        self._members = file.members(tables[0]) if tables else None
        self._attributes = dict(file.attributes(body for kind, body in self._messages if kind == _ATTRIBUTE))

    @property
    def is_group(self) -> bool:
        """Whether it is a group."""
        return self._members is not None

    @property
    def names(self) -> list[str]:
        """Names of the members of a group; empty for a dataset."""
        return list(self._members or {})

    def child(self, path: str) -> Node | None:
        """Return the node at a path; None if there is none.

        Raises
        ------
        ModelError
            There is a link to another object or file, or the file is damaged.
        """
        node = self
        for part in filter(None, path.split("/")):
            self._file.step()
            if node._members is None or part not in node._members:
                return None
            address = node._members[part]
            if address is None:
                raise ModelError(f"{part[:80]} in {self._file.name} is a link, which is unsupported.", _AGAIN)
            node = self._file.node(address)
        return node

    def attribute(self, key: str) -> str | list[str] | None:
        """Return a text attribute, or a list of strings; None if there is none.

        Raises
        ------
        ModelError
            It is not text, or too long.
        """
        return self._file.text(key, self._attributes[key]) if key in self._attributes else None

    def array(self, path: str) -> NDArray[np.float32] | None:
        """Return a tensor; None if it is not floating-point, such as the state of a random generator.

        Parameters
        ----------
        path : str
            What to call it in messages.

        Raises
        ------
        ModelError
            It is not a dataset, or is compressed, incomplete, in another file, or of an unsupported dtype.
        """
        found = dict(self._messages)
        name = self._file.name
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= found.keys():
            raise ModelError(f"The weight {path[:200]} in {name} is missing.", _AGAIN)
        return self._file.array(path, found)


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
        It is damaged, or uses features of HDF5 that Keras does not use.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content
        self._steps = 0
        self._bytes_left = len(content)  # headers, names, strings and tensors do not overlap
        self._nodes: dict[int, Node] = {}
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        if not content.startswith(_SIGNATURE):
            raise self._damaged()
        version, offsets, lengths = self._numbers("<B4xBB", 8)
        if version > 1:
            raise self._unsupported()
        base, _, _, _, _, root = self._numbers("<6Q", 24 + 4 * version)
        if (offsets, lengths, base) != (8, 8, 0):
            raise self._unsupported()
        self.root = self.node(root)

    def node(self, address: int) -> Node:
        """Return the node at an address."""
        if address not in self._nodes:
            self._nodes[address] = Node(self, address)
        return self._nodes[address]

    def _damaged(self) -> ModelError:
        return ModelError(f"{self.name} is a damaged HDF5 file.", "Get the file again from its source.")

    def _unsupported(self) -> ModelError:
        return ModelError(f"{self.name} uses unsupported features of HDF5.", _AGAIN)

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
        """Count a step through the file, which may contain cycles."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise self._damaged()

    def _spend(self, length: int) -> None:
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise self._damaged()

    def messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Yield the type and the content of each message of an object header."""
        version, count, length = self._numbers("<BxH4xI", address)
        if version != 1:
            raise self._damaged()
        blocks: list[tuple[int, ...]] = [(address + 16, length)]
        for start, size in blocks:
            self._spend(size)
            position, end = start, start + size
            while position + 8 <= end and count > 0:
                self.step()
                count -= 1
                kind, length, flags = self._numbers("<HHB", position)
                body = self._piece(position + 8, length)
                position += 8 + length
                if kind == _CONTINUATION:
                    blocks.append(self._numbers("<QQ", 0, body))
                elif kind in {_MANY_ATTRIBUTES, _LINK_INFO} or (flags & 2 and kind in {_DATATYPE, _ATTRIBUTE}):
                    raise self._unsupported()
                else:
                    yield kind, body

    def members(self, table: bytes) -> dict[str, int | None]:
        """Return the addresses of the members of a group; None for a link."""
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
                position, address, cached = self._numbers("<QQI", node + 8 + 40 * i)
                found[self._name(names + position, names + size)] = None if cached == 2 else address
        return found

    def _name(self, start: int, limit: int) -> str:
        end = self._content.find(b"\0", start, limit)
        if end < 0:
            raise self._damaged()
        self._spend(end - start)
        return _text(self._content[start:end])

    def attributes(self, messages: Iterable[bytes]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """Yield the name, datatype, shape and data of each attribute."""
        for body in messages:
            self.step()
            version, *lengths = self._numbers("<BxHHH", 0, body)
            if version not in {1, 2, 3}:
                raise self._damaged()
            position = 9 if version == 3 else 8
            parts = []
            for length in lengths:
                parts.append(body[position : position + length])
                position += length if version > 1 else -(-length // 8) * 8
            yield _text(parts[0].rstrip(b"\0")), (*parts[1:], body[position:])

    def text(self, key: str, attribute: tuple[bytes, ...]) -> str | list[str]:
        """Return the string or strings of an attribute."""
        datatype, shape, data = self._type(attribute[0]), self._shape(attribute[1]), attribute[2]
        count = math.prod(shape)
        if count == 0:  # an empty list has a numeric datatype
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
        """Return the content of an element of variable length."""
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
        """Return address and size of the objects of a global heap, by their index."""
        if address not in self._heaps:
            objects: dict[int, tuple[int, int]] = {}
            (whole,) = self._numbers("<Q", address + 8)
            if self._piece(address, 4) != b"GCOL":
                raise self._damaged()
            position, end = address + 16, address + whole
            while position + 16 <= end:
                self.step()
                index, size = self._numbers("<H6xQ", position)
                if index == 0:  # the rest is free
                    break
                objects[index] = (position + 16, size)
                position += 16 + -(-size // 8) * 8
            self._heaps[address] = objects
        return self._heaps[address]

    def array(self, path: str, messages: dict[int, bytes]) -> NDArray[np.float32] | None:
        """Return the tensor that messages describe; None if it is not floating-point."""
        datatype, shape, layout = self._type(messages[_DATATYPE]), self._shape(messages[_DATASPACE]), messages[_LAYOUT]
        if datatype.kind != _FLOAT:
            return None
        if datatype.float_name is None:
            raise ModelError(f"The weight {path[:200]} in {self.name} has an unsupported dtype.", _AGAIN)
        version, form = self._numbers("<BB", 0, layout)
        length = math.prod(shape) * datatype.size
        if version not in {3, 4} or form > 1 or {_FILTERS, _EXTERNAL} & messages.keys():
            raise ModelError(
                f"The weight {path[:200]} in {self.name} is compressed or in another file, which is unsupported.",
                _AGAIN,
            )
        if form == 0:
            content: bytes | memoryview = layout[4 : 4 + self._numbers("<H", 2, layout)[0]]
        else:
            address, stored = self._numbers("<QQ", 2, layout)
            whole = address != _UNDEFINED_ADDRESS and stored == length and address + stored <= len(self._content)
            content = memoryview(self._content)[address : address + stored] if whole else b""
        # numpy refuses large sizes even if another size is 0.
        if len(content) != length or math.prod(filter(None, shape)) > limits.TENSOR_NUMBERS:
            raise ModelError(f"The weight {path[:200]} in {self.name} is incomplete.", _AGAIN)
        self._spend(length)
        return np.frombuffer(content, datatype.float_name).reshape(shape).astype(np.float32)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")

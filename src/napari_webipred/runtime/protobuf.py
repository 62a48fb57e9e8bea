"""A reader for the wire format of Protocol Buffers, without message definitions."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from napari_webipred.errors import ModelError

# The maximum number of values of a message or list; larger lists are raw bytes in valid files.
_MAX_VALUES = 2**18

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Message:
    """A message: the values of each field number, in the order of the file.

    Parameters
    ----------
    data : memoryview or bytes
        Nested messages are read on request; no content is copied.

    Raises
    ------
    ModelError
        The bytes are not a message.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: memoryview | bytes) -> None:
        self._fields: dict[int, list[int | memoryview]] = {}
        for count, (number, value) in enumerate(fields(memoryview(data))):
            if count > _MAX_VALUES:
                raise broken()
            self._fields.setdefault(number, []).append(value)

    @property
    def size(self) -> int:
        """How many values it has, without those of nested messages."""
        return sum(map(len, self._fields.values()))

    def messages(self, number: int) -> Iterator[Message]:
        """Read the nested messages of a field."""
        return (Message(view) for view in self.views(number))

    def message(self, number: int) -> Message:
        """Read a nested message; an empty one if there is none. Of several, the format makes one."""
        views = self.views(number)
        return Message(views[0] if len(views) == 1 else b"".join(views))

    def views(self, number: int) -> list[memoryview]:
        """Return the contents of a field."""
        return [value for value in self._fields.get(number, []) if isinstance(value, memoryview)]

    def view(self, number: int) -> memoryview:
        """Return the content of a field; empty if there is none."""
        views = self.views(number)
        return views[-1] if views else memoryview(b"")

    def text(self, number: int) -> str:
        """Return a string; empty if there is none."""
        return _text(self.view(number))

    def texts(self, number: int) -> list[str]:
        """Return the strings of a field."""
        return [_text(view) for view in self.views(number)]

    def integer(self, number: int, default: int = 0) -> int:
        """Return an integer, which may be negative."""
        values = [value for value in self._fields.get(number, []) if isinstance(value, int)]
        return _signed(values[-1]) if values else default

    def integers(self, number: int) -> list[int]:
        """Return a list of integers, packed or not."""
        numbers: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                numbers.append(_signed(value))
            else:
                at = 0
                while at < len(value):
                    packed, at = varint(value, at)
                    numbers.append(_signed(packed))
                    if len(numbers) > _MAX_VALUES:
                        raise broken()
        return numbers

    def has(self, number: int) -> bool:
        """Tell whether a field is present."""
        return number in self._fields

    def count(self, number: int, width: int = 0) -> int:
        """Count the numbers of a repeated field; each has `width` bytes, or is a varint if `width` is 0."""
        counted = 0
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                counted += 1
            elif width:
                counted += len(value) // width
            else:
                counted += int(np.count_nonzero(np.frombuffer(value, np.uint8) < 0x80))
        return counted

    def number(self, number: int) -> float:
        """Return a number of 32 bits; 0 if there is none."""
        view = self.view(number)
        return float(struct.unpack("<f", view)[0]) if len(view) == 4 else 0.0


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a varint, and return it and the position after it."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise broken()


def broken() -> ModelError:
    """Return the error for a damaged file."""
    return ModelError(
        "The file is damaged, or not of the type that its name says.", "Get the model again from its source."
    )


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field, in the order of the file."""
    at, end = 0, len(data)
    while at < end:
        key, at = (
            varint(data, at) if data[at] >= 0x80 else (data[at], at + 1)
        )  # most keys are one byte, and a call is slow
        kind = key & 7
        if kind == _VARINT:
            value, at = varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = varint(data, at) if at == end or data[at] >= 0x80 else (data[at], at + 1)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise broken()
        if size > end - at:
            raise broken()
        yield key >> 3, data[at : at + size]
        at += size


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(view: memoryview) -> str:
    return bytes(view).decode("utf-8", "replace")

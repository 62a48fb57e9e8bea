"""Protocol Buffers as they lie in a file, written byte by byte, so that a test can write what no library would."""

from __future__ import annotations


def varint(value: int) -> bytes:
    pieces = []
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    return bytes([*pieces, value])


def field(number: int, content: bytes | str | int) -> bytes:
    """Write a field: a whole number, or a text, bytes or message with its length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data

"""How large a compressed tile is by its own word, told without decoding it."""

from __future__ import annotations

from collections.abc import Callable

JPEG, JPEG_2000, WEBP = {6, 7, 33007}, {33005, 34712}, 50001
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width that a JPEG stream tells; None if it does not."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:  # filling
            at += 1
        elif data[at + 1] in START_OF_FRAME:
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _jpeg_2000_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width that a stream of JPEG 2000 tells; None if it is none."""
    if not data.startswith(b"\xff\x4f\xff\x51") or len(data) < 24:
        return None
    right, bottom, left, top = (int.from_bytes(data[at : at + 4]) for at in range(8, 24, 4))
    return bottom - top, right - left


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width that a WebP image tells; None if it does not."""
    kind, body = data[12:16], data[20:30]
    if not data.startswith(b"RIFF") or len(body) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF
    return None


# How large a tile is by its own word. What the other codecs decode to is bounded by the memory they are given.
SIZES: dict[int, Callable[[bytes], tuple[int, int] | None]] = {
    **dict.fromkeys(JPEG, _jpeg_size),
    **dict.fromkeys(JPEG_2000, _jpeg_2000_size),
    WEBP: _webp_size,
}

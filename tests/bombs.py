"""Zeros in little room, as zlib would write them, but made in no time: the same compressed part again and again."""

from __future__ import annotations

import struct
import zlib

PART = bytes(2**20)


def zlib_bomb(size: int) -> bytes:
    """Return a zlib stream of this many zeros."""
    checksum = size % 65521 << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + _deflated(size) + struct.pack(">I", checksum)


def gzip_bomb(size: int) -> bytes:
    """Return a gzip file of this many zeros."""
    checksum = 0
    for start in range(0, size, len(PART)):
        checksum = zlib.crc32(PART[: size - start], checksum)
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + _deflated(size) + struct.pack("<II", checksum, size)


def _deflated(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # After a full flush nothing refers to what came before, so that the part can be repeated.
    part = packer.compress(PART) + packer.flush(zlib.Z_FULL_FLUSH)
    return part * (size // len(PART)) + packer.compress(PART[: size % len(PART)]) + packer.flush()

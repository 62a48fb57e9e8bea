"""DICOM files that an attacker or an accident could make: `DICOM` gives the content of each by its name.

Those whose name begins with ``harmless`` look strange and hold an image that can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from dicom_maker import CLASSES, EXPLICIT, content, dataset, item

ROOT = "1.2.840.10008.1.2"
RLE, JPEG, JPEG_LS, JPEG_2000 = f"{ROOT}.5", f"{ROOT}.4.50", f"{ROOT}.4.80", f"{ROOT}.4.90"
GREY = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
SMALL = GREY.astype(np.uint8)
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element as it is written with explicit VR, little-endian, maybe with another length than it has."""
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (struct.pack("<HI", 0, size) if vr in LONG else struct.pack("<H", size)) + value


LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF"}


def meta(syntax: str) -> bytes:
    padded = syntax.encode() + b"\0" * (len(syntax) % 2)
    inside = element(0x00020010, b"UI", padded)
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(inside))) + inside


def raw(
    *,
    syntax: str = EXPLICIT,
    rows: int = 32,
    columns: int = 32,
    samples: int = 1,
    allocated: int = 16,
    stored: int | None = None,
    frames: bytes = b"",
    photometric: bytes = b"MONOCHROME2 ",
    before: bytes = b"",
    more: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A file that says what it likes; `before` and `more` stand before and after the attributes of the image."""
    data = GREY.tobytes() if pixels is None else pixels
    body = (
        before
        + element(0x00080016, b"UI", CLASSES["CT"].encode() + b"\0")
        + element(0x00080060, b"CS", b"CT")
        + element(0x00280002, b"US", struct.pack("<H", samples))
        + element(0x00280004, b"CS", photometric)
        + (element(0x00280008, b"IS", frames) if frames else b"")
        + element(0x00280010, b"US", struct.pack("<H", rows))
        + element(0x00280011, b"US", struct.pack("<H", columns))
        + element(0x00280100, b"US", struct.pack("<H", allocated))
        + element(0x00280101, b"US", struct.pack("<H", allocated if stored is None else stored))
        + element(0x00280103, b"US", struct.pack("<H", 0))
        + more
        + element(0x7FE00010, b"OB" if syntax in PACKED else b"OW", data, 0xFFFFFFFF if syntax in PACKED else None)
    )
    if syntax == f"{ROOT}.1.99":
        packer = zlib.compressobj(9, wbits=-15)
        body = packer.compress(body) + packer.flush()
    return meta(syntax) + body


PACKED = {RLE, JPEG, JPEG_LS, JPEG_2000, f"{ROOT}.4.70", f"{ROOT}.4.102"}


def packed(*fragments: bytes, offsets: bytes = b"", end: bytes = END) -> bytes:
    """Compressed frames in their list."""
    return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(each)) + each for each in (offsets, *fragments)) + end


def j2k(width: int, height: int, more: bytes = b"") -> bytes:
    size = struct.pack(">HIIIIIIIIHBBB", 0, width, height, 0, 0, width, height, 0, 0, 1, 7, 1, 1)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + more


def jpeg(width: int, height: int, marker: int = 0xC0, more: bytes = b"") -> bytes:
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 0x11, 0) + more


def rle(data: bytes = b"\x81\0" * 8) -> bytes:
    return struct.pack("<16I", 1, 64, *[0] * 14) + data


def sequences(depth: int) -> bytes:
    """Sequences within one another, of undefined length."""
    start = element(0x00081140, b"SQ", b"", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + END
    return start * depth + end * depth


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    start = packer.compress(element(0x00081140, b"UN", b"", size))
    return (
        meta(f"{ROOT}.1.99")
        + start
        + b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20))
        + packer.flush()
    )


def palette(**attributes: Any) -> bytes:
    made = dataset(SMALL, "US", PhotometricInterpretation="PALETTE COLOR")
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return content(made)


def report() -> bytes:
    made = dataset(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del made.PixelData
    return content(made)


DESCRIPTOR = [256, 0, 16]
DICOM: dict[str, Callable[[], bytes]] = {
    "nothing but a beginning": lambda: bytes(128) + b"DICM",
    "no transfer syntax": lambda: bytes(128) + b"DICM" + raw()[len(meta(EXPLICIT)) :],
    "unknown transfer syntax": lambda: raw(syntax="1.2.3.4.5"),
    "transfer syntax of 10000 characters": lambda: raw(syntax="1." * 5000),
    "video": lambda: raw(syntax=f"{ROOT}.4.102", pixels=packed(bytes(99))),
    "garbage after the beginning": lambda: meta(EXPLICIT) + b"\xff" * 4000,
    "garbage as implicit VR": lambda: meta(ROOT) + b"\x81\x93" * 4000,
    "cut in the header": lambda: raw()[:260],
    "pixels cut short": lambda: raw()[:-100],
    "pixels of no length": lambda: raw(pixels=b""),
    "no rows": lambda: raw(rows=0),
    "65535 x 65535 pixels": lambda: raw(rows=65535, columns=65535),
    "65535 samples": lambda: raw(samples=65535),
    "four samples": lambda: raw(samples=4),
    "7 bits": lambda: raw(allocated=7),
    "65535 bits": lambda: raw(allocated=65535),
    "more bits stored than there are": lambda: raw(stored=40),
    "no bits stored": lambda: raw(stored=0),
    "two billion frames": lambda: raw(frames=b"2147483647"),
    "minus one frames": lambda: raw(frames=b"-1"),
    "frames that are no number": lambda: raw(frames=b"many"),
    "frames that are not there": lambda: raw(frames=b"3 "),
    "compressed frames that are not there": lambda: raw(
        syntax=JPEG, frames=b"9 ", allocated=8, pixels=packed(jpeg(32, 32), bytes(400))
    ),
    "RLE of 60000 x 1400 in 20 bytes": lambda: raw(syntax=RLE, rows=60000, columns=1400, pixels=packed(rle())),
    "RLE of garbage": lambda: raw(syntax=RLE, pixels=packed(b"\xff" * 99)),
    "RLE with a segment outside": lambda: raw(syntax=RLE, pixels=packed(struct.pack("<16I", 2, 64, 2**31, *[0] * 13))),
    "RLE of 2^32 segments": lambda: raw(syntax=RLE, pixels=packed(struct.pack("<16I", 2**32 - 1, *[64] * 15))),
    "JPEG 2000 of 9000 x 9000 in 60 bytes": lambda: raw(
        syntax=JPEG_2000, rows=9000, columns=9000, allocated=8, pixels=packed(j2k(9000, 9000))
    ),
    "JPEG 2000 of another size": lambda: raw(syntax=JPEG_2000, allocated=8, pixels=packed(j2k(2**31, 2**31))),
    "JPEG 2000 with garbage": lambda: raw(syntax=JPEG_2000, allocated=8, pixels=packed(j2k(32, 32, b"\xff" * 200))),
    "JPEG 2000 that ends in its head": lambda: raw(syntax=JPEG_2000, allocated=8, pixels=packed(j2k(32, 32)[:14])),
    "JPEG of another size": lambda: raw(syntax=JPEG, allocated=8, pixels=packed(jpeg(65000, 65000))),
    "JPEG with garbage": lambda: raw(syntax=JPEG, allocated=8, pixels=packed(jpeg(32, 32, more=b"\xff" * 200))),
    "JPEG of nothing": lambda: raw(syntax=JPEG, allocated=8, pixels=packed(b"")),
    "lossless JPEG with garbage": lambda: raw(
        syntax=f"{ROOT}.4.70", allocated=8, pixels=packed(jpeg(32, 32, 0xC3, b"\x80" * 200))
    ),
    "JPEG-LS with garbage": lambda: raw(
        syntax=JPEG_LS, allocated=8, pixels=packed(jpeg(32, 32, 0xF7, b"\xff\xda" + b"\x80" * 200))
    ),
    "no compressed frame": lambda: raw(syntax=JPEG, allocated=8, pixels=packed()),
    "no list of frames": lambda: raw(syntax=JPEG, allocated=8, pixels=b"\x80" * 400),
    "frame that never ends": lambda: raw(
        syntax=JPEG, allocated=8, pixels=packed(jpeg(32, 32)) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ),
    "frame longer than the file": lambda: raw(
        syntax=JPEG, allocated=8, pixels=packed(end=struct.pack("<HHI", 0xFFFE, 0xE000, 2**31))
    ),
    "table of frames of 4 GB": lambda: raw(
        syntax=JPEG, allocated=8, pixels=struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 4) + bytes(400)
    ),
    "a frame in a million pieces": lambda: raw(
        syntax=JPEG, allocated=8, pixels=struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 1_000_000
    ),
    "deflated bomb of 1 GB": lambda: bomb(2**30),
    "deflated garbage": lambda: meta(f"{ROOT}.1.99") + b"\xff" * 4000,
    "3000 sequences within one another": lambda: raw(before=sequences(3000)),
    "attribute of 4 GB": lambda: meta(EXPLICIT) + element(0x00281050, b"UN", b"1\\2", 2**32 - 2),
    "groups of 4 GB": lambda: meta(EXPLICIT) + element(0x52009230, b"SQ", bytes(40), 2**32 - 2),
    "palette without colours": lambda: palette(),
    "palette of one colour that says 256": lambda: palette(
        RedPaletteColorLookupTableDescriptor=DESCRIPTOR,
        GreenPaletteColorLookupTableDescriptor=DESCRIPTOR,
        BluePaletteColorLookupTableDescriptor=DESCRIPTOR,
        RedPaletteColorLookupTableData=b"\0\1",
        GreenPaletteColorLookupTableData=b"\0\1",
        BluePaletteColorLookupTableData=b"\0\1",
    ),
    "palette in segments that repeat themselves": lambda: palette(
        RedPaletteColorLookupTableDescriptor=DESCRIPTOR,
        GreenPaletteColorLookupTableDescriptor=DESCRIPTOR,
        BluePaletteColorLookupTableDescriptor=DESCRIPTOR,
        SegmentedRedPaletteColorLookupTableData=struct.pack("<8H", 0, 1, 7, 2, 65535, 0, 0, 2),
        SegmentedGreenPaletteColorLookupTableData=struct.pack("<4H", 2, 65535, 0, 0),
        SegmentedBluePaletteColorLookupTableData=struct.pack("<4H", 2, 65535, 0, 0),
    ),
    "a report": report,
    "rescale that is too large": lambda: raw(
        more=element(0x00281052, b"DS", b"1e300 ") + element(0x00281053, b"DS", b"1e300 ")
    ),
    # strange, but no harm
    "harmless: window of no width": lambda: raw(
        more=element(0x00281050, b"DS", b"40") + element(0x00281051, b"DS", b"0 ")
    ),
    "harmless: window that is no number": lambda: raw(
        more=element(0x00281050, b"DS", b"NaN ") + element(0x00281051, b"DS", b"wide")
    ),
    "harmless: rescale by nothing": lambda: raw(
        more=element(0x00281052, b"DS", b"5 ") + element(0x00281053, b"DS", b"0 ")
    ),
    "harmless: tables without entries": lambda: content(
        dataset(GREY, VOILUTSequence=item(), ModalityLUTSequence=item())
    ),
    "harmless: everything is padding": lambda: content(
        dataset(GREY, PixelPaddingValue=0, PixelPaddingRangeLimit=65535)
    ),
    "harmless: spacing of no width": lambda: content(dataset(GREY, PixelSpacing=[0.0, 0.0])),
}

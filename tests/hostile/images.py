"""Images that an attacker or an accident could make: `IMAGES` gives the content of each by its name.

Those whose name begins with ``harmless`` look strange and hold an image that can be read.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tifffile
from PIL import Image

GREY = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)


def saved(kind: str, pixels: Any = GREY, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


# --- PNG -------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8, *more: bytes, depth: int = 8, colour: int = 0, pixels: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = zlib.compress(pixels or bytes((width + 1) * height if width * height < 10**6 else 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@cache
def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


# --- JPEG ------------------------------------------------------------------------------------------------------------


def jpeg(*segments: bytes, width: int | None = None, height: int | None = None) -> bytes:
    whole = bytearray(saved("JPEG"))
    at = whole.index(b"\xff\xc0") + 5
    if width and height:
        whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole[:2]) + b"".join(segments) + bytes(whole[2:])


def exif(directory: bytes) -> bytes:
    content = b"Exif\0\0MM\0*\0\0\0\x08" + directory
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan comes over and over again: each is small and costs a walk over all pixels."""
    whole = saved("JPEG", np.zeros((side, side), np.uint8), progressive=True)
    last = whole[whole.rindex(b"\xff\xc4") : -2] if whole.rindex(b"\xff\xc4") > 0 else b""
    return whole[:-2] + last * count + whole[-2:]


# --- GIF, WebP, BMP --------------------------------------------------------------------------------------------------


def gif(width: int, height: int, *frames: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(frames) + b";"


def gif_frame(width: int = 1, height: int = 1, left: int = 0, data: bytes = b"\x02\x02\x44\x01\x00") -> bytes:
    return b"," + struct.pack("<HHHHB", left, 0, width, height, 0) + data


def webp(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def bmp(
    width: int, height: int, bits: int = 24, compression: int = 0, data: bytes = bytes(48), palette: int = 0
) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, palette, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + header + data


# --- TIFF ------------------------------------------------------------------------------------------------------------

SHORT, LONG, LONG8 = (3, "H"), (4, "I"), (16, "Q")


def tiff(changes: dict[int, int] | None = None, data: bytes = bytes(64), following: int = 0, **more: Any) -> bytes:
    """A TIFF of one page with the given numbers in its tags; `counts` overrides how many values a tag claims."""
    place = 8 + len(data) + len(data) % 2
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: len(data)} | (changes or {})
    counts = more.get("counts", {})
    directory = struct.pack("<H", len(tags))
    for tag, value in sorted(tags.items()):
        directory += struct.pack("<HHII", tag, 4, counts.get(tag, 1), value)
    directory += struct.pack("<I", following)
    return struct.pack("<2sHI", b"II", 42, place) + data.ljust(place - 8, b"\0") + directory


def written(pixels: Any = GREY, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def pages(count: int) -> bytes:
    """So many pages that all show the same pixels."""
    whole = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(64))
    for number in range(count):
        tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
        directory = struct.pack("<H", len(tags))
        directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        following = len(whole) + len(directory) + 4 if number + 1 < count else 0
        whole += directory + struct.pack("<I", following)
    return bytes(whole)


def ome(pixels: str, before: str = "") -> bytes:
    text = f'<?xml version="1.0"?>{before}<OME><Image ID="I"><Pixels {pixels}/></Image></OME>'
    return written(description=text, metadata=None)


LAUGHS = "<!DOCTYPE x [" + '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)
) + "]>"  # fmt: skip

IMAGES: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "text": lambda: b"Please open me\n" * 99,
    "SVG with a script": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n",
    "PNG of 100000 x 100000": lambda: png(100_000, 100_000),
    "PNG of 2^31 x 2^31": lambda: png(2**31 - 1, 2**31 - 1),
    "PNG of no pixels": lambda: png(0, 0),
    "PNG with an impossible depth": lambda: png(depth=77),
    "harmless: PNG without a palette": lambda: png(colour=3),
    "harmless: PNG whose pixels inflate to 256 MB": lambda: png(pixels=b"\0").replace(
        chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IDAT", bomb(2**28))
    ),
    "harmless: PNG of 20 million x 3": lambda: png(20_000_000, 3, pixels=bytes(60_000_003)),
    "harmless: PNG of 1 x 10 million": lambda: png(1, 10_000_000, pixels=bytes(20_000_000)),
    "PNG with text of 256 MB": lambda: png(8, 8, chunk(b"zTXt", b"a\0\0" + bomb(2**28))),
    "PNG with 200 texts of 900 kB": lambda: png(
        8, 8, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000)))] * 200
    ),
    "PNG with a colour profile of 256 MB": lambda: png(8, 8, chunk(b"iCCP", b"a\0\0" + bomb(2**28))),
    "PNG with a chunk of 4 GB": lambda: png()[:33] + struct.pack(">I", 2**32 - 1) + b"zTXt",
    "PNG cut short": lambda: saved("PNG")[:60],
    "PNG with a wrong checksum": lambda: saved("PNG").replace(b"IHDR\0\0\0\x40", b"IHDR\0\0\0\x41"),
    "harmless: APNG of 4 billion frames": lambda: png(8, 8, chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))),
    "APNG with a frame outside": lambda: png(
        8,
        8,
        chunk(b"acTL", struct.pack(">II", 2, 0)),
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 99, 99, 9, 9, 1, 1, 0, 0)),
    ),
    "JPEG of 65500 x 65500": lambda: jpeg(width=65_500, height=65_500),
    "JPEG cut short": lambda: saved("JPEG")[:-300],
    "JPEG of nothing but a beginning": lambda: b"\xff\xd8\xff\xe0",
    "JPEG with 5000 scans": lambda: scans(2000, 5000),
    "GIF of 65535 x 65535": lambda: gif(65_535, 65_535, gif_frame(65_535, 65_535)),
    "GIF of 20000 x 20000 and 1000 frames": lambda: gif(20_000, 20_000, *[gif_frame()] * 1000),
    "harmless: GIF of a million frames": lambda: gif(1, 1, *[gif_frame()] * 10**6),
    "GIF with a frame outside": lambda: gif(8, 8, gif_frame(60_000, 60_000, 50_000)),
    "GIF of garbage": lambda: gif(64, 64, gif_frame(64, 64, data=b"\x0c\xff" + b"\xff" * 255 + b"\0")),
    "GIF cut short": lambda: saved("GIF")[:100],
    "WebP of 16383 x 16383": lambda: webp(b"VP8L", b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(20)),
    "WebP of 16 million x 16 million": lambda: webp(b"VP8X", b"\x02\0\0\0" + b"\xff" * 6 + bytes(30)),
    "WebP that lies about its size": lambda: webp(b"VP8 ", bytes(30), 2**32 - 1),
    "WebP cut short": lambda: saved("WEBP")[:60],
    "BMP of negative width": lambda: bmp(-8, 8),
    "BMP of 2^31 x 2^31": lambda: bmp(2**31 - 1, -(2**31)),
    "BMP of no depth": lambda: bmp(4, 4, bits=0),
    "BMP with a palette of 4 billion": lambda: bmp(4, 4, bits=8, palette=2**32 - 1),
    "BMP of 9000 x 9000 in 20 bytes": lambda: bmp(9000, 9000, bits=8, compression=1, data=bytes(1024) + b"\xff\1" * 10),
    "TIFF of nothing but a beginning": lambda: b"II*\0",
    "TIFF whose pages are nowhere": lambda: b"II*\0\xff\xff\xff\x7f",
    "TIFF whose pages run in a circle": lambda: tiff(following=72),
    "TIFF of 16 TB": lambda: tiff({256: 2**22, 257: 2**22, 278: 2**22}),
    "TIFF of 16 TB in Deflate": lambda: tiff({256: 2**22, 257: 2**22, 278: 2**22, 259: 8}),
    "TIFF of 4 billion pixels in LZW": lambda: tiff({256: 65_535, 257: 65_535, 278: 65_535, 259: 5}),
    "TIFF of 4 billion bits": lambda: tiff({258: 2**32 - 1}),
    "TIFF of 65535 channels": lambda: tiff({277: 65_535, 256: 4000, 257: 4000, 278: 4000}),
    "TIFF of 4 billion strips": lambda: tiff({278: 1}, counts={273: 2**32 - 1, 279: 2**32 - 1}),
    "TIFF with strips outside": lambda: tiff({273: 2**31}),
    "TIFF with tiles of 2^31": lambda: tiff({322: 2**31, 323: 2**31, 324: 8, 325: 64}),
    "TIFF with a bomb in Deflate": lambda: tiff({256: 8000, 257: 8000, 278: 8000, 259: 8}, bomb(2**29)),
    "harmless: TIFF with a description of 4 GB": lambda: tiff({270: 8}, counts={270: 2**32 - 1}),
    "TIFF with unknown compression": lambda: tiff({259: 50_001}),
    "TIFF with garbage as JPEG": lambda: tiff({259: 7, 262: 6, 277: 3}, b"\xff\xd8" + b"\xff" * 90),
    "TIFF with garbage as LZW": lambda: tiff({259: 5}, b"\xff" * 64),
    "TIFF cut short": lambda: written()[:-500],
    "TIFF of a billion planes in ImageJ's words": lambda: written(
        description="ImageJ=1.11a\nimages=1000000000\nslices=1000000000\n", metadata=None
    ),
    "TIFF of a billion planes in OME's words": lambda: ome(
        'SizeX="64" SizeY="48" SizeT="1000000000" SizeZ="1" SizeC="1" Type="uint8" DimensionOrder="XYZCT"'
    ),
    "harmless: TIFF with a billion laughs": lambda: ome(
        'SizeX="64" SizeY="48" SizeT="1" SizeZ="1" SizeC="1" Type="&a9;" DimensionOrder="XYZCT"', LAUGHS
    ),
    "BigTIFF whose pages are at 2^63": lambda: struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**63),
    "BigTIFF with 2^64 tags": lambda: struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**64 - 1),
    # strange, but no harm
    "harmless: JPEG with EXIF in a circle": lambda: jpeg(
        exif(b"\0\1" + struct.pack(">HHII", 0x8769, 4, 1, 8) + struct.pack(">I", 8))
    ),
    "harmless: JPEG with EXIF of 4 billion values": lambda: jpeg(
        exif(b"\0\1" + struct.pack(">HHII", 0x0112, 3, 2**32 - 1, 8) + bytes(4))
    ),
    "harmless: BMP from the top": lambda: bmp(4, -4),
    "harmless: TIFF of 3000 pages": lambda: pages(3000),
    "harmless: PNG named otherwise": lambda: saved("PNG"),
}

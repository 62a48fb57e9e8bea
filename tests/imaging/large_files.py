"""Image files of 9 megapixels: `FILES`; those in `GREEDY` have decoders that need more than the image in any case."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIDE = 3000
# Smooth, so that files are small: their own bytes are no part of what is measured.
GREY = np.add.outer(np.arange(SIDE) // 16, np.arange(SIDE) // 16).astype(np.uint8)
GREY16 = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.uint16) * np.uint16(8)
FLAT16 = GREY16 // 2**15 * np.uint16(999)
RGB = np.dstack([GREY, GREY, 255 - GREY])
RGBA = np.dstack([RGB, GREY])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_deep_png(path: Path, channels: int) -> None:
    """Write a PNG of 16 bits per channel, which Pillow cannot."""
    line = b"\0" + np.repeat(GREY16[:1], channels, axis=0).T.astype(">u2").tobytes()
    packer = zlib.compressobj(1)
    pixels = b"".join([packer.compress(line) for _ in range(SIDE)]) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def saved(pixels: np.ndarray, mode: str = "", **options: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path, **options)

    return write


def written(pixels: np.ndarray, **options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, pixels, **options)


FILES: dict[str, Callable[[Path], None]] = {
    "8-bit grey.png": saved(GREY, compress_level=1),
    "16-bit grey.png": saved(GREY16, compress_level=1),
    "8-bit RGB.png": saved(RGB, compress_level=1),
    "8-bit RGBA.png": saved(RGBA, compress_level=1),
    "16-bit RGB.png": lambda path: write_deep_png(path, 3),
    "16-bit RGBA.png": lambda path: write_deep_png(path, 4),
    "16-bit grey and alpha.png": lambda path: write_deep_png(path, 2),
    "palette.png": saved(GREY, "P", compress_level=1),
    "palette with transparency.png": saved(GREY, "P", compress_level=1, transparency=3),
    "grey.jpg": saved(GREY),
    "RGB.jpg": saved(RGB),
    "CMYK.jpg": saved(RGB, "CMYK"),
    "grey.gif": saved(GREY),
    "palette.gif": saved(RGB // 64 * 64),
    "palette with transparency.gif": saved(RGB // 64 * 64, "P", transparency=3),
    "RGB.bmp": saved(RGB),
    "8-bit RGB.tif": written(RGB, photometric="rgb"),
    "16-bit grey.tif": written(GREY16),
    "32-bit float.tif": written(GREY16.astype(np.float32)),
    "zero is white.tif": written(GREY16, photometric="miniswhite"),
    "Deflate.tif": written(RGB, photometric="rgb", compression="zlib"),
    "Deflate in one strip.tif": written(GREY16, compression="zlib", rowsperstrip=SIDE),
    "Deflate in tiles.tif": written(GREY16, compression="zlib", tile=(256, 256)),
    "8-bit RGB in LZW.tif": saved(RGB // 128, compression="tiff_lzw"),
    "16-bit grey in LZW.tif": saved(FLAT16, compression="tiff_lzw"),
    "JPEG.tif": saved(RGB, compression="jpeg"),
}
GREEDY: dict[str, Callable[[Path], None]] = {
    "8-bit grey and alpha.png": saved(RGBA, "LA", compress_level=1),
    "one bit.png": saved(GREY > 99),
    "RGB in several scans.jpg": saved(RGB, progressive=True),
    "differences of floats in LZW.tif": written(
        GREY16.astype(np.float32), compression="lzw", predictor=3, rowsperstrip=SIDE
    ),
    "lossless RGB.webp": saved(RGB, lossless=True, quality=0, method=0),
    "RGB.webp": saved(RGB, method=0),
    "animation.gif": saved(RGB // 64 * 64, save_all=True, append_images=[Image.fromarray(RGB[::-1] // 64 * 64)]),
}

"""Pages of TIFF files whose bytes are packed in LZW and the like: libtiff unpacks them, tifffile makes numbers of them.

Pillow, which brings libtiff, also makes numbers, but wrong ones of many types: of signed ones and floats in big-endian
files, of int8 and uint32, and of 16-bit colours only the upper 8 bits.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.decoding import bands, decode
from napari_webipred.imaging.deflate import DEFLATE, NO_PREDICTOR, SEPARATE, STEP
from napari_webipred.imaging.raster import open_image
from napari_webipred.imaging.tiff_file import BLACK_IS_ZERO, PALETTE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import FileHandle, TiffPage

NONE, LZW, LZMA, ZSTANDARD = 1, 5, 34925, 50000
FLOAT_PREDICTOR = 3
COPIES = 4  # of a strip or tile in memory: packed, unpacked, as numbers, and without the predictor
GROWTH, SMALLEST = 2, 4096  # bytes of a pixel byte, and of any strip, that packing may take: LZW has codes of 12 bits
LONG = 4  # type of a tag: whole numbers of 4 bytes
ZERO = bytes.fromhex("28b52ffd 20 01 090000 00")  # a byte in Zstandard (RFC 8878)


@cache
def reads_zstandard() -> bool:
    """Tell whether libtiff unpacks Zstandard, as Pillow brings it; for Windows, it does not."""
    with open_image(BytesIO(_as_grey([ZERO], 1, 1, 1, ZSTANDARD, 1)), ("TIFF",)) as image:
        try:
            return decode(image).size == 1
        except OSError:
            return False


def is_packed(page: TiffPage) -> bool:
    """Tell whether a page is one of these, and of numbers that Pillow does not give as they are."""
    grey, flat = page.samplesperpixel == 1, page.imagedepth == 1
    shallow = page.dtype == np.uint8 and (grey or page.samplesperpixel == 3)
    is_for_pillow = flat and (shallow or (page.dtype == np.uint16 and grey and page.photometric == BLACK_IS_ZERO))
    return (
        not is_for_pillow
        and page.compression in {LZW, LZMA, ZSTANDARD, *(DEFLATE if page.predictor == FLOAT_PREDICTOR else ())}
        and (page.predictor != FLOAT_PREDICTOR or page.dtype.kind == "f")
        and page.photometric <= PALETTE
        and page.bitspersample == 8 * page.dtype.itemsize
    )


def read_packed(page: TiffPage) -> NDArray[Any]:
    """Read a page of which `is_packed` is true: shape and values are those of tifffile. The page is changed.

    Raises
    ------
    ImageError
        A strip or tile holds less than the page claims.
    """
    chunks, floats = _unpacked(page, page.compression, page.fillorder), page.predictor == FLOAT_PREDICTOR
    page.compression, page.fillorder = NONE, 1  # for the rest, which tifffile does
    if floats:
        page.predictor = NO_PREDICTOR
    pixels = np.zeros(page.shaped, page.dtype)  # planes, depth, height, width, samples
    for index, data in enumerate(chunks):
        made, (plane, first, top, left, _), shape = page.decode(_floats(data, page) if floats else data, index)
        if made is None:
            raise ImageError("The file is damaged: it holds fewer pixels than it claims.")
        part = pixels[plane, first : first + shape[0], top : top + shape[1], left : left + shape[2]]
        part[...] = made[: part.shape[0], : part.shape[1], : part.shape[2]]
        del data, made  # before the next is unpacked
    return pixels.reshape(page.shape)


def _unpacked(page: TiffPage, compression: int, fill_order: int) -> Iterator[memoryview]:
    """Yield the bytes of each strip or tile, several of which are unpacked together."""
    file = page.parent.filehandle
    together = page.samplesperpixel if page.planarconfig != SEPARATE else 1
    width, rows = page.imagewidth, min(page.rowsperstrip, page.imagelength)
    if page.is_tiled:
        width, rows = page.tilewidth, page.tilelength * page.tiledepth
    row = width * together * page.dtype.itemsize
    # The last strip of a plane may have fewer rows; tiles are all alike.
    per_plane = len(page.dataoffsets) if page.is_tiled else math.ceil(page.imagelength / rows)
    at_once = max(1, STEP // (row * rows))
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    for first in range(0, len(places), per_plane):
        plane = places[first : first + per_plane]
        for begin in range(0, len(plane), at_once):
            group = plane[begin : begin + at_once]
            heights = [rows] * len(group)
            if not page.is_tiled:
                heights[-1] = min(rows, page.imagelength - (begin + len(group) - 1) * rows)
            packed = (_packed(file, *place, row * rows) for place in group)
            content = _as_grey(list(packed), row, rows, sum(heights), compression, fill_order)
            with open_image(BytesIO(content), ("TIFF",)) as image:
                unpacked = decode(image).reshape(-1).data
            del content, image
            at = 0
            for height in heights:
                yield unpacked[at : at + height * row]
                at += height * row
            del unpacked


def _packed(file: FileHandle, offset: int, count: int, unpacked: int) -> bytes:
    """Read a strip or tile, no more than it can need: each may claim to be as long as the file."""
    file.seek(offset)
    found: bytes = file.read(min(count, GROWTH * unpacked + SMALLEST))
    return found


def _as_grey(packed: list[bytes], row: int, rows: int, height: int, compression: int, fill_order: int) -> bytes:
    """Return a TIFF file of these strips in which each byte is a grey pixel."""
    lengths = [len(strip) for strip in packed]
    tags: dict[int, tuple[int, ...]] = {256: (row,), 257: (height,), 258: (8,), 259: (compression,), 262: (1,)}
    tags |= {266: (fill_order,), 273: (0,) * len(packed), 277: (1,), 278: (rows,), 279: tuple(lengths)}
    tables = 8 + 2 + 12 * len(tags) + 4  # where the values begin that do not fit into their tags
    strips = tables + sum(4 * len(values) for values in tags.values() if len(values) > 1)
    tags[273] = tuple(accumulate(lengths[:-1], initial=strips))
    head, more = struct.pack("<2sHIH", b"II", 42, 8, len(tags)), b""
    for tag, values in tags.items():
        place = values[0] if len(values) == 1 else tables + len(more)
        head += struct.pack("<HHII", tag, LONG, len(values), place)
        more += struct.pack(f"<{len(values)}I", *values) if len(values) > 1 else b""
    return b"".join((head, bytes(4), more, *packed))


def _floats(data: memoryview, page: TiffPage) -> memoryview:
    """Undo the predictor of floats: the bytes of a row lie by their weight, as differences."""
    width = page.tilewidth if page.is_tiled else page.imagewidth
    samples = page.samplesperpixel if page.planarconfig != SEPARATE else 1
    size = page.dtype.itemsize
    rows = np.frombuffer(data, np.uint8).reshape(-1, width * size, samples)
    floats = np.empty((len(rows), width * samples), page.dtype.newbyteorder(page.parent.byteorder))
    for band in bands(len(rows), width * size * samples):
        summed = np.add.accumulate(rows[band], axis=1, dtype=np.uint8).reshape(-1, size, width * samples)
        floats[band] = np.ascontiguousarray(summed.swapaxes(1, 2)).view(f">f{size}")[..., 0]
    return floats.view(np.uint8).reshape(-1).data

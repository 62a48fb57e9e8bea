"""Strips and tiles of TIFF files in Deflate, inflated in small steps."""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.decoding import bands

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffPage

DEFLATE = {8, 32946}  # numbers of the compression
PLAIN = {1, *DEFLATE, 32773}  # compressions that tifffile reads without a package of codecs: none, Deflate, PackBits
DEFLATE_RATIO = 1032  # no Deflate stream grows by more
STEP = 2**20  # bytes that are inflated at a time
LARGE_STRIP = 8 * STEP  # from here on it matters that tifffile has a decoded strip in memory three times
NO_PREDICTOR, HORIZONTAL = 1, 2
SEPARATE = 2  # each channel on its own, one after the other


def is_in_large_strips(page: TiffPage) -> bool:
    """Tell whether a page lies in large Deflate strips of whole numbers of bytes; some programs write only one."""
    return (
        page.compression in DEFLATE
        and not page.is_tiled
        and page.fillorder == 1
        and page.imagedepth == 1
        and page.bitspersample == 8 * page.dtype.itemsize
        and (page.predictor == NO_PREDICTOR or (page.predictor == HORIZONTAL and page.dtype.kind in "ui"))
        and math.prod(page.chunks) * page.dtype.itemsize > LARGE_STRIP
    )


def read_large_strips(page: TiffPage) -> NDArray[Any]:
    """Read a page of which `is_in_large_strips` is true: shape and values are those of tifffile, in native byte order.

    Raises
    ------
    ImageError
        A strip holds fewer or more bytes than the page claims.
    """
    memory = np.empty(page.nbytes, np.uint8)
    height, planes = page.imagelength, page.samplesperpixel if page.planarconfig == SEPARATE else 1
    row = page.nbytes // (height * planes)
    rows = [min(page.rowsperstrip, height - top) for top in range(0, height, page.rowsperstrip)] * planes
    end = 0
    for offset, count, height_of_strip in zip(page.dataoffsets, page.databytecounts, rows, strict=True):
        start, end = end, end + row * height_of_strip
        for piece in inflated(page, offset, count, row * max(rows)):  # the last strip may be as long as the others
            kept = np.frombuffer(piece[: end - start], np.uint8)
            memory[start : start + len(kept)] = kept
            start += len(kept)
        if start < end:
            raise ImageError("The file is damaged: it holds fewer pixels than it claims.")
    if (page.parent.byteorder == "<") != (sys.byteorder == "little"):
        memory.view(f"u{page.dtype.itemsize}").byteswap(inplace=True)
    pixels: NDArray[Any] = memory.view(page.dtype.newbyteorder("="))
    if page.predictor == HORIZONTAL:  # each number was replaced by its difference from the one to the left
        differences = pixels.reshape(height * planes, page.imagewidth, -1)
        for band in bands(height * planes, row):
            np.add.accumulate(differences[band], axis=1, dtype=pixels.dtype, out=differences[band])
    return pixels.reshape(page.shape)


def inflated(page: TiffPage, offset: int, count: int, at_most: int) -> Iterator[bytes]:
    """Yield a strip or tile in small steps.

    Raises
    ------
    ImageError
        It inflates to more than so many bytes.
    """
    file = page.parent.filehandle
    file.seek(offset)
    inflating = zlib.decompressobj()
    length, rest = 0, b""
    while not inflating.eof:
        if not rest:
            rest = file.read(min(count, STEP))
            count -= len(rest)
        piece = inflating.decompress(rest, STEP)
        if not piece and not rest:  # cut short
            return
        rest = inflating.unconsumed_tail
        length += len(piece)
        if length > at_most:
            raise ImageError("The file is damaged: its pixels inflate to more than it claims.")
        yield piece

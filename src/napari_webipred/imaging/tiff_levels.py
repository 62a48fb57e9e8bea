"""Tiled and pyramidal TIFF files: OME-TIFF, SVS, NDPI and others, of which only the tiles that are needed are read.

Tiles are decoded by tifffile without its Zarr store, which takes 0.3 to 2.6 ms more for each.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import ImageError
from napari_webipred.imaging.deflate import DEFLATE, DEFLATE_RATIO, PLAIN
from napari_webipred.imaging.pyramid import Pyramid, check_block, levels_of
from napari_webipred.imaging.source import Index
from napari_webipred.imaging.stored import Box, Stored
from napari_webipred.imaging.tiff_file import (
    BLACK_IS_ZERO,
    ORIENTATION,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    axis_names,
    check_file,
    check_ome,
    opened_tiff,
)
from napari_webipred.imaging.tile_sizes import JPEG, JPEG_2000, SIZES, WEBP

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage, TiffPageSeries

LZW, ZSTANDARD = 5, 50000
# Aperio's 33003 is JPEG 2000 whose colours come out as YCbCr, without a word of it.
CODECS = {*PLAIN, LZW, ZSTANDARD, *JPEG, *JPEG_2000, WEBP}
DECODES_COLOURS = {*JPEG, *JPEG_2000, WEBP}  # of these codecs YCbCr comes out as RGB
NOT_FOR_PILLOW = {*JPEG_2000, 33007, WEBP}
INSTALL = 'Install it: pip install "napari-webipred[slides]"'
MARGIN = 2  # some writers fill up the last tile to a multiple of 16
SEPARATE = 2
MICROMETRES = {2: 25_400.0, 3: 10_000.0}  # of an inch and a centimetre, by the number of TIFF's unit
UNITS = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "\u03bcm": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
SMALLEST_PIXEL, LARGEST_PIXEL = 0.01, 100.0  # micrometres; 72 dots per inch, which means nothing, are 353


def describe(path: Path, name: str) -> Pyramid:
    """Describe the largest picture of a file.

    Raises
    ------
    ImageError
        The file claims what cannot be, or holds no picture that can be read in tiles or strips.
    Exception
        Of tifffile, if the file is damaged.
    """
    check_file(path)
    with opened_tiff(path) as file:
        status = path.stat()
        check_ome(file, status.st_size)
        found = _largest(file)
        if found is None:
            raise ImageError(
                "The file holds no picture that can be read tile by tile.",
                "Save it as OME-TIFF or OME-Zarr in grey or RGB.",
            )
        number, series = found
        _check_codec(series.keyframe)
        shapes, blocks = [], []
        for level in series.levels:
            page = level.keyframe
            shapes.append((int(page.imagelength), int(page.imagewidth)))
            blocks.append((int(page.chunks[0]), int(page.chunks[1])))
        leading = _leading(series)
        page = series.keyframe
        return check_block(
            Pyramid(
                name,
                "tiff",
                path.absolute(),
                levels_of(shapes, blocks),
                np.dtype(page.dtype).str,
                int(page.samplesperpixel) if page.samplesperpixel > 1 else 0,
                axis_names(leading),
                tuple(int(n) for n in series.shape[: len(leading)]),
                _pixel_size(file, number),
                (status.st_size, status.st_mtime_ns),
                details=number,  # of the series that the picture is
            )
        )


def is_slide(file: TiffFile) -> bool:
    """Tell whether a file is better read from its levels, in tiles, than page by page."""
    if file.is_svs or file.is_ndpi or file.is_scn or file.is_bif:
        return True
    page = file.pages.first
    if not _is_plain(page) or math.prod(page.chunks) * page.dtype.itemsize > limits.BLOCK_AT_MOST:
        return False
    large = page.is_tiled and page.imagelength * page.imagewidth > limits.LEVEL_PIXELS
    return bool(large or page.compression in NOT_FOR_PILLOW)


def _largest(file: TiffFile) -> tuple[int, TiffPageSeries] | None:
    best = None
    for number, series in enumerate(file.series):
        page = series.keyframe
        if not _is_readable(series, page):
            continue
        pixels = page.imagelength * page.imagewidth
        if best is None or pixels > best[0]:
            best = pixels, number, series
    return None if best is None else best[1:]


def _is_readable(series: TiffPageSeries, page: TiffPage) -> bool:
    """Tell whether each plane of a series is a page of this file that holds grey or RGB."""
    if page is None or not _is_plain(page) or tuple(series.shape[len(_leading(series)) :]) != tuple(page.shape):
        return False
    planes = math.prod(series.shape[: len(_leading(series))])
    here = all(each is not None and len(each.treeindex) == 1 for each in series.pages)
    return bool(here and len(series.pages) == planes and not series.is_multifile)


def _is_plain(page: TiffPage) -> bool:
    """Tell whether a page holds grey or RGB of usual numbers, the right way up."""
    if not page.size or page.dtype is None or page.dtype.kind not in "buif" or page.imagedepth != 1:
        return False
    colours = page.photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB} or (
        page.photometric == YCBCR and page.compression in DECODES_COLOURS
    )
    orientation = page.tags.get(ORIENTATION)
    return bool(
        colours
        and page.compression in CODECS
        and page.axes in {"YX", "YXS", "SYX"}
        and page.samplesperpixel in {1, 3, 4}
        and page.bitspersample in {1, 8, 16, 32, 64}
        and (orientation is None or orientation.value == 1)
    )


def _leading(series: TiffPageSeries) -> str:
    """Return the letters of the axes along which the pages of a series lie."""
    letters: str = series.axes[: max(len(series.axes) - len(series.keyframe.axes), 0)]
    return letters


def _pixel_size(file: TiffFile, number: int) -> tuple[float, float] | None:
    """Return the micrometres along a pixel of a series that the file tells, down and across, if they can be true."""
    page = file.series[number].keyframe
    found = _of_ome(file, number) if file.is_ome else _of_svs(page) if file.is_svs else None
    found = found or _of_resolution(page)
    if found is None or not all(SMALLEST_PIXEL <= each <= LARGEST_PIXEL for each in found):
        return None
    return found


def _of_ome(file: TiffFile, number: int) -> tuple[float, float] | None:
    """Return what the text says of the image that is a series; None if it tells of more or fewer than there are."""
    sizes = []
    images = re.findall(r"<(?:\w+:)?Pixels\b[^>]*", file.ome_metadata or "")
    if len(images) != len(file.series):
        return None
    for letter in "YX":
        size = re.search(rf"""\bPhysicalSize{letter}\s*=\s*["']([\d.eE+-]{{1,30}})["']""", images[number])
        unit = re.search(rf"""\bPhysicalSize{letter}Unit\s*=\s*["']([^"']{{1,5}})["']""", images[number])
        factor = UNITS.get(unit[1] if unit else "µm")
        if size is None or factor is None:
            return None
        sizes.append(float(size[1]) * factor)
    return sizes[0], sizes[1]


def _of_svs(page: TiffPage) -> tuple[float, float] | None:
    found = re.search(r"\|\s*MPP\s*=\s*(\d{1,6}(?:\.\d{1,12})?)", page.description or "")
    return (float(found[1]), float(found[1])) if found else None


def _of_resolution(page: TiffPage) -> tuple[float, float] | None:
    unit = MICROMETRES.get(int(page.resolutionunit))
    across, down = page.resolution
    return None if unit is None or down <= 0 or across <= 0 else (unit / down, unit / across)


def opened(pyramid: Pyramid, level: int, plane: Index) -> Stored:
    """Open a plane of a file; see `napari_webipred.imaging.stored.Stored`. The file is closed when it is forgotten.

    Raises
    ------
    ImageError
        The file has changed since it was described, or what decodes its tiles is not installed.
    """
    path: Path = pyramid.location
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != pyramid.stamp:
        raise ImageError(f"{pyramid.name} has changed since it was opened.", "Start again.")
    with opened_tiff(path) as tiff:
        check_ome(tiff, status.st_size)
        series = tiff.series[pyramid.details].levels[level]
        number = int(np.ravel_multi_index(plane, pyramid.shape)) if plane else 0
        page, frame = series.keyframe, series.pages[number]
        segments = list(zip(frame.dataoffsets, frame.databytecounts, strict=True))
        tables = {"jpegtables": frame.jpegtables, "jpegheader": page.jpegheader} if page.compression in JPEG else {}
        decode = page.decode
    tiles = _Tiles(path.open("rb"), page, segments, decode, tables, status.st_size)
    rows, columns = pyramid.levels[level].shape
    down, across = pyramid.levels[level].block
    return Stored((rows, columns), (range(0, rows, down), range(0, columns, across)), tiles.read)


def _check_codec(page: TiffPage) -> None:
    if page.compression in PLAIN and page.predictor in {1, 2}:
        return
    try:
        import imagecodecs  # noqa: F401
    except ImportError as error:
        raise ImageError(f"What decodes tiles in {page.compression.name} is not installed.", INSTALL) from error


class _Tiles:
    """Reads and decodes the tiles of a page."""

    def __init__(
        self,
        file: IO[bytes],
        page: TiffPage,
        segments: list[tuple[int, int]],
        decode: Callable[..., Any],
        tables: dict[str, Any],
        file_size: int,
    ) -> None:
        self._file, self._page, self._segments, self._decode, self._tables = file, page, segments, decode, tables
        self._file_size, self._lock = file_size, Lock()
        finalize(self, file.close)
        self._chunk = int(page.chunks[0]), int(page.chunks[1])
        self._across = -(-int(page.imagewidth) // self._chunk[1])
        self._down = -(-int(page.imagelength) // self._chunk[0])
        self._parts = int(page.samplesperpixel) if page.planarconfig == SEPARATE else 1
        self._size = math.prod(page.chunks) * page.dtype.itemsize

    def read(self, box: Box, place: tuple[int, int]) -> NDArray[Any]:
        """Read a tile or strip."""
        number = place[0] * self._across + place[1]
        parts = [self._part(number + part * self._down * self._across, box) for part in range(self._parts)]
        pixels = parts[0] if self._parts == 1 else np.stack([part[..., 0] for part in parts], axis=-1)
        pixels = pixels[..., 0] if self._page.samplesperpixel == 1 else pixels[..., :4]
        return np.invert(pixels) if self._page.photometric == WHITE_IS_ZERO else pixels

    def _part(self, number: int, box: Box) -> NDArray[Any]:
        height, width = box[2] - box[0], box[3] - box[1]
        offset, count = self._segments[number]
        if not count:  # a tile that was never written
            samples = 1 if self._parts > 1 else self._page.samplesperpixel
            return np.full((height, width, samples), self._page.nodata, self._page.dtype)
        if offset + count > self._file_size:
            raise ImageError("The file is cut short: a part of the pixels is missing.")
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(count)
        self._check(data)
        found: NDArray[Any] = self._decode(data, number, **self._tables, _fullsize=self._page.is_tiled)[0]
        return found[0, :height, :width]

    def _check(self, data: bytes) -> None:
        """Refuse a tile that says of itself that it is larger than the page says, before it is decoded."""
        codec = self._page.compression
        may_be_a_bomb = codec in DEFLATE and len(data) * DEFLATE_RATIO > limits.STRIP_AT_MOST
        if may_be_a_bomb and len(zlib.decompressobj().decompress(data, self._size + 1)) > self._size:
            raise ImageError("The file is damaged: its pixels inflate to more than it claims.")
        told = SIZES.get(codec)
        if told is None:
            return
        size = told(b"".join((self._tables.get("jpegheader") or b"", data)))
        if size is None or any(side > MARGIN * own for side, own in zip(size, self._chunk, strict=True)):
            raise ImageError("The file is damaged: a tile is larger than it claims, or does not say how large it is.")

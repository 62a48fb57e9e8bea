"""TIFF files: single images, pages, and stacks as ImageJ, OME and tifffile write them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from napari_webipred.errors import ImageError
from napari_webipred.imaging import windows
from napari_webipred.imaging.decoding import decode
from napari_webipred.imaging.deflate import (
    DEFLATE,
    DEFLATE_RATIO,
    PLAIN,
    SEPARATE,
    STEP,
    inflated,
    is_in_large_strips,
    read_large_strips,
)
from napari_webipred.imaging.raster import check_pixels, memory_of_lines, open_image, upright
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.tiff_file import (
    CMYK,
    ORIENTATION,
    PALETTE,
    PHOTOMETRIC,
    RGB,
    WHITE_IS_ZERO,
    axis_names,
    check_file,
    check_ome,
    opened_tiff,
)
from napari_webipred.imaging.tiff_packed import (
    COPIES,
    FLOAT_PREDICTOR,
    ZSTANDARD,
    is_packed,
    read_packed,
    reads_zstandard,
)
from napari_webipred.limits import PAGE_AT_MOST, STRIP_AT_MOST

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage, TiffPageSeries

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ALPHA = {1, 2}


def describe(path: Path, name: str) -> Source:
    """Describe a TIFF file from its directories.

    Stacks of ImageJ, OME and tifffile keep their axes, named by the letters of tifffile in lower case (``"t"``,
    ``"z"``, ``"c"``); an axis without a meaning is ``"page"``, several of them ``"axis_0"``, ``"axis_1"``, ...
    Several series of one shape are planes along ``"series"``. In any other file each page is a plane along
    ``"page"``, whatever its size; thumbnails, pyramid levels and masks are left out. Whole numbers of which zero is
    white are inverted. A palette is looked up. *Orientation* is honoured. Colour profiles are not applied.

    Only this very file is read, also if it is part of a set. Compressions other than Deflate, PackBits, LZW, LZMA
    and Zstandard (JPEG, CCITT, ...) and colours other than RGB (CMYK, YCbCr, ...) are decoded by Pillow, which reads
    the upper 8 bits of 16-bit CMYK.

    Of slides (SVS, NDPI and others) and of pictures in tiles with more than `limits.LEVEL_PIXELS` pixels, the level
    that fits is read; labels and overviews are left out.

    Raises
    ------
    ImageError
        The file claims to hold more than can be in it.
    Exception
        Of tifffile, if the file is damaged.
    """
    from napari_webipred.imaging import tiff_levels  # needed for no other format

    check_file(path)
    with opened_tiff(path) as file:
        check_ome(file, path.stat().st_size)
        if tiff_levels.is_slide(file):
            return windows.whole(tiff_levels.describe(path, name), windows.SLIDE.id)
        stack = _stack_of_series(file)
        claimed = math.prod(stack.shape if stack else ())
        if int((file.imagej_metadata or {}).get("images", 1)) > max(claimed, len(file.pages)):
            raise ImageError("The file is cut short: it does not hold all the planes of its stack.")
    if stack is None:
        with opened_tiff(path) as file:  # anew, because tifffile now knows the pages only as frames of a series
            stack = _stack_of_pages(file)
    if stack.offset is not None and stack.offset + stack.bytes > path.stat().st_size:
        raise ImageError("The file is cut short: it does not hold all the planes of its stack.")
    return Source(name, READER.id, path, stack.axes, stack.shape, details=stack)


class Stack(Struct, frozen=True):
    """Where the planes of a file are.

    Attributes
    ----------
    axes, shape : tuple
        Of the planes.
    pages : tuple of int
        The pages with the planes, in their order; each holds ``inside`` planes.
    offset : int, optional
        Where all planes start one after the other, if they share one page, as in large stacks of ImageJ.
    bytes : int
        Length of all planes, if there is an offset.
    memory : tuple of int
        Bytes that reading each page takes at most.
    directories : tuple of int
        Where the directory of each page starts: tifffile would go through all pages before it.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    pages: tuple[int, ...]
    memory: tuple[int, ...]
    directories: tuple[int, ...]
    inside: int = 1
    offset: int | None = None
    bytes: int = 0

    def place(self, index: Index) -> tuple[int, int]:
        """Return where a plane is: which of the pages, and which plane inside of it or after the offset."""
        number = int(np.ravel_multi_index(index, self.shape)) if index else 0
        return (0, number) if self.offset is not None else divmod(number, self.inside)


def _stack_of_series(file: TiffFile) -> Stack | None:
    """Understand a file by what its writer noted about axes; None if it noted nothing that helps."""
    if not (file.is_ome or file.is_imagej or file.is_shaped or file.is_lsm or file.is_stk):
        return None
    parts = [_stack_of(series) for series in file.series]
    first = parts[0] if parts else None
    if first is None or len(parts) == 1:
        return first
    alike = [
        part
        for part in parts
        if part and (part.axes, part.shape, part.inside) == (first.axes, first.shape, first.inside)
    ]
    if len(alike) < len(parts) or any(part.offset is not None for part in alike):
        return None
    pages = tuple(page for part in alike for page in part.pages)
    memory = tuple(size for part in alike for size in part.memory)
    directories = tuple(place for part in alike for place in part.directories)
    return Stack(("series", *first.axes), (len(parts), *first.shape), pages, memory, directories, first.inside)


def _stack_of(series: TiffPageSeries) -> Stack | None:
    letters, lengths = series.axes, series.shape
    ends = re.fullmatch(r"([^YXS]*)(S?YX|YXS)", letters)
    if ends is None or series.transform is not None or series.is_multifile:
        return None
    axes, shape = axis_names(ends[1]), tuple(int(length) for length in lengths[: len(ends[1])])
    pages = list(series)
    if any(page is None or len(page.treeindex) > 1 for page in pages):
        return None  # parts of the stack lie in other files
    numbers = tuple(page.index for page in pages if page is not None)
    starts = tuple(int(page.offset) for page in pages if page is not None)
    planes, held = math.prod(shape), series.keyframe.size
    memory = (_memory(series.keyframe),) * len(numbers)
    if len(numbers) * held == series.size and planes % len(numbers) == 0:
        return Stack(axes, shape, numbers, memory, starts, planes // len(numbers))
    if series.dataoffset is not None and held * planes == series.size:
        return Stack(axes, shape, numbers[:1], memory[:1], starts[:1], offset=series.dataoffset, bytes=series.nbytes)
    return None


def _stack_of_pages(file: TiffFile) -> Stack:
    pages = {
        n: (_memory(page), int(page.offset))
        for n, page in enumerate(file.pages)
        if not (page.is_reduced or page.is_mask)
    } or {0: (0, int(file.pages.first.offset))}
    memory, starts = zip(*pages.values(), strict=True)
    if len(pages) == 1:
        return Stack((), (), tuple(pages), memory, starts)
    return Stack(("page",), (len(pages),), tuple(pages), memory, starts)


def _memory(page: TiffPage) -> int:
    """Return the bytes that reading a page takes at most; 0 for one that will be refused."""
    if not page.size or page.dtype is None or "Y" not in page.axes or "X" not in page.axes:
        return 0
    pixels = page.imagewidth * page.imagelength
    chunk = math.prod(page.chunks) * page.dtype.itemsize
    colours = 3 * pixels if page.photometric == PALETTE else 0
    if is_packed(page):
        return int(page.nbytes + colours + COPIES * max(chunk, STEP))
    if not _is_for_tifffile(page):
        size = pixels * (page.dtype.itemsize if page.samplesperpixel == 1 else 4)
        turned = size if _orientation(page) > 1 else 0  # Pillow makes a copy
        return int(chunk + size + turned + memory_of_lines(page.imagewidth, page.imagelength))
    copies = 0 if page.is_contiguous or is_in_large_strips(page) else 3
    return int(page.nbytes + colours + copies * chunk)


def _read(source: Source, index: Index) -> NDArray[Any]:
    path: Path = source.location
    stack: Stack = source.details
    place, part = stack.place(index)
    with opened_tiff(path) as file:
        page = _page(file, stack.pages[place], stack.directories[place])
        _check_page(page, path.stat().st_size)
        if stack.offset is not None:
            offset = stack.offset + part * page.nbytes
            pixels = np.fromfile(path, np.dtype(file.byteorder + page.dtype.char), page.size, offset=offset)
            pixels = pixels.reshape(page.shape)
        elif is_packed(page):
            pixels = read_packed(page)
        elif not _is_for_tifffile(page):
            return _by_pillow(path, page)
        elif is_in_large_strips(page):
            pixels = read_large_strips(page)
        else:
            pixels = page.asarray(buffersize=STEP)
        if stack.offset is None and stack.inside > 1:
            planes = np.moveaxis(pixels, -1, 0) if page.axes.endswith("S") else pixels
            pixels = planes.reshape(stack.inside, *planes.shape[-2:])[part]
        else:
            pixels = _in_colour(pixels, page)
        return upright(_to_white(_black_is_zero(pixels, page), page), _orientation(page))


def _page(file: TiffFile, number: int, directory: int) -> TiffPage:
    """Return a page that begins at a known place in the file."""
    from tifffile import TiffPage

    if number == 0:
        return file.pages.first
    file.filehandle.seek(directory)
    return TiffPage(file, index=number)


def _is_for_tifffile(page: TiffPage) -> bool:
    # Pillow makes all of 0..255 of 2 and 4 bits, which tifffile leaves as they are, and needs no codec for them.
    shallow = page.bitspersample in {2, 4} and page.samplesperpixel == 1
    plain = page.compression in PLAIN and page.predictor != FLOAT_PREDICTOR and page.photometric <= PALETTE
    return plain and not shallow


def _check_page(page: TiffPage, file_size: int) -> None:
    """Refuse a page before anything is decoded if it is too large, or is not all there."""
    if not page.size or page.dtype is None or "Y" not in page.axes or "X" not in page.axes:
        raise ImageError("The page has no pixels of a kind that can be read.")
    chunk = math.prod(page.chunks) * page.dtype.itemsize
    if max(page.nbytes, chunk) > PAGE_AT_MOST or chunk > max(page.nbytes, STRIP_AT_MOST):
        raise ImageError(
            f"The page has {page.imagewidth}x{page.imagelength} pixels, more than {PAGE_AT_MOST // 2**30} GiB.",
            "Scale it down first; a model sees only a few hundred pixels of it.",
        )
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not all(count > 0 and offset + count <= file_size for offset, count in places) or not places:
        raise ImageError("The file is cut short: a part of the pixels is missing.")
    _check_kind(page)
    stored = page.nbytes * page.bitspersample // (8 * page.dtype.itemsize)  # 12 bits of 16 may be stored
    is_short = page.compression == 1 and page.bitspersample >= 8 and sum(page.databytecounts) < stored
    # Strips that are not packed may be fewer and longer than the page says; tiles are filled up beyond the edges.
    is_incomplete = (page.compression != 1 or page.is_tiled) and len(places) < math.prod(page.chunked)
    if is_short or is_incomplete:
        raise ImageError("The file is damaged: it holds fewer pixels than it claims.")
    check_pixels(page.imagewidth, page.imagelength, sum(page.databytecounts))
    if page.compression in DEFLATE and not is_in_large_strips(page):
        for offset, count in places:
            if count * DEFLATE_RATIO > STRIP_AT_MOST:
                for _ in inflated(page, offset, count, chunk):  # zlib itself would fill the memory
                    pass


def _check_kind(page: TiffPage) -> None:
    """Refuse pixels that nobody here reads rightly."""
    if page.compression == ZSTANDARD and not reads_zstandard():
        raise ImageError(
            "Images in the compression Zstandard cannot be read on this computer.",
            "Save the image without compression, or as PNG.",
        )
    if page.bitspersample == 24:  # whose bytes tifffile puts in disorder
        raise ImageError("Pixels of 24 bits cannot be read.", "Save the image with 16 or 32 bits for each number.")


def _by_pillow(path: Path, page: TiffPage) -> NDArray[Any]:
    from PIL import UnidentifiedImageError

    if page.imagedepth > 1:
        raise ImageError(
            "The page holds several planes in a compression of which only the first can be read.",
            "Save the planes as pages of their own, or without compression.",
        )
    if (
        page.photometric == CMYK
        and page.compression in PLAIN
        and page.planarconfig == SEPARATE
        and page.dtype.itemsize == 2
    ):
        return _of_inks(page)
    try:
        opened = open_image(path, ("TIFF",))
    except UnidentifiedImageError as error:  # the file is well-formed, or tifffile had not opened it
        name = getattr(page.compression, "name", page.compression)
        raise ImageError(
            f"Pixels of {page.bitspersample} bits in the compression {name} cannot be read.",
            "Save the image without compression, or as PNG.",
        ) from error
    with opened as image:
        image.seek(page.index)
        pixels = decode(image)  # Pillow turns it upright and inverts it up to 8 bits
    if not pixels.dtype.isnative:
        pixels = pixels.byteswap(inplace=True).view(pixels.dtype.newbyteorder("="))
    return pixels if pixels.dtype == np.uint8 or pixels.dtype == bool else _black_is_zero(pixels, page)


def _of_inks(page: TiffPage) -> NDArray[Any]:
    """Make colours of 16-bit CMYK that is stored ink by ink and not packed, of which Pillow makes wrong ones."""
    from PIL import Image

    inks = (page.asarray(buffersize=STEP)[:4] >> 8).astype(np.uint8)
    colours = Image.merge("CMYK", [Image.fromarray(ink) for ink in inks]).convert("RGB")
    return upright(np.asarray(colours), _orientation(page))


def _in_colour(pixels: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Put colours last; look up a palette; drop the alpha of grey."""
    if page.photometric == PALETTE:
        red_green_blue = (page.colormap >> 8).astype(np.uint8)
        return np.moveaxis(red_green_blue[:, pixels], 0, -1)
    if pixels.ndim == 2:
        return pixels
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 3 and page.axes in {"SYX", "YXS"}:
        if page.photometric == RGB and pixels.shape[2] >= 3:
            return pixels[..., :4]
        if pixels.shape[2] == 2 and page.extrasamples and page.extrasamples[0] in ALPHA:
            return pixels[..., 0]
    raise ImageError(
        f"The page has the axes {page.axes} and the shape {page.shape}, which is not an image.",
        "Save its channels as pages of their own.",
    )


def _black_is_zero(pixels: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Invert whole numbers of which zero is white, in place."""
    if page.photometric != WHITE_IS_ZERO or PHOTOMETRIC not in page.tags:
        return pixels
    if pixels.dtype.kind == "f":
        raise ImageError("Zero means white in this file, but it does not say which number means black.")
    np.invert(pixels, out=pixels)
    if pixels.dtype.kind == "u":
        pixels &= pixels.dtype.type(2**page.bitspersample - 1)
    return pixels


def _to_white(pixels: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Spread numbers of fewer than 8 bits over 0..255, as Pillow does, so that the largest is white."""
    bits = page.bitspersample
    if pixels.dtype != np.uint8 or bits == 8 or page.photometric == PALETTE:
        return pixels
    levels = np.rint(np.arange(2**bits) * (255 / (2**bits - 1))).astype(np.uint8)
    spread: NDArray[np.uint8] = levels[pixels]
    return spread


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _memory_needed(source: Source, index: Index) -> int:
    stack: Stack = source.details
    return stack.memory[stack.place(index)[0]]


READER = Reader(
    "tiff",
    _read,
    _memory_needed,
    FileFormat(
        names=("TIFF",),
        suffixes=frozenset({".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".scn", ".bif"}),
        recognises=lambda path, head: head.startswith(SIGNATURES),
        describe=describe,
    ),
)

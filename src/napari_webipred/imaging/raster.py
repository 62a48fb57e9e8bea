"""PNG, JPEG, BMP, GIF and WebP, read with Pillow."""

from __future__ import annotations

import struct
import warnings
from contextlib import nullcontext, suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.decoding import (
    bands,
    decode,
    decode_16_bit,
    decodes_into_array,
    memory_per_pixel,
    to_array,
)
from napari_webipred.imaging.handle import handle, opened
from napari_webipred.imaging.jpeg import check_scans, is_in_scans
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.limits import LARGE_PIXELS_PER_BYTE, PIXELS_AT_MOST, PIXELS_OF_ANY_FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FIRST_BYTES = 16  # by which Pillow tells formats apart
# Which module of Pillow opens a format, and how its files begin.
PLUGINS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "PNG": ("PngImagePlugin", (b"\x89PNG",)),
    "JPEG": ("JpegImagePlugin", (b"\xff\xd8\xff",)),
    "GIF": ("GifImagePlugin", (b"GIF8",)),
    "BMP": ("BmpImagePlugin", (b"BM",)),
    "WEBP": ("WebPImagePlugin", (b"RIFF",)),
    "TIFF": ("TiffImagePlugin", (b"II", b"MM")),
}
FORMATS = tuple(name for name in PLUGINS if name != "TIFF")  # TIFF has a reader of its own
ANIMATED = {"PNG", "GIF", "WEBP"}  # a second image in a JPEG is a thumbnail or a depth map
BYTES_OF_A_FRAME = 10  # no format describes a frame in fewer
EXIF_ORIENTATION = 0x0112
PNG, JPEG, BMP, RIFF = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff", b"BM", b"RIFF"  # first bytes
WEBP_ANIMATION = 0b10  # among the flags of an extended WebP
# Raw modes of 16-bit colours in a PNG, of which Pillow gives 8 bits, and their number of channels.
DEEP = {"LA;16B": 2, "RGB;16B": 3, "RGBA;16B": 4}

# Bytes per pixel that decoders take besides what they give.
WEBP_DECODER = 12  # two canvases of 4 channels, and what it gives, once more
ANIMATION = 20  # the frame, the one before and what replaces it, in colours and as they are stored
POINTER, LARGEST_PIXEL = 8, 8
COEFFICIENT = 2  # and per channel, of a JPEG in several scans: it is decoded when the last has come

_hushed: list[Any] = []  # our entry among the filters of warnings, once it is there


def describe(path: Path, name: str) -> Source:
    """Describe an image or an animation from its header; the content decides, not the suffix.

    Frames of an animation are planes along ``frame``. EXIF orientation is honoured, colour profiles (ICC) are not
    applied. CMYK and YCCK become RGB by the plain formula (255 - C)(255 - K) / 255. A palette is looked up. 16-bit PNG
    keeps its depth, except that of 16-bit colours in an animation the upper 8 bits are read.

    Raises
    ------
    ImageError
        The image has more than 1000 megapixels, or more than 89 in a file that is too small for them.
    Exception
        Of Pillow, if the file is none of these formats or is damaged.
    """
    with opened(path) as file:
        image = open_image(file, FORMATS)
        size = path.stat().st_size
        check_pixels(*image.size, size)
        frames = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
        memory = _memory(image) if frames == 1 else memory_of_frame(image) + size
        if frames == 1 and (mine := handle()) is not None:
            mine.image = image
    if frames == 1:
        return Source(name, READER.id, path, details=memory)
    if frames * BYTES_OF_A_FRAME > size:
        raise ImageError(f"{path.name} claims to hold {frames} frames, which do not fit into it.")
    return Source(name, READER.id, path, ("frame",), (frames,), details=memory)


def is_still(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is no animation.

    False of a GIF, which does not say so before its end, and of what does not say so in these bytes.
    """
    if head.startswith(PNG):  # the pixels come first, or what says that it is an animation
        at = len(PNG) + 17  # the rest of the header
        while (kind := head[at + 4 : at + 8]) not in (b"IDAT", b"acTL", b""):
            # The length of a chunk counts neither itself nor its kind and checksum.
            at += int.from_bytes(head[at : at + 4], "big") + 12
        return kind == b"IDAT"
    if head.startswith(RIFF):  # of WebP, only the extended kind can be an animation
        return head[8:12] == b"WEBP" and len(head) > 20 and not (head[12:16] == b"VP8X" and head[20] & WEBP_ANIMATION)
    return head.startswith((JPEG, BMP))


def open_image(file: Path | IO[bytes], formats: tuple[str, ...]) -> ImageFile:
    """Open a file with Pillow, quietly, as one of these formats; nothing is decoded yet.

    Unlike `PIL.Image.open` this imports nothing for other formats, and leaves it to us how many pixels are too many.
    """
    from PIL import Image, UnidentifiedImageError

    if not _hushed or _hushed[0] not in warnings.filters:
        # What matters is checked here and said in the result. `warnings.catch_warnings` is no choice: it must not be
        # used by several threads at once.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        _hushed[:] = warnings.filters[:1]
    with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
        stream.seek(0)
        first = stream.read(FIRST_BYTES)
    for name in formats:
        module, starts = PLUGINS[name]
        if first.startswith(starts):
            import_module(f"PIL.{module}")
            make, accepts = Image.OPEN[name]
            if accepts is None or accepts(first) is True:
                if not isinstance(file, Path):
                    file.seek(0)
                with suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Pillow says that it is another
                    return make(file, "")  # type: ignore[arg-type]  # every format opens a path, too
    raise UnidentifiedImageError


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror a plane as the tag *Orientation* of EXIF and TIFF says (1 to 8); a view, no copy."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return pixels


def _memory(image: ImageFile) -> int:
    """Return the bytes that decoding a still image takes at most."""
    in_pillow, in_array = memory_per_pixel(image)
    stored_as = _stored_as(image)
    if stored_as in DEEP:
        each = 4 if stored_as == "LA;16B" else 8
    elif decodes_into_array(image):
        each = max(in_pillow, in_array) + (COEFFICIENT * len(image.getbands()) if is_in_scans(image) else 0)
    else:
        each = in_pillow + (WEBP_DECODER if image.format == "WEBP" else in_array)
    return image.width * image.height * each + memory_of_lines(image.width, image.height)


def memory_of_lines(width: int, height: int) -> int:
    """Return the bytes that Pillow needs for the lines of an image, which count if it is very narrow or very flat."""
    return POINTER * height + 2 * LARGEST_PIXEL * width  # a list of all lines, and the two that are being decoded


def memory_of_frame(image: Image) -> int:
    """Return the bytes that decoding a frame of an animation takes at most."""
    return image.width * image.height * ANIMATION


def _still(path: Path) -> NDArray[Any]:
    mine = handle()
    if mine is not None and (described := mine.taken(path)) is not None:
        return _decoded(path, described)
    with opened(path) as file:
        image = open_image(file, FORMATS)
        check_pixels(*image.size, path.stat().st_size)  # again: the file may be another by now
        return _decoded(path, image)


def _decoded(path: Path, image: ImageFile) -> NDArray[Any]:
    if is_in_scans(image) and image.fp is not None:
        check_scans(image.fp, path.name)
    stored_as = _stored_as(image)
    pixels = _deep(path, image, stored_as) if stored_as in DEEP else decode(image)
    return upright(pixels, _orientation(image))


def _stored_as(image: ImageFile) -> str:
    """Name the raw mode of a PNG as Pillow does; empty for other formats."""
    return str(image.tile[0][3]) if image.format == "PNG" and image.tile else ""


def _deep(path: Path, image: ImageFile, stored_as: str) -> NDArray[np.uint16]:
    """Read the whole depth of a 16-bit PNG."""
    if stored_as == "LA;16B":  # the two bytes of grey and the two of alpha pass for four channels
        _as_if_stored(image, "RGBA")
        swapped = decode(image).view(">u2")
        pixels = swapped.view(np.uint16)
        for rows in bands(len(pixels), pixels.strides[0]):
            pixels[rows] = swapped[rows].copy()
        return pixels
    with open_image(path, ("PNG",)) as again:
        check_pixels(*again.size, path.stat().st_size)
        _as_if_stored(again, stored_as.replace("16B", "16L"))  # of this byte order, the upper byte is the lower one
        return decode_16_bit(image, again, DEEP[stored_as])


def _as_if_stored(image: ImageFile, raw_mode: str) -> None:
    """Let a PNG be decoded as if its bytes were stored in another of Pillow's raw modes."""
    image.tile = [image.tile[0]._replace(args=raw_mode)]


def check_pixels(width: int, height: int, size: int) -> None:
    """Refuse an image of too many pixels, or of too many for so many bytes, before anything is decoded."""
    pixels, fault = width * height, ""
    if pixels > PIXELS_AT_MOST:
        fault = f"more than {PIXELS_AT_MOST // 10**6} megapixels"
    elif pixels > max(PIXELS_OF_ANY_FILE, size * LARGE_PIXELS_PER_BYTE):
        fault = f"far too many for a file of {size} bytes"
    if fault:
        raise ImageError(
            f"The image has {width}x{height} pixels, {fault}.",
            "Scale it down first; a model sees only a few hundred pixels of it.",
        )


def upright_plane(image: Image) -> NDArray[Any]:
    """Copy the pixels of an image of Pillow, turned upright."""
    pixels = to_array(image)
    return upright(pixels, _orientation(image))


def _orientation(image: Image) -> int:
    with suppress(Exception):  # damaged metadata does not make an image unreadable; browsers show it, too
        orientation = int(image.getexif().get(EXIF_ORIENTATION, 1))
        if 1 <= orientation <= 8:
            return orientation
    return 1


class _Animation:
    """An animation that is being read.

    Frames depend on those before them: as long as they are asked for in order, each is decoded once.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._path = path
        self._last = frames - 1
        self._lock = Lock()
        self._image: Image | None = None

    def read(self, frame: int) -> NDArray[Any]:
        with self._lock:
            image, self._image = self._image, None
            if image is None or image.tell() > frame:
                # From memory, so that no file stays open when the last frame is never asked for.
                content = self._path.read_bytes()
                image = open_image(BytesIO(content), FORMATS)
                check_pixels(*image.size, len(content))
            image.seek(frame)
            plane = upright_plane(image)
            if frame < self._last:
                self._image = image
            return plane


# The decoders of this process. Each lives as long as its source, and does not travel with it to another process.
_animations: WeakKeyDictionary[Source, _Animation] = WeakKeyDictionary()
_animations_lock = Lock()


def _animation(source: Source) -> _Animation:
    with _animations_lock:
        animation = _animations.get(source)
        if animation is None:
            animation = _animations[source] = _Animation(source.location, *source.shape)
        return animation


def _read(source: Source, index: Index) -> NDArray[Any]:
    return _animation(source).read(*index) if source.axes else _still(source.location)


READER = Reader(
    "raster",
    _read,
    memory=lambda source, index: int(source.details),
    files=FileFormat(
        names=("PNG", "JPEG", "GIF", "BMP", "WebP"),
        suffixes=frozenset({".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp"}),
        recognises=lambda path, head: bool(head),  # Pillow itself tells these formats apart, and refuses all others
        describe=describe,
        priority=-1,
        is_single=is_still,
    ),
)

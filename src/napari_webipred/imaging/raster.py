"""PNG, JPEG, BMP, GIF and WebP, read with Pillow."""

from __future__ import annotations

import warnings
from contextlib import suppress
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
ANIMATED = {"PNG", "GIF", "WEBP"}  # a second picture in a JPEG is a thumbnail or a depth map
PIXELS_AT_MOST = 89_478_485  # where Pillow, too, starts to speak of a decompression bomb: 256 MiB of RGB
SCANS_AT_MOST = 100  # of a JPEG; a progressive one has about ten, and each costs a walk over all pixels
BYTES_OF_A_FRAME = 10  # no format describes a frame in fewer
EXIF_ORIENTATION = 0x0112

_hushed: list[Any] = []  # our entry among the filters of warnings, once it is there


def raster_source(path: Path, name: str) -> Source:
    """Describe a picture or an animation from its header; the content decides, not the suffix.

    Frames of an animation are planes along ``frame``. EXIF orientation is honoured, colour profiles (ICC) are not
    applied. CMYK and YCCK become RGB by the plain formula (255 - C)(255 - K) / 255. A palette is looked up. 16-bit PNG
    keeps its depth, except that of 16-bit colours in an animation the upper 8 bits are read.

    Raises
    ------
    ImageError
        The picture has more than 89 megapixels, or is a JPEG in absurdly many scans.
    Exception
        Of Pillow, if the file is none of these formats or is damaged.
    """
    with open_image(path, FORMATS) as image:
        _check_size(image)
        if image.format == "JPEG":
            _check_scans(path)
        frames = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    if frames == 1:
        return Source(name, lambda _: _still(path))
    if frames * BYTES_OF_A_FRAME > path.stat().st_size:
        raise ImageError(f"{path.name} claims to hold {frames} frames, which do not fit into it.")
    return Source(name, _Animation(path, frames).read, ("frame",), (frames,))


def open_image(file: Path | IO[bytes], formats: tuple[str, ...]) -> ImageFile:
    """Open a file with Pillow, quietly, as one of these formats; nothing is decoded yet."""
    from PIL import Image

    if not _hushed or _hushed[0] not in warnings.filters:
        # What matters is checked here and said in the result. `warnings.catch_warnings` is no choice: it must not be
        # used by several threads at once.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        _hushed[:] = warnings.filters[:1]
    return Image.open(file, formats=formats)


def to_array(image: Image) -> NDArray[Any]:
    """Decode: grey of any depth as it is, everything else as RGB or RGBA of 8 bits."""
    mode = image.mode
    if mode in {"P", "PA"}:
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode in {"CMYK", "YCbCr", "LAB", "HSV", "RGBX"}:
        image = image.convert("RGB")
    elif mode in {"La", "RGBa"}:
        image = image.convert("RGBA")
    return np.asarray(image)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror a plane as the tag *Orientation* of EXIF and TIFF says (1 to 8); a view, no copy."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return pixels


def _still(path: Path) -> NDArray[Any]:
    with open_image(path, FORMATS) as image:
        _check_size(image)  # again: the file may be another by now
        stored_as = image.tile[0][3] if image.format == "PNG" and image.tile else None
        pixels = to_array(image)
        orientation = _orientation(image)
    if stored_as in {"RGB;16B", "RGBA;16B", "LA;16B"}:
        pixels = _deep(path, stored_as, pixels)
    return upright(pixels, orientation)


def _deep(path: Path, stored_as: str, upper: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Read the whole depth of a 16-bit PNG, of which Pillow has only given the upper bytes."""
    if stored_as == "LA;16B":  # the two bytes of grey and the two of alpha pass for four channels
        return _decoded(path, "RGBA").view(">u2").astype(np.uint16)
    lower = _decoded(path, stored_as.replace("16B", "16L"))  # of the other byte order, the upper byte is the lower one
    return upper.astype(np.uint16) << np.uint16(8) | lower


def _decoded(path: Path, stored_as: str) -> NDArray[np.uint8]:
    """Decode a PNG as if its bytes were stored in another of Pillow's raw modes."""
    with open_image(path, ("PNG",)) as image:
        _check_size(image)
        image.tile = [image.tile[0]._replace(args=stored_as)]
        return np.asarray(image)


def _check_size(image: Image) -> None:
    if image.width * image.height > PIXELS_AT_MOST:
        raise ImageError(
            f"The picture has {image.width}x{image.height} pixels, more than {PIXELS_AT_MOST // 10**6} megapixels.",
            "Scale it down first; a model sees a few hundred pixels of it anyway.",
        )


def _check_scans(path: Path) -> None:
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        at = -1
        for _ in range(SCANS_AT_MOST):
            at = content.find(b"\xff\xda", at + 1)  # start of scan; elsewhere this pair is rare
            if at < 0:
                return
    raise ImageError(
        f"{path.name} is a JPEG in more than {SCANS_AT_MOST} scans, which would take very long to decode.",
        "Open it in another program and save it anew.",
    )


def _plane(image: Image) -> NDArray[Any]:
    pixels = to_array(image)
    return upright(pixels, _orientation(image))


def _orientation(image: Image) -> int:
    with suppress(Exception):  # damaged metadata does not make a picture unreadable, in the browser neither
        orientation = int(image.getexif().get(EXIF_ORIENTATION, 1))
        if 1 <= orientation <= 8:
            return orientation
    return 1


class _Animation:
    """Frames depend on those before them: as long as they are asked for in order, each is decoded once."""

    def __init__(self, path: Path, frames: int) -> None:
        self._path = path
        self._last = frames - 1
        self._lock = Lock()
        self._image: Image | None = None

    def read(self, index: tuple[int, ...]) -> NDArray[Any]:
        (frame,) = index
        with self._lock:
            image, self._image = self._image, None
            if image is None or image.tell() > frame:
                # From memory, so that no file stays open when the last frame is never asked for.
                image = open_image(BytesIO(self._path.read_bytes()), FORMATS)
                _check_size(image)
            image.seek(frame)
            plane = np.array(_plane(image))
            if frame < self._last:
                self._image = image
            return plane

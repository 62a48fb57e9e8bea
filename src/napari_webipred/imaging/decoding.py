"""What Pillow decodes, as arrays, in little more memory than the array takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

BAND = 2**20  # bytes that are converted at a time: they stay in the cache of the processor
# Bytes that a pixel takes in Pillow, and in an array. Pillow has 4 for any that is not named.
IN_PILLOW = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
IN_ARRAY = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# Of these formats Pillow decodes a whole image at once into memory that it is given, GIF only without transparency.
INTO_GIVEN_MEMORY = {"PNG", "JPEG", "MPO", "BMP", "TIFF", "GIF"}


def decodes_into_array(image: Image) -> bool:
    """Tell whether `decode` needs no memory besides that of the array."""
    given = image.format in INTO_GIVEN_MEMORY and image.mode != "1"
    return given and not (image.format == "GIF" and "transparency" in image.info)


def memory_per_pixel(image: Image) -> tuple[int, int]:
    """Return how many bytes a pixel takes in Pillow, and in the array that is made of it."""
    return IN_PILLOW.get(image.mode, 4), IN_ARRAY.get(_mode_of_array(image), 4)


def to_array(image: Image) -> NDArray[Any]:
    """Copy an image of Pillow: grey of any depth as it is, everything else as RGB or RGBA of 8 bits."""
    image.load()
    width, height = image.size
    _, in_array = memory_per_pixel(image)
    return _converted(image, np.empty(height * width * in_array, np.uint8))


def decode(image: ImageFile) -> NDArray[Any]:
    """Decode an image that has just been opened, as `to_array` does, but without a copy.

    Pillow decodes into the memory of the array. Where it needs more bytes for a pixel than the array, or fewer, the
    image is converted in place, band by band from the top: one that grows lies at the end of the memory at first, so
    that no band is written over before it is read. The image must not be used afterwards.
    """
    width, height = image.size
    in_pillow, in_array = memory_per_pixel(image)
    memory = np.zeros(height * width * max(in_pillow, in_array), np.uint8)
    growth = height * width * max(in_array - in_pillow, 0)
    if not _decode_into(image, memory, growth, width * in_pillow):
        return to_array(image)
    if in_pillow == in_array and image.mode == _mode_of_array(image):
        return _as_pixels(image, memory)
    return _converted(image, memory)


def decode_16_bit(upper: ImageFile, lower: ImageFile, channels: int) -> NDArray[np.uint16]:
    """Decode colours of 16 bits, of which Pillow gives 8 bits at a time.

    Parameters
    ----------
    upper, lower : ImageFile
        The image, just opened twice, so that it will give the upper and the lower byte of each channel.
    channels : int
        3 or 4.

    Returns
    -------
    ndarray of uint16, shape (height, width, channels)
    """
    width, height = upper.size
    if lower.size != upper.size:
        raise ImageError("The file has changed while it was read.")
    # Each row has room for its upper bytes and then for its lower ones.
    memory = np.zeros((2 * height + 1) * 4 * width, np.uint8)
    for image, start in ((upper, 0), (lower, 4 * width)):
        if not _decode_into(image, memory, start, 8 * width):
            raise ImageError("This version of Pillow gives no 16-bit colours.", "Save the image as TIFF.")
    halves = memory[: 8 * width * height].reshape(height, 2, width, 4)[..., :channels]
    pixels = memory[: 2 * channels * width * height].view(np.uint16).reshape(height, width, channels)
    for rows in bands(height, 8 * width):
        joined = halves[rows, 0].astype(np.uint16)
        joined <<= 8
        joined |= halves[rows, 1]
        pixels[rows] = joined
    return pixels


def bands(height: int, row: int) -> list[slice]:
    """Cut an image whose rows have so many bytes into bands, from the top."""
    count = max(1, BAND // max(row, 1))
    return [slice(top, min(top + count, height)) for top in range(0, height, count)]


def _decode_into(image: ImageFile, memory: NDArray[np.uint8], start: int, stride: int) -> bool:
    """Let Pillow decode into this memory, its rows `stride` bytes apart; tell whether it has done so."""
    from PIL import Image

    map_buffer = getattr(Image.core, "map_buffer", None)  # type: ignore[attr-defined]
    corners = [tuple(tile[1][2:]) for tile in image.tile if tile[1]]
    stored_size = tuple(map(max, zip(*corners, strict=True))) if corners else None
    if map_buffer is None or not decodes_into_array(image) or stored_size != image.size:
        return False
    given = map_buffer(memory, image.size, "raw", start, (image.mode, stride, 1))
    image.im = given
    image.load()
    return image.im is given  # it is not where Pillow has turned the image upright


def _converted(image: Image, memory: NDArray[np.uint8]) -> NDArray[Any]:
    pixels = _as_pixels(image, memory)
    width, height = image.size
    for rows in bands(height, 4 * width):
        pixels[rows] = _band(image, (0, rows.start, width, rows.stop))
    return pixels


def _as_pixels(image: Image, memory: NDArray[np.uint8]) -> NDArray[Any]:
    """See the beginning of this memory as an array of the shape and type that the image has."""
    width, height = image.size
    _, in_array = memory_per_pixel(image)
    pixel = _band(image, (0, 0, 1, 1))
    return memory[: height * width * in_array].view(pixel.dtype).reshape(height, width, *pixel.shape[2:])


def _band(image: Image, box: tuple[int, int, int, int]) -> NDArray[Any]:
    band, mode = image.crop(box), _mode_of_array(image)
    return np.asarray(band if band.mode == mode else band.convert(mode))


def _mode_of_array(image: Image) -> str:
    mode = image.mode
    if mode in {"P", "PA"}:
        return "RGBA" if mode == "PA" or "transparency" in image.info else "RGB"
    if mode in {"CMYK", "YCbCr", "LAB", "HSV", "RGBX"}:
        return "RGB"
    return "RGBA" if mode in {"La", "RGBa"} else mode

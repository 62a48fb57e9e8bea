"""Synthetic pictures, the same on every machine: what a model is compared on, and what its golden output is of."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RECIPE = "napari-webipred pictures 1"  # raised whenever a picture changes
# Height and width in pixels: smaller and larger than most inputs, high and wide, so that each is resized.
SIZES = ((96, 96), (160, 120), (120, 200), (256, 256), (301, 251), (64, 48))


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Make the pictures, each of shape (height, width, 3), RGB; they are read-only.

    They are made of whole numbers only, so that no processor and no version of NumPy rounds them differently.

    Examples
    --------
    >>> [picture.shape for picture in pictures()][:2]
    [(96, 96, 3), (160, 120, 3)]
    """
    for number, (height, width) in enumerate(SIZES):
        yield _picture(number, height, width)


@cache
def _picture(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Lay discs of different brightness over a coloured slope with stripes; every second one has grain.

    Publishing a model needs each picture several times, so it is kept, and cannot be written to.
    """
    rows, columns, channels = (axis.astype(np.int64) for axis in np.ogrid[0:height, 0:width, 0:3])
    x, y = columns * 1000 // width, rows * 1000 // height
    slope = (x * (number % 3) + y * ((number + 2) % 3)) * 40 // 1000 + 30 * ((channels + number) % 3)
    period = 70 + 45 * number
    stripes = np.abs((x * (1 + number % 2) + y * (number % 4)) % period * 2 - period) * 60 // period
    total = 20 + slope + stripes
    for disc in range(4):
        seed = 7 * number + 3 * disc + 1
        centre_x, centre_y, radius = 137 * seed % 1000, 271 * seed % 1000, 60 + 53 * seed % 160
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
        total = np.where(inside, total + (61 * seed % 130 - 60) + 20 * ((channels + disc) % 3), total)
    if number % 2:
        mixed = (rows * 374761393 + columns * 668265263 + channels * 974634777) & 0x7FFFFFFF
        total = total + ((mixed ^ mixed >> 13) * 1274126177 >> 11) % 25 - 12
    picture: NDArray[np.uint8] = np.clip(total, 0, 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


@cache
def as_png(number: int) -> bytes:
    """Write a picture, counted from 0, as PNG, without any other information in the file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(_picture(number, *SIZES[number])).save(content, "PNG", optimize=True)
    return content.getvalue()


def fingerprint(picture: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the pixels of a picture: rows, columns, RGB."""
    return f"sha256:{hashlib.sha256(picture.tobytes()).hexdigest()}"

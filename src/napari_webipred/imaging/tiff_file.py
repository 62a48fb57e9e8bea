"""TIFF files are opened, and refused if they claim what cannot be."""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.errors import ImageError
from napari_webipred.limits import PAGES_AT_MOST

if TYPE_CHECKING:
    from tifffile import TiffFile

BIG_TIFF = 43
PHOTOMETRIC, ORIENTATION = 262, 274  # numbers of tags
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6  # values of the former
# Readers of tifffile that open other files beside the given one.
NOT_ALONE = {"is_mmstack": False, "is_ndtiff": False}


@contextmanager
def opened_tiff(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF file that `check_file` has passed; `check_ome` comes before its series are looked at."""
    from tifffile import TiffFile

    with TiffFile(path, _multifile=False, **NOT_ALONE) as file:
        yield file


def check_file(path: Path) -> None:
    """Refuse a file whose pages run in a circle, in which tifffile would follow them for ever, or out of the file.

    Raises
    ------
    ImageError
        They do, or there are more than `limits.PAGES_AT_MOST`.
    """
    with path.open("rb") as file:
        order = "<" if file.read(2) == b"II" else ">"
        big = struct.unpack(f"{order}H", file.read(2))[0] == BIG_TIFF
        count, tag, place = (f"{order}Q", 20, f"{order}Q") if big else (f"{order}H", 12, f"{order}I")
        if path.suffix.lower() == ".ndpi" and not big:  # which has offsets of 8 bytes in a file of the small kind
            place = "<Q"
        file.seek(8 if big else 4)
        visited: set[int] = set()
        while offset := struct.unpack(place, file.read(struct.calcsize(place)))[0]:
            if offset in visited:
                raise ImageError("The file is damaged: its list of pages never ends.")
            if len(visited) == PAGES_AT_MOST:
                raise ImageError(
                    f"The file has more than {PAGES_AT_MOST:,} pages.", "Save it as several files, or as OME-Zarr."
                )
            visited.add(offset)
            file.seek(offset)
            tags = file.read(struct.calcsize(count))
            if len(tags) < struct.calcsize(count):
                raise ImageError(f"The file is cut short: page {len(visited)} is missing.")
            file.seek(tag * struct.unpack(count, tags)[0], os.SEEK_CUR)


def check_ome(file: TiffFile, file_size: int) -> None:
    """Refuse numbers of planes in OME-XML that cannot be, before tifffile makes a list of so many for the series.

    Raises
    ------
    ImageError
        The file claims to hold planes that cannot be in it.
    """
    for pixels in re.findall(r"<(?:\w+:)?Pixels\b[^>]*", file.ome_metadata or ""):
        planes = math.prod(int(size) for size in re.findall(r"""\bSize[^XY\s=]+\s*=\s*["'](\d{1,18})""", pixels))
        if planes > file_size:
            raise ImageError(f"The file claims to hold {planes} planes, for which it is too small.")


def axis_names(letters: str) -> tuple[str, ...]:
    """Name axes by the letters that tifffile has for them."""
    nameless = sum(letter in "IQ" for letter in letters)
    if nameless == 1:
        return tuple("page" if letter in "IQ" else letter.lower() for letter in letters)
    return tuple(f"axis_{i}" if letter in "IQ" else letter.lower() for i, letter in enumerate(letters))

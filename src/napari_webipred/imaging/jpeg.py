"""JPEG files in several scans: each scan is a walk over all pixels."""

from __future__ import annotations

import struct
from mmap import ACCESS_READ, mmap
from typing import IO, TYPE_CHECKING

from napari_webipred.errors import ImageError
from napari_webipred.limits import SCANS_AT_MOST

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

START_OF_SCAN = b"\xff\xda"


def is_in_scans(image: ImageFile) -> bool:
    """Tell from its header whether an image that was just opened is, or may be, a JPEG in several scans.

    It is unless the first scan has all colours and is not progressive: then no decoder looks for another one.
    """
    if image.format not in {"JPEG", "MPO"}:
        return False
    colours: int = image.layers  # type: ignore[attr-defined]
    if image.format == "MPO" or "progressive" in image.info or colours not in {1, 3, 4} or image.fp is None:
        return True
    expected = START_OF_SCAN + struct.pack(">HB", 6 + 2 * colours, colours)
    end = image.fp.tell()  # of a plain JPEG, Pillow stops behind the header of the first scan
    image.fp.seek(end - 8 - 2 * colours)
    found = image.fp.read(len(expected))
    image.fp.seek(end)
    return bool(found != expected)


def check_scans(file: IO[bytes], name: str) -> None:
    """Refuse too many scans.

    Raises
    ------
    ImageError
        There are more than 100.
    """
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        at = -1
        for _ in range(SCANS_AT_MOST):
            at = content.find(START_OF_SCAN, at + 1)  # elsewhere this pair is rare
            if at < 0:
                return
    raise ImageError(
        f"{name} is a JPEG in more than {SCANS_AT_MOST} scans, which would take very long to decode.",
        "Open it in another program and save it again.",
    )

"""What a compressed frame says of its own size, to compare it with what the file says before it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.layout import Layout
from napari_webipred.imaging.dicom.syntax import GDCM, RLE, Decoder

JPEG, SIZE_OF_JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
# Markers that begin a frame of JPEG: all of C0 to CF but tables (C4), an extension (C8) and arithmetic coding (CC).
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # F7: of JPEG-LS
JFIF, ADOBE, SCAN = 0xE0, 0xEE, 0xDA
# Other segments before the samples: tables, restarts, those of applications (as above), of JPEG-LS, and comments.
SEGMENTS = {0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xF8, 0xFE}
MARKERS_AT_MOST = 1000


def check(frame: bytes, layout: Layout, decoder: Decoder) -> None:
    """Refuse a compressed frame that has another size than the file says, or would end the program that decodes it.

    Raises
    ------
    ImageError
        It has, or its beginning is damaged.
    """
    if layout.syntax == RLE:
        return  # it says of no size
    size = _size(frame)
    if size is None or (decoder == GDCM and frame.startswith(JPEG) and not _is_sound(frame, layout)):
        raise ImageError("The beginning of the compressed image is damaged.", "Export the image again.")
    if size != (layout.rows, layout.columns):
        raise ImageError(
            f"The file tells of {layout.columns}x{layout.rows} pixels, but the image in it has {size[1]}x{size[0]}.",
            "Export the image again.",
        )


def _size(frame: bytes) -> tuple[int, int] | None:
    """Return the rows and columns of a frame."""
    if frame.startswith(JPEG):
        return _jpeg_size(frame)
    at = frame.find(SIZE_OF_JPEG_2000, 0, 4096)  # some files have the boxes of a JP2 file before it
    if at < 0 or len(frame) < at + 24:
        return None
    right, bottom, left, top = unpack_from(">4I", frame, at + 8)
    return bottom - top, right - left


def _is_sound(frame: bytes, layout: Layout) -> bool:
    """Tell whether the beginning of a JPEG is as it should be: anything else ends a process in which GDCM decodes it.

    It takes a warning of its library before the samples, such as of a version or of bytes between segments, and a
    precision that cannot be for errors of the program.
    """
    begun = False
    for marker, at in _segments(frame):
        if marker in FRAMES:
            begun = 2 <= frame[at] <= 16 and frame[at + 5 : at + 6] == bytes([layout.samples])
        elif marker == SCAN:
            return begun
        elif marker not in SEGMENTS or _is_warned_of(marker, frame[at : at + 12]):
            return False
    return False


def _is_warned_of(marker: int, content: bytes) -> bool:
    """Tell whether the segment of an application has a version that is not known."""
    of_jfif = marker == JFIF and content.startswith(b"JFIF\0") and content[5:6] != b"\1"
    of_adobe = marker == ADOBE and content.startswith(b"Adobe") and content[11:] > b"\2"
    return of_jfif or of_adobe


def is_made_of_rgb(frame: bytes) -> bool:
    """Tell whether a frame of JPEG says, with the marker of Adobe, that it holds YCbCr which was made of RGB."""
    return any(
        marker == ADOBE and frame.startswith(b"Adobe", at) and frame[at + 11 : at + 12] == b"\1"
        for marker, at in _segments(frame)
    )


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    for marker, at in _segments(frame):
        if marker in FRAMES:
            rows, columns = unpack_from(">HH", frame, at + 1)
            return rows, columns
    return None


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers before the samples, each with where its content begins."""
    at = len(JPEG)
    for _ in range(MARKERS_AT_MOST):
        while frame[at : at + 2] == b"\xff\xff":
            at += 1
        if len(frame) < at + 9 or frame[at] != 0xFF:
            return
        yield frame[at + 1], at + 4
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")

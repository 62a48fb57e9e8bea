"""Where the compressed frames of a DICOM file lie."""

from __future__ import annotations

from struct import Struct
from typing import BinaryIO, TypeAlias

from napari_webipred.errors import ImageError
from napari_webipred.limits import FRAMES_AT_MOST

Fragment: TypeAlias = tuple[int, int]  # first byte, and how many
HEAD = Struct("<HHI")
ITEM, END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
END_OF_JPEG = b"\xff\xd9"
PADDING = 16  # bytes at the end of a frame in which its end is looked for


def frames_of(file: BinaryIO, start: int, frames: int) -> tuple[tuple[Fragment, ...], ...]:
    """Find the fragments of each frame.

    Parameters
    ----------
    file : file
    start : int
        Where the first item, the table of offsets, begins.
    frames : int
        How many there are.

    Raises
    ------
    ImageError
        There are fewer, or the items are damaged.
    """
    file.seek(start)
    table = _table(file)
    fragments = _fragments(file)
    if frames == 1:
        return (tuple(fragments),)
    if len(fragments) == frames:
        return tuple((fragment,) for fragment in fragments)
    by_table = _by_table(fragments, table)
    found = by_table if len(by_table) == frames else _by_end(file, fragments)
    if len(found) < frames:
        raise ImageError(f"The file says that it holds {frames} frames, and has {len(found)}.", "Export it again.")
    return tuple(map(tuple, found[:frames]))


def _table(file: BinaryIO) -> list[int]:
    """Read the table of offsets; empty where there is none."""
    *tag, length = _head(file)
    if tuple(tag) != ITEM or length % 4 or length > 4 * FRAMES_AT_MOST:
        raise ImageError("The table of frames is damaged.")
    content = file.read(length)
    return [int.from_bytes(content[at : at + 4], "little") for at in range(0, len(content), 4)]


def _fragments(file: BinaryIO) -> list[Fragment]:
    found: list[Fragment] = []
    while True:
        group, element, length = _head(file, at_end=END)
        if (group, element) == END:
            break
        if (group, element) != ITEM or length == 0xFFFFFFFF:
            raise ImageError("The list of compressed frames is damaged.")
        found.append((file.tell(), length))
        if len(found) > 2 * FRAMES_AT_MOST:
            raise ImageError("The compressed frames are in too many pieces.", "Export the image again.")
        file.seek(length, 1)
    if not found:
        raise ImageError("The file holds no compressed frame.")
    return found


def _head(file: BinaryIO, at_end: tuple[int, int] = (0, 0)) -> tuple[int, int, int]:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:  # the end of the list may be missing
        return (*at_end, 0)
    group, element, length = HEAD.unpack(head)
    return int(group), int(element), int(length)


def _by_table(fragments: list[Fragment], table: list[int]) -> list[list[Fragment]]:
    """Group fragments by the offsets of frames, which count from the head of the first fragment."""
    starts = {fragments[0][0] - HEAD.size + offset for offset in table}
    return _groups(fragments, [at - HEAD.size in starts for at, _ in fragments])


def _by_end(file: BinaryIO, fragments: list[Fragment]) -> list[list[Fragment]]:
    """Group fragments by where a JPEG ends."""
    begins = [True]
    for at, length in fragments[:-1]:
        file.seek(at + max(length - PADDING, 0))
        begins.append(END_OF_JPEG in file.read(min(length, PADDING)))
    return _groups(fragments, begins)


def _groups(fragments: list[Fragment], begins: list[bool]) -> list[list[Fragment]]:
    found: list[list[Fragment]] = []
    for fragment, is_first in zip(fragments, begins, strict=True):
        if is_first or not found:
            found.append([])
        found[-1].append(fragment)
    return found

"""The colours of a palette: those that each stored value stands for (PALETTE COLOR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.lookup import MOST, described, entries_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS = "<u2"  # of the attributes, whatever those of the file are
DISCRETE, LINEAR, INDIRECT = range(3)  # kinds of segments
Segment: TypeAlias = tuple[int, int, Sequence[int]]  # its kind, how many entries or segments it is of, and its numbers


def in_colours(values: NDArray[Any], palette: Mapping[str, Any], signed: bool) -> NDArray[np.uint8]:
    """Return the colours of stored values; those outside the palette have its first or last colour.

    Parameters
    ----------
    values : ndarray of integers, shape (rows, columns)
    palette : mapping
        The attributes that hold the colours.
    signed : bool
        Whether stored values may be negative.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)

    Raises
    ------
    ImageError
        The palette is missing or damaged.
    """
    found = [_levels(palette, colour, signed) for colour in ("Red", "Green", "Blue")]
    firsts, levels = zip(*found, strict=True)
    if len(set(firsts)) > 1 or len(set(map(len, levels))) > 1:
        raise _damaged("its colours are of different values")
    table = np.stack(levels, axis=-1)
    colours: NDArray[np.uint8] = table[np.clip(values.astype(np.int64) - firsts[0], 0, len(table) - 1)]
    return colours


def _levels(palette: Mapping[str, Any], colour: str, signed: bool) -> tuple[int, NDArray[np.uint8]]:
    """Return the value that the first entry of a colour is of, and all entries."""
    descriptor = described(palette.get(f"{colour}PaletteColorLookupTableDescriptor"), WORDS, signed)
    if descriptor is None:
        raise _damaged("it is not described")
    count, first, bits = descriptor
    if not 8 <= bits <= 16:
        raise _damaged(f"its entries have {bits} bits")
    data = palette.get(f"{colour}PaletteColorLookupTableData")
    if data is None:
        entries = _expanded(palette.get(f"Segmented{colour}PaletteColorLookupTableData"), count, bits)
    else:
        found = entries_in(data, count, WORDS)
        if found is None:
            raise _damaged("colours are missing")
        entries = found
        # Bytes may be said to be words, and words to be bytes.
        if isinstance(data, bytes) and len(data) < 2 * count:
            bits = 8
        elif bits == 8 and entries.max() > 255:
            bits = 16
    return first, (entries >> bits - 8).astype(np.uint8)


def _expanded(data: Any, count: int, bits: int) -> NDArray[np.int32]:
    """Return the entries that segments stand for, as in PS3.3, C.7.9.2."""
    if not isinstance(data, bytes) or not data:
        raise _damaged("it has no colours")
    size = 1 if bits == 8 else 2
    numbers = np.frombuffer(data, np.uint8 if size == 1 else WORDS, count=len(data) // size).tolist()
    segments: dict[int, Segment] = {}
    entries: list[int] = []
    at = 0
    while at + 2 < len(numbers) and len(entries) < count:
        kind, length = numbers[at : at + 2]
        behind = at + 2 + {DISCRETE: length, LINEAR: 1, INDIRECT: 4 // size}.get(kind, len(numbers))
        segments[at * size] = (kind, length, numbers[at + 2 : behind])
        if behind > len(numbers):
            raise _damaged("a segment is damaged")
        for segment in [segments[at * size]] if kind != INDIRECT else _meant(segments, at * size, size):
            _extend(entries, segment)
        at = behind
    if len(entries) < count:
        raise _damaged("colours are missing")
    return np.array(entries[:count], np.int32)


def _meant(segments: Mapping[int, Segment], at: int, size: int) -> Sequence[Segment]:
    """Return the earlier segments that an indirect one stands for."""
    _, length, place = segments[at]
    # The lower half comes first, and of bytes the lower one of each half.
    start = int.from_bytes(np.array(place, np.uint8 if size == 1 else WORDS).tobytes(), "little")
    found = [segment for key, segment in segments.items() if start <= key < at][:length]
    if start not in segments or len(found) < length or any(kind == INDIRECT for kind, _, _ in found):
        raise _damaged("a segment stands for one that there is not")
    return found


def _extend(entries: list[int], segment: Segment) -> None:
    kind, length, numbers = segment
    if kind == DISCRETE:
        entries.extend(numbers)
    elif not entries:
        raise _damaged("its first segment has no beginning")
    else:
        entries.extend(np.around(np.linspace(entries[-1], numbers[0], length + 1)[1:]).astype(int).tolist())
    if len(entries) > 2 * MOST:
        raise _damaged("its segments are too long")


def _damaged(why: str) -> ImageError:
    return ImageError(f"The palette of the image cannot be used: {why}.", "Export the image again, as RGB.")

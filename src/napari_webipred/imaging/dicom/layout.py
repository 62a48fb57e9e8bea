"""How the pixels of a DICOM file are laid out, and whether they may be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.attribute import number, order, text, value, whole
from napari_webipred.imaging.dicom.content import Place
from napari_webipred.imaging.dicom.syntax import RLE, syntax_of
from napari_webipred.limits import FRAME_BYTES, FRAME_PIXELS, FRAMES_AT_MOST, PIXELS_PER_BYTE
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.imaging.dicom.content import Content

PALETTE = tuple(
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
GREY = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}  # photometric interpretations of one sample, and of three
COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}  # bits of their numbers
MANY_PIXELS = 4 * 2**20  # of an image that is small, nothing is expensive
RLE_AT_MOST = 64  # bytes that a byte stands for: two say that one is repeated 128 times
FRAME_AT_LEAST = 8  # bytes that a compressed frame takes: the head of its item


class Layout(Struct, frozen=True, eq=False):
    """How the pixels of a file are laid out.

    Attributes
    ----------
    syntax : str
        Identifier of the transfer syntax.
    place : Place
        Where they lie.
    rows, columns, samples, frames : int
    allocated, stored, highest : int
        Bits that a sample takes, those of them that count, and the highest of these.
    signed : bool
    photometric : str
        As in DICOM: ``"MONOCHROME2"``, ``"PALETTE COLOR"``, ``"YBR_FULL_422"``.
    planar : int
        1 if all red samples stand before the green ones.
    palette : tuple of (str, Any)
        The attributes that hold the colours, as they are stored.
    """

    syntax: str
    place: Place
    rows: int
    columns: int
    samples: int
    frames: int
    allocated: int
    stored: int
    highest: int
    signed: bool
    photometric: str
    planar: int
    palette: tuple[tuple[str, Any], ...] = ()

    @property
    def is_float(self) -> bool:
        """Whether the samples are floating-point numbers."""
        return self.place.keyword != "PixelData"

    @property
    def is_colour(self) -> bool:
        """Whether planes have three channels."""
        return self.samples == 3 or self.photometric == "PALETTE COLOR"

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self.rows * self.columns

    @property
    def bits_of_frame(self) -> int:
        """Bits of a frame that is not compressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" and not syntax_of(self.syntax).compressed else self.samples
        return self.pixels * samples * self.allocated


def layout_of(content: Content) -> Layout:
    """Describe the pixels of a file, and refuse what is too large or cannot be there.

    Raises
    ------
    ImageError
        There are no pixels, or they are not those of an image, too many, or more than the file has bytes for.
    """
    attributes, place = content.attributes, content.pixels
    if place is None:
        raise ImageError("The DICOM file holds no image.", "Choose a file that does.")
    syntax_of(content.syntax)
    allocated = FLOATS.get(place.keyword) or whole(attributes, "BitsAllocated")
    stored = whole(attributes, "BitsStored", allocated) if place.keyword == "PixelData" else allocated
    samples = whole(attributes, "SamplesPerPixel", 1)
    photometric = text(attributes, "PhotometricInterpretation").upper() or ("RGB" if samples == 3 else "MONOCHROME2")
    found = Layout(
        content.syntax,
        place,
        whole(attributes, "Rows"),
        whole(attributes, "Columns"),
        samples,
        _frames(content),
        allocated,
        stored,
        whole(attributes, "HighBit", stored - 1),
        whole(attributes, "PixelRepresentation") == 1,
        photometric,
        whole(attributes, "PlanarConfiguration"),
        _palette(content) if photometric == "PALETTE COLOR" else (),
    )
    _check_numbers(found)
    _check_length(found)
    if not found.is_float and not found.is_colour and value(attributes, "PixelRepresentation") is None:
        raise ImageError(
            "The file does not say whether its values may be negative (PixelRepresentation).",
            "Export the image again.",
        )
    return found


def _frames(content: Content) -> int:
    if value(content.attributes, "NumberOfFrames") is None:
        return 1
    found = number(content.attributes, "NumberOfFrames")
    if found is None or not 1 <= found <= FRAMES_AT_MOST:
        raise ImageError(
            f"The number of frames is not one from 1 to {FRAMES_AT_MOST:,}.", "Export the image again, or in parts."
        )
    return int(found)


def _palette(content: Content) -> tuple[tuple[str, Any], ...]:
    """Return the attributes that hold the colours, with little-endian words, whatever those of the file are."""
    swapped = order(content.attributes) == "big"
    found = []
    for keyword in PALETTE:
        values = value(content.attributes, keyword)
        if swapped and isinstance(values, bytes) and len(values) % 2 == 0:
            values = swap(values)
        if values is not None:
            found.append((keyword, values))
    return tuple(found)


def swap(words: bytes) -> bytes:
    """Change the order of bytes in 16-bit words."""
    return np.frombuffer(words, "<u2").byteswap().tobytes()


def _check_numbers(layout: Layout) -> None:
    if layout.rows < 1 or layout.columns < 1:
        raise ImageError(f"The image has {layout.columns}x{layout.rows} pixels.", "Export the image again.")
    if layout.pixels > FRAME_PIXELS:
        raise ImageError(
            f"The image has {layout.columns}x{layout.rows} pixels, more than {FRAME_PIXELS // 10**6} megapixels.",
            "Scale it down first; a model sees only a few hundred pixels of it.",
        )
    if layout.samples not in (1, 3):
        raise ImageError(
            f"The image has {layout.samples} samples per pixel; 1 (grey) and 3 (colours) can be read.",
            "Export the image as grey or RGB.",
        )
    if layout.photometric not in (GREY if layout.samples == 1 else COLOURS):
        raise ImageError(
            f"The image has {layout.samples} sample{'s' * (layout.samples > 1)} per pixel and the photometric "
            f"interpretation {readable(layout.photometric, 20)}, which cannot be read.",
            "Export the image as grey or RGB.",
        )
    allowed = (1, 8, 16, 32, 64) if layout.samples == 1 else (8, 16, 32)
    if layout.allocated not in allowed or not 1 <= layout.stored <= layout.allocated:
        raise ImageError(
            f"The image has {layout.stored} bits in {layout.allocated} per sample, which cannot be read.",
            "Export the image with 8 or 16 bits.",
        )
    if layout.bits_of_frame // 8 > FRAME_BYTES:
        raise ImageError(
            f"A frame of the image takes {layout.bits_of_frame // 8 // 10**6} MB, more than {FRAME_BYTES // 10**6}.",
            "Scale it down first.",
        )


def _check_length(layout: Layout) -> None:
    """Refuse pixels that cannot be in so many bytes, before memory is taken for them."""
    length, frames = layout.place.length, layout.frames
    compressed = syntax_of(layout.syntax).compressed
    if not compressed and -(-layout.bits_of_frame * frames // 8) > length:
        what = f"{frames} frames" if frames > 1 else "the image"
        raise ImageError(f"The file is cut short: {what} would need more bytes than it has.")
    if compressed and frames * FRAME_AT_LEAST > length:
        raise ImageError(f"The file claims to hold {frames} frames, which do not fit into it.")
    share = length // frames
    too_few = share * PIXELS_PER_BYTE < layout.pixels and layout.pixels > MANY_PIXELS
    if layout.syntax == RLE:
        too_few = length * RLE_AT_MOST < layout.bits_of_frame // 8
    if compressed and too_few:
        raise ImageError(
            f"The file has {length:,} bytes for {frames * layout.pixels:,} pixels, which cannot be.",
            "Export the image again.",
        )

"""From a DICOM file to the pixels of one frame."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from msgspec.structs import replace

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom import codestream, palette
from napari_webipred.imaging.dicom.content import opened
from napari_webipred.imaging.dicom.fragments import Fragment, frames_of
from napari_webipred.imaging.dicom.layout import Layout, swap
from napari_webipred.imaging.dicom.silence import native_silence
from napari_webipred.imaging.dicom.syntax import BIG_ENDIAN, PILLOW, RLE, ROOT, SYNTAXES, Decoder, decoder_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of which samples lie in words as their attributes say; other codes have samples of their own.
AS_ALLOCATED = {RLE, *(uid for uid, syntax in SYNTAXES.items() if not syntax.compressed)}
PANIC = "PanicException"  # of decoders that are written in Rust; it is no Exception, and has no other name in Python
FILES_KNOWN = 8  # of which the places of frames are kept


def stored_values(path: Path, layout: Layout, frame: int) -> NDArray[Any]:
    """Decode one frame; no other one is in memory.

    Returns
    -------
    ndarray, shape (rows, columns) or (rows, columns, 3)
        Stored values of an integer or floating-point type; colours are RGB.

    Raises
    ------
    ImageError
        It cannot be decoded, or what decodes it is missing.
    Exception
        Of a decoder, if the frame is damaged.
    """
    decoder = decoder_of(layout.syntax, layout.stored)
    with opened(path) as (file, _, _):
        if decoder is None:
            return _native(file, layout, frame)
        content = b"".join(_pieces(file, _fragments(path, layout)[frame]))
    codestream.check(content, layout, decoder)
    return _decoded(content, layout, decoder)


def in_colours(values: NDArray[Any], layout: Layout) -> NDArray[np.uint8]:
    """Return the colours of stored values: those of the palette, or 8 bits of each sample.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
    """
    if layout.photometric == "PALETTE COLOR":
        return palette.in_colours(values, dict(layout.palette), layout.signed)
    if layout.stored == 8:
        eight: NDArray[np.uint8] = values.astype(np.uint8, copy=False)
        return eight
    whole = 2**layout.stored - 1
    scaled: NDArray[np.float64] = np.clip(values, 0, whole) / whole * 255 + 0.5
    return np.floor(scaled).astype(np.uint8)


def _native(file: BinaryIO, layout: Layout, frame: int) -> NDArray[Any]:
    begin = frame * layout.bits_of_frame
    first, last = begin // 8, -(-(begin + layout.bits_of_frame) // 8)
    swapped = layout.syntax == BIG_ENDIAN and layout.place.words and layout.allocated == 8
    before = first % 2 if swapped else 0  # whole words have to be read
    after = (last % 2) if swapped else 0
    file.seek(layout.place.start + first - before)
    content = file.read(last - first + before + after)
    if len(content) < last - first + before:
        raise ImageError("The file is cut short.")
    if swapped:
        content = swap(content + bytes(len(content) % 2))[before:][: last - first]
    if layout.allocated == 1:
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[begin % 8 :]
        return bits[: layout.pixels].reshape(layout.rows, layout.columns)
    return _decoded(content, layout, None)


def _decoded(content: bytes, layout: Layout, decoder: Decoder | None) -> NDArray[Any]:
    """Decode the bytes of one frame, of which some bits may lie below those that count."""
    below = layout.highest - layout.stored + 1
    above = layout.allocated - 1 - layout.highest
    if layout.is_float or below <= 0 or above < 0 or layout.syntax not in AS_ALLOCATED:
        return _by_pydicom(content, layout, decoder)
    # pydicom takes the lowest bits in any case, so it gets all of them for such that count.
    words = _by_pydicom(content, replace(layout, stored=layout.allocated, highest=layout.allocated - 1), decoder)
    return words << above >> above + below


def _by_pydicom(content: bytes, layout: Layout, decoder: Decoder | None) -> NDArray[Any]:
    """Decode the bytes of one frame with pydicom, which is told nothing else about the file."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import pixel_array

    dataset = _attributes(layout)
    if decoder is None:
        setattr(dataset, layout.place.keyword, content + bytes(len(content) % 2))
        if layout.place.keyword == "PixelData":
            dataset["PixelData"].VR = "OW" if layout.place.words and layout.allocated > 8 else "OB"
        found: NDArray[Any] = pixel_array(dataset, index=0)
        return found
    dataset.PixelData = encapsulate([content])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    # Such colours Pillow makes RGB of by itself, whatever the header says; pydicom would do it once more.
    is_rgb = decoder == PILLOW and layout.is_colour and codestream.is_made_of_rgb(content)
    try:
        with native_silence():
            decoded: NDArray[Any] = pixel_array(dataset, index=0, decoding_plugin=decoder.plugin, raw=is_rgb)
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise ImageError("The compressed image is damaged.", "Export the image again.") from error
    return decoded


def _attributes(layout: Layout) -> Any:
    """Make a data set of a single frame."""
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = layout.syntax
    dataset.set_original_encoding(layout.syntax == ROOT, layout.syntax != BIG_ENDIAN)
    dataset.Rows, dataset.Columns = layout.rows, layout.columns
    dataset.SamplesPerPixel = layout.samples
    dataset.PhotometricInterpretation = layout.photometric
    dataset.BitsAllocated = layout.allocated
    dataset.NumberOfFrames = 1
    if not layout.is_float:
        dataset.BitsStored, dataset.HighBit = layout.stored, layout.highest
        dataset.PixelRepresentation = int(layout.signed)
    if layout.samples > 1:
        dataset.PlanarConfiguration = layout.planar
    return dataset


@lru_cache(FILES_KNOWN)
def _fragments(path: Path, layout: Layout) -> tuple[tuple[Fragment, ...], ...]:
    """Find the frames of a file once, not for each frame again; a layout is that of one file."""
    with opened(path) as (file, _, _):
        return frames_of(file, layout.place.start, layout.frames)


def _pieces(file: BinaryIO, fragments: tuple[Fragment, ...]) -> list[bytes]:
    pieces = []
    for start, length in fragments:
        file.seek(start)
        pieces.append(file.read(length))
    return pieces

"""The parts of a DICOM file: its syntax, those attributes that bear on an image, and where its pixels lie."""

from __future__ import annotations

import io
import os
import stat
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.syntax import BIG_ENDIAN, DEFLATED, ROOT
from napari_webipred.limits import INFLATED_AT_MOST

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
else:
    Dataset = Any  # pydicom takes long to import

PREAMBLE = 128
MAGIC = b"DICM"
UNDEFINED = 0xFFFFFFFF
PIXELS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
# No other attribute is read, so that nothing of the patient is in memory.
ATTRIBUTES = (
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "BodyPartExamined"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "PresentationIntentType"),
    *("TemporalPositionIdentifier", "AcquisitionNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness"),
    *("SpacingBetweenSlices", "FrameTime", "BurnedInAnnotation", "LossyImageCompression", "PresentationLUTShape"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData"),
    *("GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"),
    *("SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData"),
    *("SegmentedBluePaletteColorLookupTableData",),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ReferencedSeriesSequence",),  # of a presentation state
)
_hushed: list[Any] = []  # our entry among the filters of warnings, once it is there


class Place(Struct, frozen=True):
    """Where the pixels of a file lie.

    Attributes
    ----------
    keyword : str
        ``"PixelData"``, ``"FloatPixelData"`` or ``"DoubleFloatPixelData"``.
    start : int
        Byte of the file, or of what it inflates to, where they begin.
    length : int
        Bytes; to the end of the file where it does not say.
    words : bool
        Whether they are stored as 16-bit words, which matters for the order of bytes.
    """

    keyword: str
    start: int
    length: int
    words: bool


class Content(Struct, frozen=True):
    """What was read of a file: its transfer syntax, some attributes, and where its pixels are, if it has any."""

    syntax: str
    attributes: Dataset
    pixels: Place | None


class _Bounded(io.BufferedReader):
    """A file of which never more is asked than there is: a wrong length would make Python allocate it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self.size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def is_dicom(head: bytes) -> bool:
    """Tell whether a file that begins so is DICOM."""
    return head[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC


def is_dicom_file(path: str | Path) -> bool:
    """Tell whether a file is DICOM; False of one that cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - see below; opening a pipe could wait for ever
            return False
        with open(path, "rb") as file:  # noqa: PTH123 - several times faster, and a folder has thousands
            return is_dicom(file.read(PREAMBLE + len(MAGIC)))
    except OSError:
        return False


def content_of(path: Path, keywords: Sequence[str] = ATTRIBUTES) -> Content:
    """Read these attributes of a file.

    Raises
    ------
    ImageError
        It says of no transfer syntax, or is one that cannot be read.
    Exception
        Of pydicom, if it is damaged.
    """
    with opened(path) as (file, syntax, size):
        from pydicom.filereader import read_dataset

        found: list[Place] = []

        def is_pixels(tag: int, vr: str | None, length: int) -> bool:
            if tag in PIXELS:
                left = size - file.tell()
                found.append(Place(PIXELS[tag], file.tell(), left if length == UNDEFINED else length, vr != "OB"))
            return tag in PIXELS or tag > max(PIXELS)

        attributes = read_dataset(
            file,
            is_implicit_VR=syntax == ROOT,
            is_little_endian=syntax != BIG_ENDIAN,
            stop_when=is_pixels,
            specific_tags=_tags(keywords),
        )
        return Content(syntax, attributes, found[0] if found else None)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, str, int]]:
    """Open a file at the beginning of its attributes; give it, its transfer syntax and its size.

    Raises
    ------
    ImageError
        It says of no transfer syntax, or inflates to more than it may.
    """
    _hush()
    with _Bounded(path) as file:
        syntax, start = _meta(file)
        if syntax != DEFLATED:
            file.seek(start)
            yield file, syntax, file.size
            return
        file.seek(start)
        inflated = _inflated(file)
    yield inflated, syntax, inflated.seek(0, io.SEEK_END) + inflated.seek(0)


def _meta(file: _Bounded) -> tuple[str, int]:
    """Return the transfer syntax of a file and where its attributes begin."""
    from pydicom.filereader import read_dataset

    file.seek(PREAMBLE + len(MAGIC))
    meta = read_dataset(
        file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, length: tag >> 16 != 2
    )
    syntax = str(meta.get("TransferSyntaxUID", "") or "")
    if not syntax:
        raise ImageError(
            "The file has no transfer syntax, which says how pixels are stored.",
            "Export the image again.",
        )
    return syntax, file.tell()


def _inflated(file: BinaryIO) -> io.BytesIO:
    """Inflate the rest of a file, up to a limit."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = io.BytesIO()
    while not inflater.eof and (part := inflater.unconsumed_tail or file.read(2**16)):
        found.write(inflater.decompress(part, 2**20))
        if found.tell() > INFLATED_AT_MOST:
            raise ImageError(
                f"The file inflates to more than {INFLATED_AT_MOST // 10**6} MB.", "Export it without deflating it."
            )
    found.seek(0)
    return found


def _tags(keywords: Sequence[str]) -> list[Any]:
    from pydicom.datadict import tag_for_keyword

    return [tag_for_keyword(keyword) for keyword in keywords]


def _hush() -> None:
    """Keep back what pydicom says about odd values: what matters is said in the result.

    `warnings.catch_warnings` is no choice: it must not be used by several threads at once.
    """
    if not _hushed or _hushed[0] not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"(pydicom|highdicom|pylibjpeg|openjpeg|rle|gdcm|jpeg_ls)(\.|$)")
        _hushed[:] = warnings.filters[:1]

"""The DICOM images that rows of a table are of, and what a report takes over from them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred.errors import OptionError
from napari_webipred.imaging.dicom.content import content_of
from napari_webipred.imaging.dicom.reader import READER, Slice, slice_of
from napari_webipred.imaging.quiet import quiet
from napari_webipred.reports.images import Known, Place, found
from napari_webipred.reports.results import Result, Results

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
else:
    Dataset = Any  # pydicom takes long to import

# Which image, series and study it is, and whose: without these, a report belongs to nobody.
IDENTIFYING = (
    *("PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "AccessionNumber"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID"),
)
# Read and written only when the user asks for the name.
PERSONAL = ("PatientName", "PatientBirthDate", "PatientSex")
_TECHNICAL = (
    *(
        "SpecificCharacterSet",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "TimezoneOffsetFromUTC",
    ),
    *("NumberOfFrames", "Rows", "Columns", "FrameOfReferenceUID"),
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


class Origin(Struct, frozen=True, eq=False):
    """An image that a row is of.

    Attributes
    ----------
    attributes : Dataset
        What a report takes over: never pixels, and of the patient only what was asked for.
    frame : int, optional
        Counted from 1; None if the file has one frame.
    """

    attributes: Dataset
    frame: int | None

    @property
    def instance(self) -> str:
        """Its unique identifier."""
        return str(self.attributes.SOPInstanceUID)

    @property
    def study(self) -> str:
        """The unique identifier of its study."""
        return str(self.attributes.StudyInstanceUID)


def origins(
    results: Results, folders: Sequence[Path] = (), known: Known | None = None, *, name: bool = False
) -> Generator[int, None, list[list[Origin]]]:
    """Find the images of rows, and read what a report needs of their headers.

    Parameters
    ----------
    results, folders, known
        See `napari_webipred.reports.images.found`.
    name : bool
        Whether the patient's name, date of birth and sex are read, too.

    Yields
    ------
    int
        How many files were looked at.

    Returns
    -------
    list of list of Origin
        For each row; several if its plane was made of several slices.

    Raises
    ------
    OptionError
        An image is not found, is no DICOM image, or was changed since it was classified.
    """
    images = yield from found(results, folders, known)
    read: dict[Path, Dataset] = {}
    keywords = (*_TECHNICAL, *IDENTIFYING, *(PERSONAL if name else ()))
    of_rows = []
    for row in results.rows:
        own = []
        for each in _slices(images.place_of(row), row):
            path, frames = each.instance.path, each.instance.layout.frames
            if path not in read:
                read[path] = _attributes(path, keywords, row.image)
            if str(read[path].SOPInstanceUID) != each.instance.identifier:  # another disk is in the drive, for example
                raise OptionError(f"{row.image} was changed since it was classified.", "Classify it again.")
            own.append(Origin(read[path], each.frame + 1 if frames > 1 else None))
        of_rows.append(own)
    return of_rows


def _slices(place: Place, row: Result) -> list[Slice]:
    if place.source.reader != READER.id:
        raise OptionError(
            f"{row.image} is no DICOM image, so that nobody knows whose record the report belongs to.",
            "Make a report of the kind html, or classify DICOM images.",
        )
    return [slice_of(place.source, index) for index in place.indices]


def _attributes(path: Path, keywords: Sequence[str], image: str) -> Dataset:
    """Read attributes of a file, and nothing else of it."""
    try:
        with quiet():
            read = content_of(path, keywords).attributes
            read.decode()
            missing = [keyword for keyword in _NEEDED if not str(read.get(keyword) or "")]
    except Exception as error:  # pydicom raises nearly everything on damaged files
        raise OptionError(f"The header of {image} cannot be read.", "Export the image again.") from error
    if missing:
        raise OptionError(
            f"{image} lacks {', '.join(missing)}, which a report refers to.",
            "Export it again from the archive.",
        )
    return read

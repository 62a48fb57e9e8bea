"""A DICOM file as plain data: what its header says of its frames, without anything of the patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from msgspec import Struct

from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom.attribute import items, number, numbers, parts, text, texts, value, whole
from napari_webipred.imaging.dicom.content import content_of
from napari_webipred.imaging.dicom.layout import Layout, layout_of
from napari_webipred.imaging.dicom.lookup import Lookup, is_given, lookup
from napari_webipred.imaging.dicom.syntax import SYNTAXES
from napari_webipred.imaging.display import Display, Function, Window
from napari_webipred.names import readable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

SHOWN = 20  # characters of a value that is refused
LARGEST = 1e12  # of a number that is used for computing; anything beyond is no intensity
# Modalities of which images often have text burned into them, so that silence about it says nothing.
OFTEN_BURNED_IN = {"US", "SC", "XA", "XC", "ES", "GM", "DMS", "OT", "OP", "RF"}
Vector = tuple[float, float, float]


class Rescale(Struct, frozen=True, eq=False):
    """What makes intensities, such as Hounsfield units, of stored values.

    Attributes
    ----------
    slope, intercept : float
    table : Lookup, optional
        In place of these.
    """

    slope: float = 1.0
    intercept: float = 0.0
    table: Lookup | None = None

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers stay whole."""
        return self.table is not None or (self.slope == 1 and self.intercept.is_integer())

    def of(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the intensities of stored values: int32 or int64 if they are whole, else float64."""
        if self.table is not None:
            return self.table.of(stored)
        if self.is_whole and stored.dtype.kind in "ui":
            narrow = stored.dtype.itemsize < 4 and abs(self.intercept) < 2**30
            shifted: NDArray[Any] = stored.astype(np.int32 if narrow else np.int64)
            shifted += int(self.intercept)
            return shifted
        return stored.astype(np.float64) * self.slope + self.intercept


class Frame(Struct, frozen=True, eq=False):
    """What the header says of a frame.

    Attributes
    ----------
    rescale : Rescale
    display : Display, optional
        None of colours.
    position : tuple of float, optional
        Of its first pixel in the patient, in mm.
    orientation : tuple of float, optional
        Directions of its rows and columns.
    spacing : tuple of float, optional
        Distance of rows and of columns in mm; both are above 0.
    """

    rescale: Rescale
    display: Display | None
    position: Vector | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None


class Instance(Struct, frozen=True, eq=False):
    """An image file.

    Attributes
    ----------
    path : Path
    layout : Layout
    frames : tuple of Frame
        One for each frame, or one for all.
    modality, body_part, kind : str
        Modality, body part, and the identifier of its class.
    study, series, identifier : str
        Unique identifiers.
    series_number, number : int
        As the machine has counted.
    moment : tuple of int
        Which time of a series, and which acquisition it is of, as the machine has counted.
    thickness : float
        Distance to the next slice in mm, as the file says; 0 if it does not.
    localizer : bool
        Whether it shows where other images lie.
    remarks : tuple of str
    """

    path: Path
    layout: Layout
    frames: tuple[Frame, ...]
    modality: str
    body_part: str
    kind: str
    study: str
    series: str
    identifier: str
    series_number: int
    number: int
    moment: tuple[int, int]
    thickness: float
    localizer: bool
    remarks: tuple[str, ...]

    def frame(self, place: int) -> Frame:
        """Return what is known of a frame."""
        return self.frames[place] if len(self.frames) > 1 else self.frames[0]


def instance_of(path: Path) -> Instance:
    """Read the header of a file.

    Raises
    ------
    ImageError
        It holds no image, or one that cannot be read.
    Exception
        Of pydicom, if it is damaged.
    """
    content = content_of(path)
    attributes, layout = content.attributes, layout_of(content)
    modality, localizer = text(attributes, "Modality"), "LOCALIZER" in texts(attributes, "ImageType")
    return Instance(
        path,
        layout,
        _frames(attributes, layout),
        modality,
        text(attributes, "BodyPartExamined"),
        text(attributes, "SOPClassUID"),
        text(attributes, "StudyInstanceUID"),
        text(attributes, "SeriesInstanceUID"),
        text(attributes, "SOPInstanceUID"),
        whole(attributes, "SeriesNumber"),
        whole(attributes, "InstanceNumber"),
        (whole(attributes, "TemporalPositionIdentifier"), whole(attributes, "AcquisitionNumber")),
        _thickness(attributes),
        localizer,
        tuple(_remarks(attributes, layout, modality, localizer)),
    )


def _frames(attributes: Dataset, layout: Layout) -> tuple[Frame, ...]:
    shared = items(attributes, "SharedFunctionalGroupsSequence")[:1]
    single = items(attributes, "PerFrameFunctionalGroupsSequence")
    if not single:
        return (_frame(attributes, shared, layout),)
    # A frame that the file says nothing of is as all are.
    groups = [[each, *shared] for each in single] + [shared] * (layout.frames - len(single))
    return tuple(_frame(attributes, each, layout) for each in groups[: layout.frames])


def _frame(attributes: Dataset, groups: list[Dataset], layout: Layout) -> Frame:
    def of(sequence: str) -> Dataset:
        """Return where attributes stand: in a group of the frame, in one of all frames, or at the top."""
        return next((found[0] for group in groups if (found := items(group, sequence))), attributes)

    transformation = of("PixelValueTransformationSequence")
    rescale = Rescale() if layout.is_colour else _rescale(attributes, transformation, layout.signed)
    display = None if layout.is_colour else _display(attributes, of("FrameVOILUTSequence"), layout, rescale)
    position = numbers(of("PlanePositionSequence"), "ImagePositionPatient")
    orientation = numbers(of("PlaneOrientationSequence"), "ImageOrientationPatient")
    return Frame(
        rescale,
        display,
        (position[0], position[1], position[2]) if len(position) == 3 else None,
        tuple(orientation) if len(orientation) == 6 and any(orientation) else None,
        _spacing(of("PixelMeasuresSequence")),
    )


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = numbers(dataset, keyword)
        if len(found) == 2 and min(found) > 0 and max(found) < LARGEST:  # some files say 0
            return found[0], found[1]
    return None


def _thickness(attributes: Dataset) -> float:
    shared = items(attributes, "SharedFunctionalGroupsSequence")[:1]
    measures = [measure for group in shared for measure in items(group, "PixelMeasuresSequence")[:1]]
    for dataset in (*measures, attributes):
        for keyword in ("SpacingBetweenSlices", "SliceThickness"):
            found = abs(number(dataset, keyword) or 0)
            if 0 < found < LARGEST:
                return found
    return 0.0


def _rescale(attributes: Dataset, dataset: Dataset, signed: bool) -> Rescale:
    tables = items(attributes, "ModalityLUTSequence")
    if tables and is_given(tables[0]):
        if (table := lookup(tables[0], signed)) is None:
            raise ImageError("The modality table of the file is damaged.", "Export the image again.")
        return Rescale(table=table)
    slope, intercept = _factor(dataset, "RescaleSlope"), _factor(dataset, "RescaleIntercept")
    return Rescale() if not slope else Rescale(slope, intercept or 0.0)


def _factor(dataset: Dataset, keyword: str) -> float | None:
    """Return a number that all values are changed by; None if there is none."""
    found = (*parts(dataset, keyword), "")[0]
    if isinstance(found, str) and not found:
        return None
    if isinstance(found, str) or abs(found) >= LARGEST:
        raise ImageError(
            f"{keyword} is {readable(str(found), SHOWN)}, which is no number to compute intensities with.",
            f"Correct {keyword} in the file, or export the image again.",
        )
    return found


def _display(attributes: Dataset, dataset: Dataset, layout: Layout, rescale: Rescale) -> Display:
    signed = layout.signed or (rescale.table is None and rescale.intercept < 0)
    tables = [found for item in items(attributes, "VOILUTSequence") if (found := lookup(item, signed)) is not None]
    shape = text(attributes, "PresentationLUTShape").upper()
    return Display(
        (*(table.levels() for table in tables), *_windows(dataset)),
        layout.photometric == "MONOCHROME1" or shape == "INVERSE",
        _padding(attributes, layout, rescale),
        _limits(layout, rescale),
    )


def _windows(dataset: Dataset) -> list[Window]:
    centres, widths = parts(dataset, "WindowCenter"), parts(dataset, "WindowWidth")
    names = texts(dataset, "WindowCenterWidthExplanation")
    names += [""] * (len(centres) - len(names))
    asked: Any = text(dataset, "VOILUTFunction").upper()
    function: Function = asked if asked in get_args(Function) else "LINEAR"
    least = 1 if function == "LINEAR" else 0
    return [
        Window(centre, width, function, name)
        for centre, width, name in zip(centres, widths, names, strict=False)
        if not isinstance(centre, str) and not isinstance(width, str)
        if width >= least and 0 < width < LARGEST and abs(centre) < LARGEST
    ]


def _windows_not_read(attributes: Dataset) -> bool:
    """Tell whether the file says in some place how it is displayed, but not in a way that can be understood."""
    groups = [
        *items(attributes, "SharedFunctionalGroupsSequence"),
        *items(attributes, "PerFrameFunctionalGroupsSequence"),
    ]
    places = [attributes, *(found for group in groups for found in items(group, "FrameVOILUTSequence"))]
    ends = (part for place in places for end in ("WindowCenter", "WindowWidth") for part in parts(place, end))
    return any(isinstance(part, str) and part for part in ends) or any(
        is_given(table) and lookup(table, signed=False) is None for table in items(attributes, "VOILUTSequence")
    )


def _padding(attributes: Dataset, layout: Layout, rescale: Rescale) -> tuple[float, float] | None:
    """Return the intensities of stored values that are no part of the image."""
    if value(attributes, "PixelPaddingValue") is None or layout.is_float:
        return None
    ends = [whole(attributes, "PixelPaddingValue")]
    ends.append(whole(attributes, "PixelPaddingRangeLimit", ends[0]))
    size = 2**layout.allocated
    stored = [end - size if layout.signed and end >= size // 2 else end for end in ends]
    low, high = sorted(rescale.of(np.array(stored, np.int64)).tolist())
    return float(low), float(high)


def _limits(layout: Layout, rescale: Rescale) -> tuple[float, float]:
    """Return the intensities that can be stored."""
    if layout.is_float:
        return 0.0, 1.0
    half = 2 ** (layout.stored - 1)
    ends = [-half, half - 1] if layout.signed else [0, 2 * half - 1]
    low, high = sorted(rescale.of(np.array(ends, np.float64 if layout.stored > 32 else np.int64)).tolist())
    return float(low), float(high) if high > low else float(low) + 1


def _remarks(attributes: Dataset, layout: Layout, modality: str, localizer: bool) -> list[str]:
    remarks = []
    burned_in = text(attributes, "BurnedInAnnotation").upper()
    if burned_in == "YES":
        remarks.append("Text is burned into the image, which may name the patient and which the model sees.")
    elif not burned_in and modality in OFTEN_BURNED_IN:
        remarks.append("The file does not say whether text, such as a name, is burned into the image.")
    if localizer:
        remarks.append("The image is a localizer: it shows where other images lie.")
    if text(attributes, "LossyImageCompression") == "01" or SYNTAXES[layout.syntax].lossy:
        remarks.append("The image was compressed with losses.")
    if layout.photometric == "MONOCHROME1":
        remarks.append("The image is stored inverted (MONOCHROME1); it is classified as it is displayed.")
    if not layout.is_colour and _windows_not_read(attributes):
        remarks.append("The file has a window or table that cannot be read: the image may be displayed in another way.")
    if text(attributes, "PresentationIntentType").upper() == "FOR PROCESSING":
        remarks.append("The image is raw data that was not made for display.")
    return remarks

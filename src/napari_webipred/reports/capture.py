"""Heat maps as Secondary Capture images, which every viewer of DICOM shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_webipred.execution.plane import Plane
from napari_webipred.names import visible
from napari_webipred.reports.coding import short
from napari_webipred.reports.origin import Origin
from napari_webipred.reports.structured import MAKER, completed

# Makes the map of a class on a plane: the image as uint8 of shape (height, width, 3), and the method in words.
Explain: TypeAlias = Callable[[Plane, str], tuple[NDArray[np.uint8], str]]
_SERIES_NUMBER = 9101
WARNING = "Shows what speaks for the class in the eyes of the network. No localisation of a disease."


def capture(
    origin: Origin, image: NDArray[np.uint8], class_name: str, method: str, record: Mapping[str, Any], series: str
) -> bytes:
    """Make a DICOM file of a heat map.

    Parameters
    ----------
    origin : Origin
        The image that it is of, to which it refers.
    image : ndarray of uint8, shape (height, width, 3)
    class_name, method : str
    record : mapping
        How the row was made.
    series : str
        Unique identifier of the series of all maps.
    """
    from highdicom import UID
    from highdicom.sc import SCImage
    from pydicom.dataset import Dataset

    source = completed(origin)
    made = SCImage.from_ref_dataset(
        ref_dataset=source,
        pixel_array=image,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=series,
        series_number=_SERIES_NUMBER,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MAKER,
        patient_orientation=("L", "P"),  # highdicom wants one; nobody says it of all images
    )
    made.PatientOrientation = ""
    made.Laterality = ""
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    made.BurnedInAnnotation = "NO"
    made.SeriesDescription = short(visible(f"AI heat map: {class_name}"))
    made.DerivationDescription = visible(f"{method} of {class_name}, {record['model']['name']}. {WARNING}")[:1024]
    referred = Dataset()
    referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID = str(source.SOPClassUID), origin.instance
    if origin.frame is not None:
        referred.ReferencedFrameNumber = origin.frame
    made.SourceImageSequence = [referred]
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()

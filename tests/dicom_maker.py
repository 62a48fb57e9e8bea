"""Small DICOM files, made by code; and DCMTK, which judges how they are displayed."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pydicom")  # an environment may be older than this dependency

EXPLICIT = "1.2.840.10008.1.2.1"
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.3.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
}
RAMP = np.arange(-1024, 1024, dtype=np.int16).reshape(32, 64)


def dataset(pixels: np.ndarray, modality: str = "CT", syntax: str = EXPLICIT, **attributes: Any) -> Any:
    """A data set with these pixels: (rows, columns), (frames, rows, columns) or, with samples=3, one axis more."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = CLASSES[modality]
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    found.StudyInstanceUID, found.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    found.Modality, found.SeriesNumber, found.InstanceNumber = modality, 3, 1
    samples = attributes.pop("samples", 1)
    shape = pixels.shape[:-1] if samples > 1 else pixels.shape
    found.Rows, found.Columns = shape[-2:]
    if len(shape) > 2:
        found.NumberOfFrames = shape[0]
    found.SamplesPerPixel = samples
    found.PhotometricInterpretation = "RGB" if samples > 1 else "MONOCHROME2"
    if samples > 1:
        found.PlanarConfiguration = 0
    found.BitsAllocated = found.BitsStored = pixels.dtype.itemsize * 8
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    found["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return found


def item(**attributes: Any) -> Any:
    """An item of a sequence, in a list."""
    from pydicom.dataset import Dataset

    found = Dataset()
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return [found]


def table(first: int, entries: np.ndarray, bits: int, signed: bool = False) -> Any:
    """A sequence with a table of 16-bit entries."""
    from pydicom.dataelem import DataElement

    made = item()
    kind = "SS" if signed else "US"
    made[0].add(DataElement("LUTDescriptor", kind, [len(entries), first, bits]))
    made[0].add(DataElement("LUTData", "OW", entries.astype("<u2").tobytes()))
    return made


def content(made: Any) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def written(path: Path, made: Any) -> Path:
    path.write_bytes(content(made))
    return path


def ct_slice(place: float, number: int = 1, pixels: np.ndarray = RAMP, **attributes: Any) -> Any:
    """A slice of a series that lies so many mm from the first."""
    of_slice = {
        "InstanceNumber": number,
        "ImagePositionPatient": [-10.0, -20.0, place],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PixelSpacing": [0.5, 0.25],
        "WindowCenter": 40,
        "WindowWidth": 400,
    }
    return dataset(pixels, **of_slice | attributes)


def by_dcmtk(path: Path, *options: str, frame: int = 0) -> np.ndarray:
    """The image as DCMTK displays it; the test is left out where it is not installed."""
    if shutil.which("dcmj2pnm") is None:
        pytest.skip("DCMTK is not installed")
    command = ["dcmj2pnm", "+on", "--frame", str(frame + 1), *options, str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.stdout.startswith(b"\x89PNG"), done.stderr
    return np.asarray(Image.open(io.BytesIO(done.stdout)))

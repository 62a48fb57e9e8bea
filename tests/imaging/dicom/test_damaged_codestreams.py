"""Compressed frames that are damaged: none ends the process or the run, whatever its decoder makes of it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import napari_webipred as wp
from dicom_maker import dataset, written
from napari_webipred.errors import ImageError
from napari_webipred.imaging.dicom import codestream
from napari_webipred.imaging.dicom.content import Place
from napari_webipred.imaging.dicom.layout import Layout
from napari_webipred.imaging.dicom.syntax import GDCM, PILLOW

LOSSLESS = "1.2.840.10008.1.2.4.70"
JFIF = bytes.fromhex("ffe0 0010 4a46494600 0101 00 0001 0001 00 00")
SIZE = bytes.fromhex("ffc3 000b 10 0040 0040 01 01 11 00")
TABLE = bytes.fromhex("ffc4 0014 00 00010000000000000000000000000000 00")
SCAN = bytes.fromhex("ffda 0008 01 01 00 01 00 00") + bytes(20)
SOUND = b"\xff\xd8" + JFIF + SIZE + TABLE + SCAN
LAYOUT = Layout(
    LOSSLESS,
    Place("PixelData", 0, 100, False),
    64,
    64,
    1,
    1,
    16,
    12,
    11,
    signed=False,
    photometric="MONOCHROME2",
    planar=0,
)


def test_a_sound_jpeg_is_passed_on_also_with_comments_and_the_marker_of_adobe() -> None:
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"
    for more in (b"", adobe, b"\xff\xfe\x00\x06text", b"\xff"):
        codestream.check(SOUND.replace(TABLE, more + TABLE), LAYOUT, GDCM)


@pytest.mark.parametrize(
    ("found", "damaged"),
    [
        (SIZE[:5], b"\xff\xc3\x00\x0b\xd2"),  # a precision of 210 bits
        (SIZE, SIZE[:9] + b"\x03" + SIZE[10:]),  # three samples
        (b"JFIF\x00\x01", b"JFIF\x00\xc4"),  # version 196
        (TABLE, TABLE + b"\x00\x00"),  # bytes between segments
        (TABLE, b"\xff\x20" + TABLE[2:]),  # no marker that there is
        (TABLE, b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x09"),  # a way of storing colours that there is not
        (SCAN, bytes(30)),
    ],
)
def test_a_jpeg_that_would_end_the_process_is_not_given_to_gdcm(found: bytes, damaged: bytes) -> None:
    frame = SOUND.replace(found, damaged)
    assert frame != SOUND
    with pytest.raises(ImageError, match="beginning of the compressed image is damaged"):
        codestream.check(frame, LAYOUT, GDCM)
    codestream.check(frame, LAYOUT, PILLOW)  # which copes with it


def test_a_decoder_that_panics_does_not_end_the_run(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    made = dataset(np.zeros((8, 8), np.uint16), syntax="1.2.840.10008.1.2.5")
    segment = bytes([63, *bytes(64), 250, 7, 0])  # seven bytes more than the image has
    offsets = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13)
    made.PixelData = encapsulate([offsets + segment + segment])
    made["PixelData"].is_undefined_length = True
    sound = written(tmp_path / "sound.dcm", dataset(np.zeros((8, 8), np.uint16)))
    table = wp.classify([written(tmp_path / "x.dcm", made), sound], "demo")
    assert table["error"].tolist() == ["x.dcm: The compressed image is damaged. Export the image again.", ""]

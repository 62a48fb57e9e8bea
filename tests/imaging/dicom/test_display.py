"""What a DICOM file becomes on its way to 8 bits, judged by a formula written here and by DCMTK where it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_maker import RAMP, by_dcmtk, dataset, item, table, written
from napari_webipred.errors import ImageError
from napari_webipred.imaging.display import Displayed, displayed
from napari_webipred.imaging.intensity import Intensity
from napari_webipred.imaging.readers import file_source, header_of, read

X = RAMP.astype(float)
WINDOW = {"WindowCenter": 40, "WindowWidth": 400}


def shown(path: Path, asked: Intensity = "auto", index: tuple[int, ...] = ()) -> Displayed:
    source = file_source(path)
    header = header_of(source, index)
    assert header is not None
    assert header.display is not None
    return displayed(read(source, index), header.display, asked)


def rounded(levels: np.ndarray) -> np.ndarray:
    return np.floor(255 * np.clip(levels, 0, 1) + 0.5).astype(np.uint8)


CURVE = np.round(4095 * np.linspace(0, 1, 200) ** 2).astype(int)
STORED = np.arange(2048, dtype=np.uint16).reshape(32, 64)
CASES: dict[str, tuple[Any, np.ndarray, list[str]]] = {
    "window": (lambda: dataset(RAMP, **WINDOW), (X - 39.5) / 399 + 0.5, ["--use-window", "1"]),
    "window and rescale": (
        lambda: dataset(RAMP, RescaleSlope="0.5", RescaleIntercept="-10", **WINDOW),
        (X / 2 - 10 - 39.5) / 399 + 0.5,
        ["--use-window", "1"],
    ),
    "exact window": (
        lambda: dataset(RAMP, VOILUTFunction="LINEAR_EXACT", **WINDOW),
        (X - 40) / 400 + 0.5,
        [],  # DCMTK 3.6.7 takes it for LINEAR
    ),
    "sigmoid": (
        lambda: dataset(RAMP, VOILUTFunction="SIGMOID", **WINDOW),
        1 / (1 + np.exp(-4 * (X - 40) / 400)),
        ["--use-window", "1", "--sigmoid-function"],
    ),
    "window of one grey level": (
        lambda: dataset(RAMP, WindowCenter=40, WindowWidth=1),
        (X > 39.5).astype(float),
        ["--use-window", "1"],
    ),
    "first of two windows": (
        lambda: dataset(RAMP, WindowCenter=[40, 0], WindowWidth=[400, 100]),
        (X - 39.5) / 399 + 0.5,
        ["--use-window", "1"],
    ),
    "table of levels": (
        lambda: dataset(RAMP, VOILUTSequence=table(-100, CURVE, 12, signed=True)),
        CURVE[np.clip(RAMP.astype(int) + 100, 0, 199)] / 4095,
        ["--use-voi-lut", "1"],
    ),
    "table of intensities": (
        lambda: dataset(STORED, ModalityLUTSequence=table(500, CURVE, 12), WindowCenter=2000, WindowWidth=3000),
        (CURVE[np.clip(STORED.astype(int) - 500, 0, 199)] - 1999.5) / 2999 + 0.5,
        ["--use-window", "1"],
    ),
    "inverted": (
        lambda: dataset(RAMP, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", **WINDOW),
        1 - np.clip((X - 39.5) / 399 + 0.5, 0, 1),
        ["--use-window", "1"],
    ),
    "full range without padding": (
        lambda: dataset(np.where(RAMP < -900, -2000, RAMP).astype(np.int16), PixelPaddingValue=-2000),
        (np.where(RAMP < -900, -2000, RAMP) + 900) / (1023 + 900),
        [],  # DCMTK counts the padding
    ),
    "full range": (lambda: dataset(RAMP), (X + 1024) / 2047, ["--min-max-window"]),
    "bits above those that count": (
        lambda: dataset(STORED | 0xF000, BitsStored=12, HighBit=11),
        STORED / 2047,
        ["--min-max-window"],
    ),
    "bits below those that count": (
        lambda: dataset(STORED << 3 | 0x8005, BitsStored=12, HighBit=14),
        STORED / 2047,
        ["--min-max-window"],
    ),
    "bits below those of a number with a sign": (
        lambda: dataset(RAMP << 4 | 5, BitsStored=12, HighBit=15),
        (X + 1024) / 2047,
        ["--min-max-window"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_displayed_as_the_standard_says(tmp_path: Path, name: str) -> None:
    make, levels, options = CASES[name]
    path = written(tmp_path / "x.dcm", make())
    ours = shown(path).pixels
    np.testing.assert_array_equal(ours, rounded(levels))
    assert len(np.unique(ours)) > 1
    if options:
        assert np.abs(ours.astype(int) - by_dcmtk(path, *options)).max() <= 1


def test_each_frame_has_its_own_window_and_rescale(tmp_path: Path) -> None:
    frames = np.stack([RAMP, RAMP, RAMP])
    groups = []
    for centre, slope in ((40, 1), (100, 2), (-50, 0.5)):
        groups += item(
            FrameVOILUTSequence=item(WindowCenter=centre, WindowWidth=200),
            PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="HU"),
        )
    made = dataset(frames, PerFrameFunctionalGroupsSequence=groups, SharedFunctionalGroupsSequence=item())
    path = written(tmp_path / "x.dcm", made)
    for frame, (centre, slope) in enumerate(((40, 1), (100, 2), (-50, 0.5))):
        expected = rounded((X * slope - centre + 0.5) / 199 + 0.5)
        np.testing.assert_array_equal(shown(path, index=(frame,)).pixels, expected)


def test_what_all_frames_share_counts_where_a_frame_says_nothing(tmp_path: Path) -> None:
    shared = item(FrameVOILUTSequence=item(WindowCenter=40, WindowWidth=400))
    made = dataset(np.stack([RAMP, RAMP]), SharedFunctionalGroupsSequence=shared)
    path = written(tmp_path / "x.dcm", made)
    np.testing.assert_array_equal(shown(path, index=(1,)).pixels, rounded((X - 39.5) / 399 + 0.5))


# What a user chooses


TWO = {"WindowCenter": [40, -600], "WindowWidth": [400, 1500], "WindowCenterWidthExplanation": ["BODY", "LUNG"]}


@pytest.mark.parametrize(
    ("asked", "levels", "used"),
    [
        ("window 2", (X + 600.5) / 1499 + 0.5, (-1350, 149)),
        ("window lung", (X + 600.5) / 1499 + 0.5, (-1350, 149)),
        ("plane", (X + 1024) / 2047, (-1024, 1023)),
        ("dtype", (X + 32768) / 65535, (-32768, 32767)),
        ((-100.0, 300.0), (X + 100) / 400, (-100, 300)),
    ],
)
def test_another_window_can_be_chosen(tmp_path: Path, asked: Intensity, levels: Any, used: tuple[float, float]) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP, PhotometricInterpretation="MONOCHROME1", **TWO))
    found = shown(path, asked)
    np.testing.assert_array_equal(found.pixels, rounded(1 - np.clip(levels, 0, 1)))
    assert found.range == used
    assert "inverted" in found.words


def test_a_window_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP, **TWO))
    with pytest.raises(ImageError, match=r"no window 3\. Its windows are BODY, LUNG"):
        shown(path, "window 3")


@pytest.mark.parametrize("width", ["0", "-5", "0.5"])
def test_a_window_without_width_is_none(tmp_path: Path, width: str) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP, WindowCenter="40", WindowWidth=width))
    assert shown(path).words == "full range of the plane"


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    pixels = np.full((4, 4), np.nan, np.float32)
    made = dataset(pixels.view(np.int32))
    del made.PixelData
    made.FloatPixelData = pixels.tobytes()
    with pytest.raises(ImageError, match="NaN"):
        shown(written(tmp_path / "x.dcm", made))

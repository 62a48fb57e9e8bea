"""Attributes of a DICOM file that cannot be understood: none is passed over if the numbers depend on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from dicom_maker import RAMP, dataset, item, table, written
from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import file_source, header_of, read

WINDOW = {"WindowCenter": 40, "WindowWidth": 400}
UNREAD = "The file has a window or table that cannot be read: the image may be displayed in another way."


def with_text(made: Any, **texts: str) -> Any:
    """Put texts into attributes of numbers, which pydicom would refuse to set."""
    from pydicom.dataelem import DataElement

    for keyword, text in texts.items():
        made[keyword] = DataElement(keyword, "DS", "0")
        made[keyword].VR, made[keyword]._value = "LO", text
        made[keyword].VR = "DS"
    return made


def shown(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """The windows of a file, and the remarks on it."""
    header = header_of(file_source(path), ())
    assert header is not None
    assert header.display is not None
    return list(map(str, header.display.windows)), header.remarks


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("text", ["1,5", "nan", "-1e13", "HU"])
def test_a_rescale_that_is_no_number_is_refused_with_its_text(tmp_path: Path, keyword: str, text: str) -> None:
    made = with_text(dataset(RAMP, **WINDOW), **{"RescaleSlope": "2", "RescaleIntercept": "-10", keyword: text})
    error = wp.classify(written(tmp_path / "x.dcm", made), "demo")["error"][0]
    assert f"{keyword} is {float(text) if text == '-1e13' else text}, which is no number" in error
    assert f"Correct {keyword}" in error


def test_a_modality_table_that_is_damaged_is_refused(tmp_path: Path) -> None:
    short = table(0, np.arange(10), 12)
    short[0].LUTDescriptor = [4000, 0, 12]
    with pytest.raises(ImageError, match="modality table"):
        read(file_source(written(tmp_path / "x.dcm", dataset(RAMP, ModalityLUTSequence=short))), ())


@pytest.mark.parametrize(
    ("centre", "width", "windows", "is_remarked"),
    [
        ("40\\", "400\\", ["window 40/400 (LINEAR)"], False),
        ("\\40", "\\400", ["window 40/400 (LINEAR)"], False),
        ("40\\x", "400\\800", ["window 40/400 (LINEAR)"], True),
        ("40,5", "400", [], True),
    ],
)
def test_windows_that_can_be_read_count_and_others_are_remarked(
    tmp_path: Path, centre: str, width: str, windows: list[str], is_remarked: bool
) -> None:
    made = with_text(dataset(RAMP), WindowCenter=centre, WindowWidth=width)
    assert shown(written(tmp_path / "x.dcm", made)) == (windows, (UNREAD,) * is_remarked)


def test_a_table_of_levels_that_is_damaged_is_remarked(tmp_path: Path) -> None:
    short = table(0, np.arange(10), 12)
    short[0].LUTDescriptor = [4000, 0, 12]
    made = dataset(RAMP, VOILUTSequence=short, **WINDOW)
    assert shown(written(tmp_path / "x.dcm", made)) == (["window 40/400 (LINEAR)"], (UNREAD,))


def test_frames_that_the_file_says_nothing_of_are_as_all_are_and_the_others_as_it_says(tmp_path: Path) -> None:
    windows = [item(FrameVOILUTSequence=item(WindowCenter=centre, WindowWidth=200))[0] for centre in (1, 2)]
    shared = item(FrameVOILUTSequence=item(WindowCenter=9, WindowWidth=200))
    made = dataset(
        np.stack([RAMP] * 3), PerFrameFunctionalGroupsSequence=windows, SharedFunctionalGroupsSequence=shared
    )
    source = file_source(written(tmp_path / "x.dcm", made))
    headers = [header_of(source, (frame,)) for frame in range(3)]
    assert [str(each and each.display and each.display.windows[0]) for each in headers] == [
        f"window {centre}/200 (LINEAR)" for centre in (1, 2, 9)
    ]


@pytest.mark.parametrize(
    ("samples", "photometric"), [(1, "RGB"), (1, "MONOCHROME"), (3, "HSV"), (3, "PALETTE COLOR"), (3, "MONOCHROME2")]
)
def test_a_photometric_interpretation_that_cannot_be_is_refused(tmp_path: Path, samples: int, photometric: str) -> None:
    pixels = np.zeros((8, 8, 3) if samples == 3 else (8, 8), np.uint8)
    made = dataset(pixels, "SC", samples=samples, PhotometricInterpretation=photometric)
    with pytest.raises(
        ImageError, match=f"{samples} samples? per pixel and the photometric interpretation {photometric}"
    ):
        read(file_source(written(tmp_path / "x.dcm", made)), ())


def test_values_of_which_the_sign_is_not_known_are_refused(tmp_path: Path) -> None:
    made = dataset(RAMP)
    del made.PixelRepresentation
    with pytest.raises(ImageError, match="PixelRepresentation"):
        read(file_source(written(tmp_path / "x.dcm", made)), ())

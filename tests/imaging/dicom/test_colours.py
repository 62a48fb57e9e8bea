"""What colours a DICOM file has: those of a palette, of many bits, and those that a codec has changed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicom_maker import by_dcmtk, dataset, written
from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import file_source, read

INDICES = np.arange(64, dtype=np.uint8).reshape(8, 8)
BYTES = [np.arange(64) * 4, 255 - np.arange(64) * 4, np.full(64, 128)]
WORDS = [np.linspace(0, 65535, 64), np.linspace(65535, 0, 64), np.full(64, 0x8000)]


def of_palette(
    pixels: np.ndarray, bits: int, data: list[bytes], count: int = 64, kind: str = "", first: int = 0
) -> Any:
    """An image with such a palette; the kind is that of its data: plain, or ``Segmented``."""
    from pydicom.dataelem import DataElement

    made = dataset(pixels, "US", PhotometricInterpretation="PALETTE COLOR")
    for colour, entries in zip(("Red", "Green", "Blue"), data, strict=True):
        made.add(DataElement(f"{colour}PaletteColorLookupTableDescriptor", "US", [count, first, bits]))
        made.add(DataElement(f"{kind}{colour}PaletteColorLookupTableData", "OW", entries + bytes(len(entries) % 2)))
    return made


def colours(path: Path) -> np.ndarray:
    return read(file_source(path), ())


@pytest.mark.parametrize(
    ("bits", "data", "levels"),
    [
        (16, [ramp.astype("<u2").tobytes() for ramp in WORDS], [ramp.astype("<u2") >> 8 for ramp in WORDS]),
        (8, [ramp.astype("u1").tobytes() for ramp in BYTES], BYTES),
        (8, [ramp.astype("<u2").tobytes() for ramp in BYTES], BYTES),  # a byte in each word
        (8, [(ramp * 257).astype("<u2").tobytes() for ramp in BYTES], BYTES),  # twice in each word
    ],
)
def test_a_palette_is_looked_up(tmp_path: Path, bits: int, data: list[bytes], levels: list[np.ndarray]) -> None:
    path = written(tmp_path / "x.dcm", of_palette(INDICES, bits, data))
    np.testing.assert_array_equal(colours(path), np.stack([level[INDICES] for level in levels], -1))
    assert np.abs(colours(path).astype(int) - by_dcmtk(path, "--no-windowing")).max() <= 1


@pytest.mark.parametrize(("count", "first"), [(63, 0), (256, 40)])
def test_values_beside_a_palette_have_its_first_or_last_colour(tmp_path: Path, count: int, first: int) -> None:
    pixels = np.arange(400, dtype=np.uint16).reshape(20, 20)
    ramps = [np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8) for seed in range(3)]
    made = of_palette(pixels, 8, [ramp.tobytes() for ramp in ramps], count, first=first)
    places = np.clip(pixels.astype(int) - first, 0, count - 1)
    np.testing.assert_array_equal(
        colours(written(tmp_path / "x.dcm", made)), np.stack([ramp[places] for ramp in ramps], -1)
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_segments_of_a_palette_are_expanded(tmp_path: Path, bits: int) -> None:
    size, unit = (1, 1) if bits == 8 else (2, 256)
    # Three entries, eight up to 96, and both again: the second segment then begins at the last entry of the first.
    numbers = [0, 3, 0, 8 * unit, 16 * unit, 1, 8, 96 * unit, 2, 2, *([0] * (4 // size))]
    data = np.array(numbers, "u1" if bits == 8 else "<u2").tobytes()
    once = [0, 8, 16, *range(26, 97, 10)]
    pixels = np.arange(22, dtype=np.uint8).reshape(2, 11)
    path = written(tmp_path / "x.dcm", of_palette(pixels, bits, [data] * 3, 22, "Segmented"))
    np.testing.assert_array_equal(colours(path)[..., 1], [once, once])


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([1, 8, 96], "its first segment has no beginning"),
        ([0, 3, 1], "a segment is damaged"),
        ([0, 1, 5, 2, 1, 99, 0, 0, 0], "a segment stands for one that there is not"),
        ([0, 1, 5, 7, 7, 7], "a segment is damaged"),
        ([0, 1, 5], "colours are missing"),
    ],
)
def test_a_palette_that_is_damaged_is_refused(tmp_path: Path, numbers: list[int], reason: str) -> None:
    path = written(tmp_path / "x.dcm", of_palette(INDICES, 8, [bytes(numbers)] * 3, kind="Segmented"))
    with pytest.raises(ImageError, match=reason):
        colours(path)


def test_colours_of_16_bits_become_8_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), dtype=np.uint16)
    path = written(tmp_path / "x.dcm", dataset(pixels, "SC", samples=3))
    np.testing.assert_array_equal(colours(path), np.floor(pixels / 65535 * 255 + 0.5).astype(np.uint8))


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("has_jfif", [True, False])
def test_colours_of_a_jpeg_with_the_marker_of_adobe_are_converted_once(
    tmp_path: Path, photometric: str, has_jfif: bool
) -> None:
    from pydicom.encaps import encapsulate

    pixels = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=100, subsampling=0)
    begin, jfif, rest = buffer.getvalue()[:2], buffer.getvalue()[2:20], buffer.getvalue()[20:]
    assert jfif[4:8] == b"JFIF"
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"  # the last: YCbCr
    made = dataset(pixels, "US", "1.2.840.10008.1.2.4.50", samples=3, PhotometricInterpretation=photometric)
    made.PixelData = encapsulate([begin + (jfif if has_jfif else b"") + adobe + rest])
    made["PixelData"].is_undefined_length = True
    path = written(tmp_path / "x.dcm", made)
    assert np.abs(colours(path).astype(int) - pixels).max() <= 2

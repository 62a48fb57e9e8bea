"""Large Deflate strips of TIFF files are read piece by piece, with the values that tifffile gives."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_webipred.errors import ImageError
from napari_webipred.imaging import deflate
from napari_webipred.imaging.readers import file_source, read

RANDOM = np.random.default_rng(0).integers(0, 60000, (61, 50, 4)).astype(np.uint16)


@pytest.fixture(autouse=True)
def _all_strips_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflate, "LARGE_STRIP", 0)
    monkeypatch.setattr(deflate, "STEP", 1000)


def only_plane(path: Path) -> np.ndarray:
    return read(file_source(path), ())


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4", ">i4", "f4", ">f4", "f8"])
@pytest.mark.parametrize("strip", [1, 7, 61, 500])
def test_grey_of_any_depth_is_read(tmp_path: Path, dtype: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = (RANDOM[..., 0] % 120).astype(dtype)
    byteorder = ">" if dtype.startswith(">") else "<"
    how: dict[str, Any] = {"compression": "zlib", "rowsperstrip": strip, "byteorder": byteorder}
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="minisblack", **how)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", pytest.fail)
    plane = only_plane(tmp_path / "x.tif")
    assert plane.dtype == pixels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(plane, pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("strip", [7, 61])
def test_colours_are_read(tmp_path: Path, planar: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = RANDOM if planar == "contig" else np.moveaxis(RANDOM, -1, 0)
    how: dict[str, Any] = {"compression": "zlib", "rowsperstrip": strip, "planarconfig": planar}
    tifffile.imwrite(tmp_path / "x.tif", data, photometric="rgb", extrasamples=["unassalpha"], **how)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", pytest.fail)
    np.testing.assert_array_equal(only_plane(tmp_path / "x.tif"), RANDOM)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4"])
@pytest.mark.parametrize("channels", [1, 3])
def test_differences_are_added_up(tmp_path: Path, dtype: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = RANDOM[..., :channels].astype(dtype)
    how: dict[str, Any] = {"photometric": "rgb"} if channels == 3 else {"photometric": "minisblack"}
    byteorder = ">" if dtype.startswith(">") else "<"
    path, written = tmp_path / "x.tif", pixels if channels == 3 else pixels[..., 0]
    tifffile.imwrite(path, written, compression="zlib", predictor=2, rowsperstrip=20, byteorder=byteorder, **how)
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].predictor == 2
    monkeypatch.setattr(tifffile.TiffPage, "asarray", pytest.fail)
    np.testing.assert_array_equal(only_plane(path), written)


def with_strip(path: Path, content: bytes) -> Path:
    """Write a page whose only strip is this."""
    tifffile.imwrite(path, RANDOM[..., 0], compression="zlib", rowsperstrip=61)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        offset, count = page.dataoffsets[0], page.databytecounts[0]
        place = page.tags[279].valueoffset
    whole = bytearray(path.read_bytes())
    assert len(content) <= count
    whole[offset : offset + len(content)] = content
    whole[place : place + 4] = len(content).to_bytes(4, "little")
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zlib.compress(bytes(61 * 50 * 2 + 1)), "inflate to more than it claims"),
        (zlib.compress(bytes(10**6)), "inflate to more than it claims"),
        (zlib.compress(bytes(61 * 50 * 2 - 1)), "fewer pixels than it claims"),
        (zlib.compress(bytes(61 * 50 * 2))[:-12], "fewer pixels than it claims"),
        (b"no Deflate at all", "is damaged"),
    ],
)
def test_a_strip_that_lies_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        only_plane(with_strip(tmp_path / "x.tif", content))


def test_an_honest_strip_is_read(tmp_path: Path) -> None:
    path = with_strip(tmp_path / "x.tif", zlib.compress(bytes(61 * 50 * 2)))
    np.testing.assert_array_equal(only_plane(path), np.zeros((61, 50)))

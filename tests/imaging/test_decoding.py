"""What Pillow decodes comes out as Pillow itself would convert it, however it was put into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_webipred.imaging import decoding
from napari_webipred.imaging.readers import file_source, read

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 31, 4), np.uint8)
RGB = Image.fromarray(PIXELS[..., :3])
PALETTE = RGB.quantize(50)
DEEP = (PIXELS[..., 0].astype(np.uint16) << 8) | PIXELS[..., 1]

CASES: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "one bit": (RGB.convert("1"), "png", {}),
    "grey": (RGB.convert("L"), "png", {}),
    "grey and alpha": (Image.fromarray(PIXELS).convert("LA"), "png", {}),
    "colours": (RGB, "png", {}),
    "colours with alpha": (Image.fromarray(PIXELS), "png", {}),
    "16-bit grey": (Image.fromarray(DEEP), "png", {}),
    "palette": (PALETTE, "png", {}),
    "palette of 16 colours": (RGB.quantize(16), "png", {"bits": 4}),
    "palette with a transparent colour": (PALETTE, "png", {"transparency": 3}),
    "palette with transparency": (PALETTE, "png", {"transparency": bytes(range(0, 250, 5))}),
    "colours with a transparent one": (RGB, "png", {"transparency": (1, 2, 3)}),
    "JPEG in grey": (RGB.convert("L"), "jpg", {}),
    "JPEG in colours": (RGB, "jpg", {}),
    "JPEG in several scans": (RGB, "jpg", {"progressive": True}),
    "JPEG in CMYK": (RGB.convert("CMYK"), "jpg", {}),
    "GIF in grey": (RGB.convert("L"), "gif", {}),
    "GIF": (PALETTE, "gif", {}),
    "GIF with transparency": (PALETTE, "gif", {"transparency": 3}),
    "BMP": (RGB, "bmp", {}),
    "BMP in grey": (RGB.convert("L"), "bmp", {}),
    "WebP": (RGB, "webp", {"lossless": True}),
    "WebP with alpha": (Image.fromarray(PIXELS), "webp", {"lossless": True}),
    "TIFF in LZW": (RGB, "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, 16-bit": (Image.fromarray(DEEP), "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, one bit": (RGB.convert("1"), "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, CMYK": (RGB.convert("CMYK"), "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, palette": (PALETTE, "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, floats": (Image.fromarray(DEEP.astype(np.float32)), "tif", {"compression": "tiff_lzw"}),
    "TIFF in LZW, 32-bit": (Image.fromarray(DEEP.astype(np.int32)), "tif", {"compression": "tiff_lzw"}),
    "TIFF in JPEG": (RGB, "tif", {"compression": "jpeg"}),
    "TIFF in CCITT": (RGB.convert("1"), "tif", {"compression": "group4"}),
    "TIFF, Lab": (Image.frombytes("LAB", (31, 23), PIXELS[..., :3].tobytes()), "tif", {}),
}


def as_pillow_converts(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        mode = image.mode
        if mode == "P":
            mode = "RGBA" if "transparency" in image.info else "RGB"
        elif mode in {"CMYK", "YCbCr", "LAB"}:
            mode = "RGB"
        return np.array(image.convert(mode))


@pytest.fixture(params=["given memory", "memory of Pillow"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BAND", 300)  # several bands
    if request.param == "memory of Pillow":
        monkeypatch.setattr(decoding, "INTO_GIVEN_MEMORY", set())


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("name", CASES)
def test_pixels_are_those_of_pillow(name: str, tmp_path: Path) -> None:
    image, suffix, how = CASES[name]
    path = tmp_path / f"x.{suffix}"
    image.save(path, **how)
    expected = as_pillow_converts(path)
    pixels = read(file_source(path), ())
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_tiff_that_pillow_turns_upright_is_turned_once(orientation: int, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    RGB.convert(mode).save(path, compression="tiff_lzw", tiffinfo={274: orientation})
    pixels = read(file_source(path), ())
    assert pixels.shape[:2] == ((23, 31) if orientation < 5 else (31, 23))
    np.testing.assert_array_equal(pixels, as_pillow_converts(path))


def test_png_and_jpeg_are_decoded_without_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "to_array", pytest.fail)
    for name, (image, suffix, how) in CASES.items():
        if suffix in {"png", "jpg"} and image.mode != "1":
            path = tmp_path / f"{name}.{suffix}"
            image.save(path, **how)
            read(file_source(path), ())


def test_the_pages_of_a_file_are_decoded_apart(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.roll(PIXELS[..., :3], i, axis=1)) for i in range(4)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    source = file_source(tmp_path / "x.tif")
    planes = [read(source, (i,)) for i in range(4)]
    for i, plane in enumerate(planes):
        np.testing.assert_array_equal(plane, pages[i])

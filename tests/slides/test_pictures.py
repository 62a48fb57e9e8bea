"""How large pictures are described: slides, stacks, folders of Zarr in all their forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import file_source, read, read_part, tiff_pyramid
from napari_webipred.slides.picture import picture_of
from pictures import levels_of, spotted, write_ome_zarr, write_tiff

PIXELS = spotted((500, 600), at=(200, 300), radius=150)


def all_of(path: Path, level: int = 0) -> np.ndarray:
    picture, plane = picture_of(path)
    return read_part(picture, level, plane, (0, 0, *picture.levels[level].shape))


def write_svs(path: Path, levels: list[np.ndarray]) -> Path:
    """A slide as Aperio's scanners write it: the full size, a thumbnail, smaller levels, a label and an overview."""
    tiles: dict[str, Any] = {"tile": (240, 240), "photometric": "rgb", "compression": "jpeg", "metadata": None}
    strips: dict[str, Any] = {"photometric": "rgb", "compression": "lzw", "rowsperstrip": 16, "metadata": None}
    head = "Aperio Image Library v12.0.15\r\n600x500 [0,0 600x500] (240x240) JPEG/RGB Q=70|AppMag = 40|MPP = 0.2498"
    with tifffile.TiffWriter(path) as file:
        file.write(levels[0], description=head, **tiles)
        file.write(levels[-1][::2, ::2], description=head, **strips)
        for level in levels[1:]:
            file.write(level, description=head, **tiles)
        file.write(np.full((60, 80, 3), 90, np.uint8), description="Aperio\r\nlabel 80x60", subfiletype=1, **strips)
        file.write(np.full((40, 90, 3), 90, np.uint8), description="Aperio\r\nmacro 90x40", subfiletype=9, **strips)
    return path


def test_a_slide_of_aperio_has_its_levels_and_no_label_or_overview(tmp_path: Path) -> None:
    levels = levels_of(PIXELS, 3)
    path = write_svs(tmp_path / "x.svs", levels)
    source = file_source(path)
    assert (source.reader, source.axes, len(source)) == ("slide", (), 1)
    picture, plane = picture_of(path)
    assert [level.shape for level in picture.levels] == [(500, 600), (250, 300), (125, 150)]
    assert [level.factor for level in picture.levels] == [(1, 1), (2, 2), (4, 4)]
    assert picture.pixel_size == (0.2498, 0.2498)
    with tifffile.TiffFile(path) as file:
        expected = file.pages[0].asarray()
    np.testing.assert_array_equal(all_of(path), expected)
    np.testing.assert_array_equal(read(source, ()), expected)
    assert plane == ()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "predictor": True},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "webp", "compressionargs": {"lossless": True}},
        {"compression": "jpeg2000"},
        {"tile": None, "rowsperstrip": 30},
        {"tile": (96, 160)},
        {"byteorder": ">"},
    ],
)
def test_tiles_and_strips_of_all_kinds_hold_the_pixels(tmp_path: Path, how: dict[str, Any]) -> None:
    levels = levels_of(PIXELS, 2)
    order = how.pop("byteorder", "<") if "byteorder" in how else "<"
    path = tmp_path / "x.tif"
    kept = {"tile": (128, 128), "photometric": "rgb", **how}
    with tifffile.TiffWriter(path, ome=True, byteorder=order) as file:
        file.write(levels[0], subifds=1, metadata={"axes": "YXS"}, **kept)
        file.write(levels[1], subfiletype=1, **kept)
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(all_of(path, number), level)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "bool"])
def test_grey_of_any_type_is_read_as_it_is(tmp_path: Path, dtype: str) -> None:
    grey = (PIXELS[..., 0] > 100) if dtype == "bool" else (PIXELS[..., 0].astype(dtype) - (dtype == "int16") * 100)
    write_ome_zarr(tmp_path / "x.zarr", [grey], pixel_size=None)
    np.testing.assert_array_equal(all_of(tmp_path / "x.zarr"), grey)
    assert picture_of(tmp_path / "x.zarr")[0].pixel_size is None
    if dtype != "bool":
        write_tiff(tmp_path / "x.tif", [grey])
        np.testing.assert_array_equal(all_of(tmp_path / "x.tif"), grey)


@pytest.mark.parametrize("slide_first", [False, True])
def test_the_pixel_size_is_that_of_the_largest_picture_of_an_ome_tiff(tmp_path: Path, slide_first: bool) -> None:
    images = [(PIXELS[:60, :80], 16.0), (PIXELS, 0.5)]
    with tifffile.TiffWriter(tmp_path / "x.ome.tif", ome=True) as file:
        for pixels, size in reversed(images) if slide_first else images:
            known = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": 2 * size, "PhysicalSizeXUnit": "µm"}
            file.write(pixels, photometric="rgb", tile=(64, 64), metadata=known)
    picture = tiff_pyramid(tmp_path / "x.ome.tif", "x")
    assert picture.levels[0].shape == PIXELS.shape[:2]
    assert picture.pixel_size == (1.0, 0.5)


def test_no_pixel_size_is_known_where_the_images_of_an_ome_tiff_are_not_those_of_its_text(tmp_path: Path) -> None:
    path, size = tmp_path / "x.ome.tif", {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(PIXELS, photometric="rgb", tile=(64, 64), metadata={"axes": "YXS", **size})
    text = tifffile.tiffcomment(path)
    begin, end = text.index("<Image"), text.index("</OME>")
    without = re.sub("<TiffData[^>]*/>|<TiffData.*?</TiffData>", "", text[begin:end]).replace("0.5", "16")
    tifffile.tiffcomment(path, (text[:begin] + without + text[begin:]).encode())
    assert tiff_pyramid(path, "x").pixel_size is None


def test_white_is_zero_is_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", PIXELS[..., 0], tile=(128, 128), photometric="miniswhite")
    np.testing.assert_array_equal(all_of(tmp_path / "x.tif"), 255 - PIXELS[..., 0])


def test_planes_of_a_stack_are_pages(tmp_path: Path) -> None:
    stack = np.stack([PIXELS[..., 0], PIXELS[::-1, :, 1], PIXELS[:, ::-1, 2]])
    tifffile.imwrite(
        tmp_path / "x.tif", stack, tile=(128, 128), ome=True, metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    picture = tiff_pyramid(tmp_path / "x.tif", "x.tif")
    assert (picture.axes, picture.shape) == (("z",), (3,))
    for place in range(3):
        np.testing.assert_array_equal(read_part(picture, 0, (place,), (0, 0, 500, 600)), stack[place])
    with pytest.raises(ImageError, match="no plane"):
        read_part(picture, 0, (3,), (0, 0, 10, 10))


@pytest.mark.parametrize(("version", "shard"), [(2, None), (3, None), (3, 256)])
def test_zarr_of_both_versions_and_in_shards_holds_the_pixels(tmp_path: Path, version: int, shard: int | None) -> None:
    levels = levels_of(PIXELS, 3)
    path = write_ome_zarr(tmp_path / "x.zarr", levels, version=version, chunk=128, shard=shard)
    picture, _ = picture_of(path)
    assert picture.pixel_size == (0.5, 0.5)
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(all_of(path, number), level)


def test_a_plain_array_of_zarr_is_a_picture_too(tmp_path: Path) -> None:
    import zarr

    for version in (2, 3):
        path = tmp_path / f"{version}.zarr"
        array = zarr.create_array(path, shape=PIXELS.shape, dtype="u1", chunks=(200, 200, 3), zarr_format=version)
        array[...] = PIXELS
        np.testing.assert_array_equal(all_of(path), PIXELS)
        stack = zarr.create_array(
            tmp_path / f"s{version}.zarr", shape=(2, 500, 600), dtype="u1", chunks=(2, 200, 200), zarr_format=version
        )
        stack[...] = np.moveaxis(PIXELS, -1, 0)[:2]
        source = file_source(tmp_path / f"s{version}.zarr")
        assert source.shape == (2,)
        np.testing.assert_array_equal(read(source, (1,)), PIXELS[..., 1])


def test_the_first_image_of_a_folder_of_several_is_read(tmp_path: Path) -> None:
    import zarr

    group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    write_ome_zarr(tmp_path / "x.zarr" / "0", [PIXELS], version=2)
    np.testing.assert_array_equal(all_of(tmp_path / "x.zarr"), PIXELS)


def test_windows_of_all_places_are_those_of_the_array(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    picture, _ = picture_of(write_ome_zarr(tmp_path / "x.zarr", [PIXELS], chunk=100))
    for _ in range(60):
        top, bottom = sorted(random.choice(501, 2, replace=False).tolist())
        left, right = sorted(random.choice(601, 2, replace=False).tolist())
        for budget in (0, 10**6):
            part = read_part(picture, 0, (), (top, left, bottom, right), budget)
            np.testing.assert_array_equal(part, PIXELS[top:bottom, left:right])


def test_blocks_too_large_to_be_read_in_parts_are_refused() -> None:
    import dask.array as da

    with pytest.raises(ImageError, match="stored in blocks of 50000x50000"):
        picture_of(da.zeros((50_000, 50_000), dtype=np.uint8, chunks=-1))

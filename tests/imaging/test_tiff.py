from __future__ import annotations

import logging
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from bombs import zlib_bomb
from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import file_source, read
from napari_webipred.imaging.tiff_packed import reads_zstandard

STACK = np.random.default_rng(0).integers(0, 60000, (2, 5, 40, 50)).astype(np.uint16)
GREY = (STACK[0, 0] // 256).astype(np.uint8)
ZSTANDARD = pytest.mark.skipif(not reads_zstandard(), reason="Pillow is built without Zstandard, as for Windows")
COLOUR = (STACK[0, :3] // 256).astype(np.uint8).transpose(1, 2, 0)


def check(path: Path, axes: tuple[str, ...], expected: np.ndarray) -> None:
    source = file_source(path)
    assert source.axes == axes
    assert source.shape == expected.shape[: len(axes)]
    for index in source.indices():
        plane = read(source, index)
        assert plane.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(plane, expected[index])


def refusal(path: Path) -> str:
    source = file_source(path)
    assert len(source) == 1
    with pytest.raises(ImageError) as caught:
        read(source, next(source.indices()))
    assert path.name in caught.value.message
    assert str(path.parent) not in str(caught.value)
    return caught.value.message


def ifd(*tags: tuple[int, int, int, int]) -> bytes:
    """A TIFF file of one directory, in which every value stands in its tag."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def header(width: int, height: int, offset: int, count: int, *more: tuple[int, int, int, int]) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    strips = [(273, 4, 1, offset), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, count)]
    replaced = {tag[0]: tag for tag in [*tags, *strips, *more]}
    return ifd(*(replaced[number] for number in sorted(replaced)))


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4", "i4", "f4", "f8", "?"])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"rowsperstrip": 7}])
def test_grey_of_any_depth_is_read(tmp_path: Path, dtype: str, how: dict[str, Any]) -> None:
    pixels = (STACK[0, 0] % 120 - 3 * (dtype in {"i2", "f4"})).astype(dtype)
    if dtype == "?" and "tile" in how:
        pytest.skip("tifffile does not write tiles of single bits")
    byteorder = ">" if dtype.startswith(">") else "<"
    tifffile.imwrite(tmp_path / "x.tif", pixels, byteorder=byteorder, photometric="minisblack", **how)
    check(tmp_path / "x.tif", (), pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("pages", [1, 3])
def test_colours_come_last(tmp_path: Path, planar: str, samples: int, pages: int) -> None:
    pixels = np.moveaxis(STACK[:, :samples], 1, -1)[0]
    stack = np.stack([np.roll(pixels, i, axis=0) for i in range(pages)])
    data = stack if planar == "contig" else np.moveaxis(stack, -1, 1)
    tifffile.imwrite(tmp_path / "x.tif", data if pages > 1 else data[0], photometric="rgb", planarconfig=planar)
    check(tmp_path / "x.tif", ("page",) if pages > 1 else (), stack if pages > 1 else stack[0])


def test_imagej_stacks_keep_their_axes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", STACK, imagej=True, metadata={"axes": "TZYX"})
    check(tmp_path / "x.tif", ("t", "z"), STACK)
    channels = STACK[:, :4].reshape(2, 2, 2, 40, 50)
    tifffile.imwrite(tmp_path / "y.tif", channels, imagej=True, metadata={"axes": "TZCYX"})
    check(tmp_path / "y.tif", ("t", "z", "c"), channels)


def test_large_imagej_stacks_with_one_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0], imagej=True, metadata={"axes": "ZYX"})
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:  # cut the chain of pages, as ImageJ does above 4 GB
        second = struct.pack(file.byteorder + "I", file.pages[1].offset)
    place = content.index(second)
    content[place : place + 4] = bytes(4)
    path.write_bytes(content)
    check(path, ("z",), STACK[0])
    path.write_bytes(content[:-5000])
    assert "cut short" in refusal(path)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"bigtiff": True}])
def test_ome_stacks_keep_their_axes(tmp_path: Path, how: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "x.ome.tif", STACK, metadata={"axes": "CZYX"}, **how)
    check(tmp_path / "x.ome.tif", ("c", "z"), STACK)


def test_series_of_one_shape_are_planes_of_one_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.ome.tif") as writer:
        for series in STACK:
            writer.write(series, metadata={"axes": "ZYX"})
    check(tmp_path / "x.ome.tif", ("series", "z"), STACK)


def test_series_of_different_shapes_are_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.ome.tif") as writer:
        writer.write(STACK[0], metadata={"axes": "ZYX"})
        writer.write(STACK[1, 0, :20], metadata={"axes": "YX"})
    source = file_source(tmp_path / "x.ome.tif")
    assert (source.axes, source.shape) == (("page",), (6,))
    np.testing.assert_array_equal(read(source, (4,)), STACK[0, 4])
    np.testing.assert_array_equal(read(source, (5,)), STACK[1, 0, :20])


def test_an_ome_set_of_files_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK[0], metadata={"axes": "ZYX"})
    content = (tmp_path / "a.ome.tif").read_bytes()
    uuid = content[content.index(b'UUID="') + 6 :].split(b'"')[0]
    for name in ("b", "c"):
        data = (
            f'<TiffData IFD="0" FirstZ="0" PlaneCount="5"><UUID FileName="b.ome.tif">{uuid.decode()}</UUID></TiffData>'
        )
        pixels = (
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="50" SizeY="40" SizeZ="5" SizeC="1" '
            f'SizeT="1">{data}</Pixels>'
        )
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{name}"><Image ID="Image:0">{pixels}</Image></OME>'
        )
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", STACK[1, :2], description=xml, metadata=None)
    opened = []
    original = tifffile.FileHandle.open
    monkeypatch.setattr(
        tifffile.FileHandle, "open", lambda file: opened.append(Path(file._file).name) or original(file)
    )
    check(tmp_path / "c.ome.tif", ("page",), STACK[1, :2])
    assert set(opened) == {"c.ome.tif"}


def test_stacks_without_meaning_have_plain_names(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", STACK[0], photometric="minisblack")
    check(tmp_path / "one.tif", ("page",), STACK[0])
    tifffile.imwrite(tmp_path / "two.tif", STACK, photometric="minisblack")
    check(tmp_path / "two.tif", ("axis_0", "axis_1"), STACK)


def test_plain_pages_are_planes_whatever_their_size(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    pages = [STACK[0, 0], COLOUR, GREY[:7, :9]]
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, photometric="rgb" if page.ndim == 3 else "minisblack")
        writer.write(GREY[::2, ::2], metadata=None, subfiletype=1)  # a thumbnail
    source = file_source(path)
    assert (source.axes, source.shape) == (("page",), (3,))
    for index, page in zip(source.indices(), pages, strict=True):
        np.testing.assert_array_equal(read(source, index), page)


def test_pages_of_pillow_are_planes(tmp_path: Path) -> None:
    images = [Image.fromarray(np.roll(GREY, i)) for i in range(4)]
    images[0].save(tmp_path / "x.tif", save_all=True, append_images=images[1:], compression="tiff_lzw")
    check(tmp_path / "x.tif", ("page",), np.stack([np.roll(GREY, i) for i in range(4)]))


def test_levels_of_a_pyramid_are_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.ome.tif") as writer:
        writer.write(STACK[0], subifds=1, metadata={"axes": "ZYX"})
        writer.write(STACK[0, :, ::2, ::2], subfiletype=1)
    check(tmp_path / "x.ome.tif", ("z",), STACK[0])


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "?"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_is_inverted(tmp_path: Path, dtype: str, compression: str | None) -> None:
    pixels = (STACK[0, 0] % 200 > 99).astype(dtype) if dtype == "?" else (STACK[0, 0] % 200).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="miniswhite", compression=compression)
    check(tmp_path / "x.tif", (), ~pixels)


def test_white_is_zero_is_inverted_when_pillow_decodes(tmp_path: Path) -> None:
    shallow, deep = GREY, STACK[0, 0]
    # Pillow inverts 8-bit images while it writes them, and deeper ones not.
    for pixels, expected in ((shallow, shallow), (deep, ~deep)):
        Image.fromarray(pixels).save(tmp_path / "x.tif", compression="tiff_lzw", tiffinfo={262: 0})
        with tifffile.TiffFile(tmp_path / "x.tif") as file:
            assert file.pages.first.photometric == 0
        check(tmp_path / "x.tif", (), expected)


def test_white_is_zero_has_no_meaning_for_real_numbers(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", GREY.astype(np.float32), photometric="miniswhite")
    assert "which number means black" in refusal(tmp_path / "x.tif")


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 65536, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", GREY, photometric="palette", colormap=colours)
    check(tmp_path / "x.tif", (), np.moveaxis((colours // 256).astype(np.uint8)[:, GREY], 0, -1))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_deflate", "tiff_adobe_deflate", None])
@pytest.mark.parametrize("pixels", [GREY, COLOUR, STACK[0, 0], GREY > 99, GREY / np.float32(3)], ids=lambda p: p.dtype)
def test_compressed_pages_are_read(tmp_path: Path, compression: str, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "x.tif", compression=compression)
    check(tmp_path / "x.tif", (), pixels)


def test_a_float_predictor_is_undone(tmp_path: Path) -> None:
    pixels = (GREY / 7).astype(np.float32)
    Image.fromarray(pixels).save(tmp_path / "x.tif", compression="tiff_adobe_deflate", tiffinfo={317: 3})
    check(tmp_path / "x.tif", (), pixels)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize(
    "how",
    [
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": True, "rowsperstrip": 7},
        pytest.param({"compression": "zstd", "tile": (16, 32)}, marks=ZSTANDARD),
        {"compression": "lzma", "rowsperstrip": 1},
        {"compression": "zlib", "predictor": True, "tile": (32, 16)},
    ],
    ids=lambda how: "-".join(map(str, how)),
)
def test_packed_numbers_of_any_type_are_those_that_were_written(
    tmp_path: Path, byteorder: str, dtype: str, how: dict[str, Any]
) -> None:
    if "predictor" in how and np.dtype(dtype) == np.uint64:
        how = {**how, "predictor": False}  # tifffile does not write it
    bits = STACK.astype(np.uint64) * 281479271743489 if dtype[0] != "f" else (STACK - 30000.0) / 7
    pixels = bits.astype(dtype)
    options = {**how, "byteorder": byteorder, "metadata": None}
    tifffile.imwrite(tmp_path / "grey.tif", pixels[0, 0], photometric="minisblack", **options)
    check(tmp_path / "grey.tif", (), pixels[0, 0])
    planes = pixels[0, :4]
    for planar, data in (("contig", np.moveaxis(planes, 0, -1).copy()), ("separate", planes)):
        path = tmp_path / f"{planar}.tif"
        tifffile.imwrite(path, data, photometric="rgb", planarconfig=planar, extrasamples=["assocalpha"], **options)
        check(path, (), np.moveaxis(planes, 0, -1))


def of_bits(path: Path, pixels: np.ndarray, bits: int, photometric: int) -> Path:
    """A file whose rows are these bits, one number behind the other; a third axis are samples."""
    each = (pixels[..., None] >> np.arange(bits)[::-1]) & 1
    data = np.packbits(each.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()
    height, width, *samples = pixels.shape
    tags = [(258, 3, 1, bits), (262, 3, 1, photometric), (277, 3, 1, *(samples or [1]))]
    start = len(header(width, height, 0, len(data), *tags))
    path.write_bytes(header(width, height, start, len(data), *tags) + data)
    return path


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_goes_from_black_to_white(tmp_path: Path, bits: int) -> None:
    levels = STACK[0, 0] % 2**bits
    expected = (levels * (255 // (2**bits - 1))).astype(np.uint8)
    check(of_bits(tmp_path / "x.tif", levels, bits, 1), (), expected)
    check(of_bits(tmp_path / "y.tif", levels, bits, 0), (), 255 - expected)


def test_numbers_of_three_bytes_are_refused(tmp_path: Path) -> None:
    path = of_bits(tmp_path / "x.tif", STACK[0, 0].astype(np.int64), 24, 1)
    with pytest.raises(ImageError, match="Pixels of 24 bits cannot be read"):
        read(file_source(path), ())


@pytest.mark.parametrize("pixels", [GREY, STACK[0, 0], COLOUR])
def test_zstandard_is_named_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    monkeypatch.setattr("napari_webipred.imaging.tiff.reads_zstandard", lambda: False)
    tifffile.imwrite(tmp_path / "x.tif", pixels, compression="zstd")
    assert "in the compression Zstandard cannot be read on this computer" in refusal(tmp_path / "x.tif")


@pytest.mark.parametrize("bits", [4, 6])
def test_colours_of_few_bits_go_from_black_to_white(tmp_path: Path, bits: int) -> None:
    levels = np.moveaxis(STACK[0, :3], 0, -1) % 2**bits
    path = of_bits(tmp_path / "x.tif", levels, bits, 2)
    check(path, (), np.rint(levels * (255 / (2**bits - 1))).astype(np.uint8))


def test_numbers_of_12_bits_are_read(tmp_path: Path) -> None:
    check(of_bits(tmp_path / "x.tif", STACK[0, 0] % 4096, 12, 1), (), STACK[0, 0] % 4096)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", pytest.param("zstd", marks=ZSTANDARD)])
def test_each_plane_of_a_page_with_depth_is_its_own(
    tmp_path: Path, byteorder: str, dtype: str, compression: str | None
) -> None:
    planes, options = (STACK[0] % 251).astype(dtype), {"byteorder": byteorder, "compression": compression}
    tifffile.imwrite(tmp_path / "x.tif", planes, volumetric=True, tile=(16, 16, 16), **options)
    check(tmp_path / "x.tif", ("z",), planes)


def test_planes_of_a_page_of_which_one_could_be_read_are_refused(tmp_path: Path) -> None:
    planes = np.stack([COLOUR, COLOUR[::-1]])
    tifffile.imwrite(
        tmp_path / "x.tif", planes, volumetric=True, tile=(1, 16, 16), photometric="rgb", compression="jpeg"
    )
    source = file_source(tmp_path / "x.tif")
    with pytest.raises(ImageError, match="only the first can be read"):
        read(source, (1,))


def test_packed_numbers_of_which_zero_is_white_are_inverted(tmp_path: Path) -> None:
    for byteorder in "<>":
        path = tmp_path / "x.tif"
        tifffile.imwrite(path, STACK[0, 0], photometric="miniswhite", compression="lzw", byteorder=byteorder)
        check(path, (), ~STACK[0, 0])


def test_a_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", STACK[0, 0], compression="lerc")
    said = refusal(tmp_path / "x.tif")
    assert "Pixels of 16 bits in the compression LERC cannot be read." in said


def test_a_packed_strip_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0, 0].astype(np.int16), compression="lzw", metadata=None)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags["StripByteCounts"]
        half = tag.value[0] // 2
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["StripByteCounts"].overwrite(half)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("compression", [None, "zlib", "packbits", "lzw", pytest.param("zstd", marks=ZSTANDARD)])
@pytest.mark.parametrize("how", [{"rowsperstrip": 8}, {"tile": (16, 16)}], ids=lambda how: "-".join(how))
def test_a_page_of_which_strips_or_tiles_are_missing_is_refused(
    tmp_path: Path, how: dict[str, Any], compression: str | None
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0, 0].astype(np.int16), compression=compression, metadata=None, **how)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for tag in list(file.pages.first.tags):
            if tag.code in {273, 279, 324, 325}:  # where they are, and how long
                tag.overwrite(tag.value[:-1])
    assert "fewer pixels" in refusal(path)


def test_whole_numbers_that_claim_to_be_differences_of_floats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0, 0].astype(np.int16), compression="lzw", predictor=True, metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["Predictor"].overwrite(3)
    assert "damaged" in refusal(path)


def test_no_more_of_a_packed_strip_is_read_than_its_pixels_can_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pixels = tmp_path / "x.tif", STACK[0, 0].astype(np.int16)
    tifffile.imwrite(path, pixels, compression="lzw", rowsperstrip=1, metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["StripByteCounts"].overwrite([10**6] * len(pixels), dtype="I")
    path.write_bytes(path.read_bytes() + bytes(2 * 10**6))
    lengths: list[int] = []
    original = tifffile.FileHandle.read
    monkeypatch.setattr(tifffile.FileHandle, "read", lambda file, size=-1: lengths.append(size) or original(file, size))
    check(path, (), pixels)
    assert sum(lengths) < 10**6


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("how", [{}, {"tile": (16, 32)}, {"compression": "lzw"}], ids=lambda how: "-".join(how))
def test_inks_of_16_bits_are_the_same_one_by_one_and_together(
    tmp_path: Path, byteorder: str, how: dict[str, Any]
) -> None:
    inks, options = STACK[0, :4], {**how, "byteorder": byteorder, "photometric": "separated"}
    tifffile.imwrite(tmp_path / "x.tif", np.moveaxis(inks, 0, -1).copy(), planarconfig="contig", **options)
    tifffile.imwrite(tmp_path / "y.tif", inks, planarconfig="separate", **options)
    expected = Image.fromarray(np.moveaxis(inks >> 8, 0, -1).astype(np.uint8), "CMYK").convert("RGB")
    check(tmp_path / "x.tif", (), np.asarray(expected))
    check(tmp_path / "y.tif", (), np.asarray(expected))


def test_jpeg_and_cmyk_in_tiff_become_rgb(tmp_path: Path) -> None:
    flat = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    Image.fromarray(flat).save(tmp_path / "x.tif", compression="jpeg")
    np.testing.assert_allclose(read(file_source(tmp_path / "x.tif"), ()), flat, atol=3)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "y.tif")
    np.testing.assert_allclose(read(file_source(tmp_path / "y.tif"), ()), flat, atol=1)


def test_alpha_of_grey_is_dropped_and_unknown_samples_are_refused(tmp_path: Path) -> None:
    two = np.dstack([GREY, GREY[::-1]])
    how = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "x.tif", two, extrasamples=["unassalpha"], **how)
    check(tmp_path / "x.tif", (), GREY)
    tifffile.imwrite(tmp_path / "y.tif", two, **how)
    assert "which is not an image" in refusal(tmp_path / "y.tif")


def test_threads_read_the_same_file_at_once(tmp_path: Path) -> None:
    stack = STACK.reshape(10, 40, 50)
    for how in ({}, {"compression": "zlib"}):
        tifffile.imwrite(tmp_path / "x.tif", stack, imagej=not how, metadata={"axes": "ZYX"}, **how)
        source = file_source(tmp_path / "x.tif")
        indices = list(source.indices()) * 8
        with ThreadPoolExecutor(8) as pool:
            for index, plane in zip(indices, pool.map(partial(read, source), indices), strict=True):
                np.testing.assert_array_equal(plane, stack[index])


def test_only_the_plane_that_is_read_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "x.tif", STACK, photometric="minisblack", compression="zlib")
    decoded = []
    original = tifffile.TiffPage.asarray
    monkeypatch.setattr(
        tifffile.TiffPage, "asarray", lambda page, **how: decoded.append(page.index) or original(page, **how)
    )
    source = file_source(tmp_path / "x.tif")
    assert decoded == []
    np.testing.assert_array_equal(read(source, (1, 3)), STACK[1, 3])
    assert decoded == [8]


# Hostile files


def test_the_smallest_file_of_these_tests_is_read(tmp_path: Path) -> None:
    start = header(4, 2, 0, 8)
    (tmp_path / "x.tif").write_bytes(header(4, 2, len(start), 8) + bytes(range(8)))
    check(tmp_path / "x.tif", (), np.arange(8, dtype=np.uint8).reshape(2, 4))


@pytest.mark.parametrize("more", [(), ((259, 3, 1, 8),), ((259, 3, 1, 5),), ((322, 4, 1, 2**20), (323, 4, 1, 2**20))])
def test_terabytes_that_are_not_there_are_refused(tmp_path: Path, more: Any) -> None:
    (tmp_path / "x.tif").write_bytes(header(2**20, 2**20, 8, 100, *more) + bytes(200))
    assert "more than 4 GiB" in refusal(tmp_path / "x.tif")


def test_fewer_pixels_than_claimed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(header(1000, 1000, 150, 20) + bytes(200))
    assert "fewer pixels" in refusal(tmp_path / "x.tif")
    (tmp_path / "x.tif").write_bytes(header(10, 10, 150, 100) + bytes(20))
    assert "cut short" in refusal(tmp_path / "x.tif")
    (tmp_path / "x.tif").write_bytes(header(0, 10, 150, 100) + bytes(200))
    refusal(tmp_path / "x.tif")


def test_a_deflate_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    bomb = zlib_bomb(700_000_000)
    start = header(100, 100, 0, 0, (259, 3, 1, 8))
    content = header(100, 100, len(start), len(bomb), (259, 3, 1, 8)) + bomb
    (tmp_path / "x.tif").write_bytes(content)
    assert "inflate to more" in refusal(tmp_path / "x.tif")


@pytest.mark.parametrize(
    "description",
    [
        '{"shape": [1000000000, 40, 50]}',
        "ImageJ=1.54f\nimages=1000000000\nslices=1000000000\n",
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="50" SizeY="40" SizeC="1" SizeZ="2000000000" '
        'SizeT="1"><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>',
    ],
    ids=["tifffile", "ImageJ", "OME"],
)
def test_planes_that_cannot_be_there_are_refused(tmp_path: Path, description: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", GREY, description=description, metadata=None)
    refusal(tmp_path / "x.tif")


@pytest.mark.parametrize("circle", [1, 2, 3])
def test_a_circle_of_pages_is_refused(tmp_path: Path, circle: int) -> None:
    page = header(4, 2, 8, 8)[8:-4]
    length = len(page) + 4
    pages = [page + struct.pack("<I", 8 + length * ((i + 1) % circle)) for i in range(circle)]
    (tmp_path / "x.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(pages))
    assert "never ends" in refusal(tmp_path / "x.tif")


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_missing_pages_are_noticed(tmp_path: Path, bigtiff: bool, byteorder: str) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as writer:
        for plane in STACK[0]:
            writer.write(plane, metadata=None, compression="zlib")
    check(path, ("page",), STACK[0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "page 4 is missing" in refusal(path)


def test_tifffile_does_not_log_about_a_file_while_it_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "patient.tif", GREY)
    content = (tmp_path / "patient.tif").read_bytes()
    with caplog.at_level(logging.DEBUG):
        for place in range(8, 160):
            damaged = content[:place] + b"\xff" + content[place + 1 :]
            (tmp_path / "patient.tif").write_bytes(damaged)
            source = file_source(tmp_path / "patient.tif")
            for index in list(source.indices())[:2]:
                try:
                    read(source, index)
                except ImageError:
                    continue
    assert not [record for record in caplog.records if record.name == "tifffile"]
    logging.getLogger("tifffile").warning("from elsewhere")
    assert "from elsewhere" in caplog.text


def test_a_page_is_read_without_going_through_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    with tifffile.TiffWriter(path) as writer:
        for number in range(20):
            writer.write(np.full((8, 8), number, np.uint8), metadata=None, contiguous=False)
    source = file_source(str(path))
    with tifffile.TiffFile(path) as file:
        start = file.pages[10].offset
    content = bytearray(path.read_bytes())
    content[start : start + 60] = bytes(60)  # from here on, nobody finds the way to the next page
    path.write_bytes(content)
    assert [int(read(source, (number,)).max()) for number in (9, 11, 19)] == [9, 11, 19]

"""A source is plain data that any process can read, and a new format is one more reader."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dicom_maker import dataset, written
from imaging.all_planes import all_planes
from napari_webipred.errors import ImageError
from napari_webipred.imaging import raster
from napari_webipred.imaging.files import find_images
from napari_webipred.imaging.pillow import pillow_source
from napari_webipred.imaging.planes import array_source, given_source
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.readers import PAGE, READERS, file_formats, file_source, is_single, read
from napari_webipred.imaging.selection import one_plane
from napari_webipred.imaging.source import Source

RANDOM = np.random.default_rng(3)
COLOUR = RANDOM.integers(0, 256, (30, 40, 3), np.uint8)
STACK = RANDOM.integers(0, 60000, (2, 3, 30, 40), np.uint16)
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def other_process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def file(folder: Path, kind: str) -> Path:
    path, image = folder / f"x.{kind}", Image.fromarray(COLOUR)
    match kind:
        case "16-bit.png":
            Image.fromarray(STACK[0, 0]).save(path)
        case "turned.jpg" | "turned.png" | "turned.tif":
            image.save(path, exif=turned())
        case "gif" | "webp":
            others = [Image.fromarray(np.roll(COLOUR, i, axis=1)) for i in (1, 2, 3)]
            image.save(path, save_all=True, append_images=others, lossless=True)
        case "imagej.tif":
            tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "TZYX"})
        case "deflate.tif":
            tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack", metadata={"axes": "TZYX"})
        case "lzw.tif":
            image.save(path, compression="tiff_lzw")
        case "broken.png":
            path.write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
        case "missing.png":
            pass
        case _:
            image.save(path)
    return path


FILES = [
    *("png", "16-bit.png", "jpg", "turned.jpg", "turned.png", "bmp", "gif", "webp"),
    *("imagej.tif", "deflate.tif", "lzw.tif", "turned.tif", "broken.png", "missing.png"),
]


def check_read_elsewhere(source: Source, pool: ProcessPoolExecutor) -> None:
    expected = all_planes(source)
    found = pool.submit(all_planes, source).result(120)
    assert len(found) == len(expected) == len(source) > 0
    for (memory, pixels), (other_memory, other_pixels) in zip(expected, found, strict=True):
        assert memory == other_memory
        np.testing.assert_array_equal(other_pixels, pixels, strict=not isinstance(pixels, str))
        assert type(other_pixels) is type(pixels)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_read_alike_in_another_process(kind: str, tmp_path: Path, other_process: ProcessPoolExecutor) -> None:
    check_read_elsewhere(file_source(file(tmp_path, kind)), other_process)


def given(kind: str) -> Source:
    match kind:
        case "channels":
            return one_plane(array_source(STACK, "x", axes=("t", "c")), (1,))
        case "multiscale":
            return array_source([STACK, STACK[..., ::2, ::2]], "x")
        case "masked":
            return array_source(np.ma.masked_less(STACK, 9), "x")
        case "dask":
            return array_source(pytest.importorskip("dask.array").from_array(STACK, chunks=(1, 1, 9, 9)), "x")
        case "xarray":
            return array_source(pytest.importorskip("xarray").DataArray(STACK, dims=("t", "z", "y", "x")), "x")
        case "nested lists":
            return given_source(COLOUR.tolist(), "x")
        case "no image":
            return given_source(object(), "x")
    return array_source(COLOUR, "x")


@pytest.mark.parametrize(
    "kind", ["array", "channels", "multiscale", "masked", "dask", "xarray", "nested lists", "no image"]
)
def test_an_array_is_read_alike_in_another_process(kind: str, other_process: ProcessPoolExecutor) -> None:
    check_read_elsewhere(given(kind), other_process)


@pytest.mark.parametrize("kind", ["turned.jpg", "turned.png", "turned.tif", "gif", "bmp", "made"])
def test_an_image_of_pillow_is_read_alike_in_another_process(
    kind: str, tmp_path: Path, other_process: ProcessPoolExecutor
) -> None:
    if kind == "made":
        image: Image.Image = Image.fromarray(COLOUR)
    else:
        image = Image.open(file(tmp_path, kind))
        image.seek(2 if kind == "gif" else 0)
    with image:
        check_read_elsewhere(pillow_source(image, "x"), other_process)


# Pillow


@pytest.mark.parametrize("kind", raster.FORMATS)
def test_the_first_image_imports_what_its_format_needs_and_no_other_format(tmp_path: Path, kind: str) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "x", format=kind)
    script = (
        "import sys\n"
        "from napari_webipred.imaging.raster import FORMATS, PLUGINS\n"
        "from napari_webipred.imaging.readers import file_source, read\n"
        "assert read(file_source(sys.argv[1]), ()).ndim == 3\n"
        "assert not {f'napari_webipred.imaging.{name}' for name in ('tiff_levels', 'zarr_folder')} & {*sys.modules}\n"
        "print([name for name in FORMATS if f'PIL.{PLUGINS[name][0]}' in sys.modules])"
    )
    printed = subprocess.check_output([sys.executable, "-c", script, str(tmp_path / "x")], text=True)
    assert printed == f"{[kind]}\n"


# Animations


def test_frames_in_order_are_decoded_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    open_image = raster.open_image
    source = file_source(file(tmp_path, "gif"))
    monkeypatch.setattr(raster, "open_image", lambda *given: opened.append(given) or open_image(*given))
    for index in source.indices():
        read(source, index)
    assert len(opened) == 1
    for index in ((2,), (1,)):  # backwards means from the start
        read(source, index)
    assert len(opened) == 3


def test_a_half_read_animation_goes_with_its_source_and_does_not_travel(tmp_path: Path) -> None:
    source = file_source(file(tmp_path, "gif"))
    read(source, (0,))
    assert len(pickle.dumps(source)) < 1000
    assert source in raster._animations
    count = len(raster._animations)
    del source
    gc.collect()
    assert len(raster._animations) == count - 1


# New formats


def folder_reader() -> Reader:
    """Reads folders that end in ``.pages``, of which each file is a plane of raw bytes."""

    def describe(path: Path, name: str) -> Source:
        return Source(name, "pages", path, ("page",), (len(list(path.iterdir())),))

    def pixels(source: Source, index: Any) -> np.ndarray:
        return np.frombuffer((source.location / str(*index)).read_bytes(), np.uint8).reshape(4, -1)

    form = FileFormat(
        ("pages",), frozenset(), lambda path, head: path.suffix == ".pages", describe, folder_suffixes={".pages"}
    )
    return Reader("pages", pixels, files=form)


def late_signature_reader() -> Reader:
    """Reads files that say what they are at byte 128, and have the beginning of a TIFF file."""

    def describe(path: Path, name: str) -> Source:
        return Source(name, "late", path, intensity_range=(10.0, 20.0))

    def pixels(source: Source, index: Any) -> np.ndarray:
        return np.frombuffer(source.location.read_bytes(), np.uint8, offset=132).reshape(4, -1)

    form = FileFormat(
        ("LATE",), frozenset({".late"}), lambda path, head: head[128:132] == b"LATE", describe, priority=1
    )
    return Reader("late", pixels, files=form)


@pytest.fixture
def more_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in (folder_reader(), late_signature_reader()):
        monkeypatch.setitem(READERS, reader.id, reader)


@pytest.mark.usefixtures("more_readers")
def test_a_new_reader_is_found_by_its_folders_or_by_any_of_the_first_bytes(tmp_path: Path) -> None:
    pages, late = tmp_path / "a.pages", tmp_path / "b.late"
    pages.mkdir()
    for i in range(2):
        (pages / str(i)).write_bytes(bytes([i] * 24))
    late.write_bytes(b"II*\0".ljust(128) + b"LATE" + bytes(24))
    assert find_images([tmp_path, pages]) == ([str(pages), str(late), str(pages)], [])
    assert file_source(pages).shape == (2,)
    np.testing.assert_array_equal(read(file_source(pages), (1,)), np.ones((4, 6)))
    assert file_source(late).intensity_range == (10.0, 20.0)
    np.testing.assert_array_equal(read(file_source(late), ()), np.zeros((4, 6)))


@pytest.mark.usefixtures("more_readers")
def test_what_a_new_reader_cannot_read_is_explained_as_of_all_others(tmp_path: Path) -> None:
    (tmp_path / "a.pages").mkdir()
    source = file_source(tmp_path / "a.pages")
    with pytest.raises(ImageError, match=r"There is no file a\.pages"):
        read(source, (0,))
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(ImageError, match="LATE, TIFF, OME-Zarr, pages, PNG, JPEG, GIF, BMP and WebP"):
        read(file_source(tmp_path / "text.txt"), ())


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["x", "x.png", "x.tif"])
def test_a_file_that_passes_for_one_plane_by_its_first_bytes_is_one(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    made = file(tmp_path, kind)
    if made.exists():
        made.rename(path)
    assert is_single(str(path), file_formats()) == (kind in SINGLE)
    assert not (is_single(str(path), file_formats()) and file_source(path).axes)


SINGLE = {"png", "16-bit.png", "jpg", "turned.jpg", "turned.png", "bmp"}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("exif", [True, False])
def test_of_formats_that_can_be_animations_the_first_bytes_tell(
    count: int, kind: str, exif: bool, tmp_path: Path
) -> None:
    path, image = tmp_path / "x", Image.fromarray(COLOUR)
    others = [Image.fromarray(np.roll(COLOUR, i, axis=1)) for i in range(1, count)]
    image.save(path, kind, save_all=count > 1, append_images=others, **({"exif": turned()} if exif else {}))
    assert (is_single(str(path), file_formats()), len(file_source(path))) == (count == 1, count)


def test_pixels_that_begin_late_do_not_tell_that_a_file_is_no_animation(tmp_path: Path) -> None:
    path, image = tmp_path / "x.png", Image.fromarray(COLOUR)
    other = Image.fromarray(np.roll(COLOUR, 1, axis=1))
    for size, told in ((PAGE - 200, True), (PAGE, False)):
        image.save(path, icc_profile=RANDOM.bytes(size))
        assert is_single(str(path), file_formats()) == told
    text = PngInfo()
    text.add_text("Comment", "xxxxIDAT" * PAGE)
    image.save(path, pnginfo=text, save_all=True, append_images=[other])
    assert not is_single(str(path), file_formats())
    assert len(file_source(path)) == 2


def test_a_medical_file_that_begins_like_another_image_does_not_pass_for_one_plane(tmp_path: Path) -> None:
    for beginning in (b"\xff\xd8\xff", b"BM", b"\x89PNG\r\n\x1a\n"):
        path = tmp_path / "x.jpg"
        written(path, dataset(np.zeros((2, 8, 8), np.int16)))
        content = path.read_bytes()
        path.write_bytes(beginning + content[len(beginning) :])
        assert not is_single(str(path), file_formats())
        assert file_source(path).shape == (2,)


@pytest.mark.usefixtures("more_readers")
def test_a_new_reader_need_not_know_whether_a_file_holds_one_plane(tmp_path: Path) -> None:
    late = tmp_path / "b.late"
    late.write_bytes(b"BM".ljust(128) + b"LATE" + bytes(24))
    assert not is_single(str(late), file_formats())
    assert not is_single(str(tmp_path), file_formats())

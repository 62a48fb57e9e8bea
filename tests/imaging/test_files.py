from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError, ImageError
from napari_webipred.imaging.files import find_images, walked
from napari_webipred.imaging.readers import file_source, read

GREY = (np.add.outer(3 * np.arange(20), 5 * np.arange(30)) % 256).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
ALPHA = np.dstack([COLOUR, GREY[::-1]])


def only_plane(path: str | Path) -> np.ndarray:
    source = file_source(path)
    assert source.axes == ()
    return read(source, ())


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, pixels: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# What is in a file comes out


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
@pytest.mark.parametrize("pixels", [COLOUR, ALPHA], ids=["RGB", "RGBA"])
def test_colours_are_read_as_they_are(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(pixels).save(path, lossless=True, exact=True)
    np.testing.assert_array_equal(only_plane(path)[..., :3], pixels[..., :3])


@pytest.mark.parametrize(
    ("pixels", "dtype"),
    [(GREY, np.uint8), (GREY > 99, bool), (GREY.astype(np.uint16) * 257, np.uint16), (GREY.astype(">u2"), np.uint16)],
)
def test_grey_keeps_its_depth(tmp_path: Path, pixels: np.ndarray, dtype: Any) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(pixels).save(path)
    plane = only_plane(path)
    assert plane.dtype == dtype
    np.testing.assert_array_equal(plane, pixels)


def test_grey_with_alpha_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(ALPHA).convert("LA").save(path)
    np.testing.assert_array_equal(only_plane(path)[..., 0], np.asarray(Image.fromarray(COLOUR).convert("L")))


def deep_png(pixels: np.ndarray, filtered: int = 0, interlaced: bool = False, *more: bytes) -> bytes:
    """A PNG of 16-bit grey and alpha, RGB or RGBA; its rows are unfiltered (0), or filtered by Sub (1) or Up (2)."""
    height, width, channels = pixels.shape
    adam7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = []
    for y, x, down, across in adam7 if interlaced else ((0, 0, 1, 1),):
        part = np.ascontiguousarray(pixels[y::down, x::across]).astype(">u2")
        if part.size:
            bytes_of_rows = part.reshape(len(part), -1).view(np.uint8)
            before = np.zeros_like(bytes_of_rows)
            if filtered == 1:
                before[:, 2 * channels :] = bytes_of_rows[:, : -2 * channels]
            elif filtered == 2:
                before[1:] = bytes_of_rows[:-1]
            rows += [bytes([filtered]) + row.tobytes() for row in bytes_of_rows - before]
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, interlaced))
    data = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("filtered", [0, 1, 2])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_16_bit_png_keeps_its_depth(tmp_path: Path, channels: int, filtered: int, interlaced: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (21, 30, channels), np.uint16)
    path = tmp_path / "x.png"
    path.write_bytes(deep_png(pixels, filtered, interlaced))
    plane = only_plane(path)
    assert plane.dtype == np.uint16
    np.testing.assert_array_equal(plane, pixels)


def test_a_16_bit_png_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint16).reshape(4, 6, 3) * 900
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "x.png"
    path.write_bytes(deep_png(pixels, 0, False, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    np.testing.assert_array_equal(only_plane(path), np.rot90(pixels, -1))


def test_a_16_bit_png_that_is_cut_short_is_told(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (21, 30, 3), np.uint16)
    path = tmp_path / "x.png"
    path.write_bytes(deep_png(pixels)[:900])
    with pytest.raises(ImageError, match=r"x\.png"):
        only_plane(path)


@pytest.mark.parametrize("transparency", [None, 3, bytes([0, 128, 255])])
@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_palette_is_looked_up(tmp_path: Path, transparency: Any, suffix: str) -> None:
    if suffix == "gif" and isinstance(transparency, bytes):
        pytest.skip("GIF has one transparent colour")
    path = tmp_path / f"x.{suffix}"
    image = Image.fromarray(GREY // 64, mode=None).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 0, 7, 8, 9, 250, 251, 252])
    indices = np.asarray(image)
    image.save(path, **({} if transparency is None else {"transparency": transparency}))
    palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(only_plane(path)[..., :3], palette[indices])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_orientation_is_honoured(tmp_path: Path, orientation: int, suffix: str) -> None:
    shown = np.zeros((16, 32), np.uint8)
    shown[:8, :16] = 255
    shown[8:, 16:] = 128
    # How a camera that was held so stores what is to be shown, by the table of the EXIF standard.
    stored = {
        1: shown,
        2: np.fliplr(shown),
        3: np.rot90(shown, 2),
        4: np.flipud(shown),
        5: shown.T,
        6: np.rot90(shown),
        7: np.rot90(shown, 2).T,
        8: np.rot90(shown, -1),
    }[orientation]
    path = tmp_path / f"x.{suffix}"
    if suffix == "tif":
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(path, stored, extratags=[(274, 3, 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored).convert("RGB").save(path, exif=exif, quality=95)
    plane = only_plane(path)
    assert plane.shape[:2] == shown.shape
    np.testing.assert_allclose(plane if plane.ndim == 2 else plane[..., 0], shown, atol=6)


def test_damaged_exif_does_not_hide_the_image(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 3, 0x0112, 3, 90000, 90000)
    Image.fromarray(COLOUR).save(path, exif=exif)
    assert only_plane(path).shape == COLOUR.shape


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    flat = np.empty((16, 16, 4), np.uint8)
    flat[:] = 200, 100, 50, 30
    path = tmp_path / "x.jpg"
    Image.fromarray(flat, mode=None).save(tmp_path / "rgba.png")
    Image.frombytes("CMYK", (16, 16), flat.tobytes()).save(path, quality=100)
    expected = [(255 - ink) * (255 - 30) / 255 for ink in (200, 100, 50)]
    np.testing.assert_allclose(only_plane(path)[8, 8], expected, atol=2)


def test_ycck_becomes_rgb(tmp_path: Path) -> None:
    luma, blue, red, black = 120, 90, 170, 200  # as they are stored
    stored = bytes(255 - value for value in (luma, blue, red, black)) * 256
    path = tmp_path / "x.jpg"
    Image.frombytes("CMYK", (16, 16), stored).save(path, quality=100)
    content = bytearray(path.read_bytes())
    marker = content.index(b"Adobe")
    content[marker + 11] = 2  # the transform: YCCK instead of CMYK
    path.write_bytes(content)
    rgb = np.array(
        [
            luma + 1.402 * (red - 128),
            luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            luma + 1.772 * (blue - 128),
        ]
    )
    # Inks are stored inverted, and the transform inverts once more: what it makes of Y, Cb and Cr are the inks.
    np.testing.assert_allclose(only_plane(path)[8, 8], (255 - rgb) * black / 255, atol=2)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_is_a_stack_of_frames(tmp_path: Path, suffix: str) -> None:
    frames = [np.roll(COLOUR, 3 * i, axis=1) // 64 * 64 for i in range(5)]
    path = tmp_path / f"x.{suffix}"
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, lossless=True, duration=50)
    source = file_source(path)
    assert (source.axes, source.shape) == (("frame",), (5,))
    for i in (0, 1, 2, 3, 4, 2, 0, 4):
        np.testing.assert_array_equal(read(source, (i,))[..., :3], frames[i])
    with ThreadPoolExecutor(4) as pool:
        for i, plane in enumerate(pool.map(partial(read, source), source.indices())):
            np.testing.assert_array_equal(plane[..., :3], frames[i])


def test_the_preview_in_a_jpeg_is_not_a_plane(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(COLOUR).save(path, "MPO", save_all=True, append_images=[Image.fromarray(COLOUR[::-1])])
    assert only_plane(path).shape == COLOUR.shape


@pytest.mark.parametrize(("content", "suffix"), [("JPEG", "png"), ("PNG", "tif"), ("TIFF", "jpg"), ("GIF", "")])
def test_the_content_counts_and_not_the_suffix(tmp_path: Path, content: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(GREY).save(path, content)
    plane = only_plane(path)
    grey = plane[..., 0] if plane.ndim == 3 else plane  # GIF has colours only
    np.testing.assert_allclose(grey, GREY, atol=80 if content == "JPEG" else 0)


def test_pixels_are_not_read_before_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(GREY).save(path)
    source = file_source(path)
    Image.fromarray(COLOUR).save(path)
    np.testing.assert_array_equal(read(source, ()), COLOUR)
    path.unlink()
    with pytest.raises(ImageError, match=r"There is no file x\.png"):
        read(source, ())


def test_the_name_is_the_path_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    Image.fromarray(GREY).save("a/x.png")
    assert file_source("a/../a/x.png").name == "a/../a/x.png"
    assert file_source(Path("a/x.png")).name == str(Path("a/x.png"))


# What cannot be read is explained


def refusal(path: Path) -> str:
    source = file_source(path)
    assert len(source) == 1
    with pytest.raises(ImageError) as caught:
        read(source, ())
    assert path.name in caught.value.message
    assert str(path.parent) not in str(caught.value)
    return caught.value.message


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def saved(suffix: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)).save(buffer, suffix)
    return buffer.getvalue()


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.png") == "There is no file none.png."


@pytest.mark.parametrize("content", [b"hello, I am a text file", b"\x89PNG\r\n\x1a\nnonsense", b"II*\0", b"BM"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    refusal(written(tmp_path / "x.png", content))


def test_an_empty_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(written(tmp_path / "x.png", b""))
    (tmp_path / "folder.png").mkdir()
    assert "folder" in refusal(tmp_path / "folder.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    assert "not a file" in refusal(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    content = saved(kind)
    path = written(tmp_path / "x.bin", content[: int(len(content) * share)])
    refusal(path)


def test_a_damaged_checksum_is_refused(tmp_path: Path) -> None:
    content = bytearray(saved("PNG"))
    content[content.index(b"IDAT") + 100] ^= 255
    refusal(written(tmp_path / "x.png", bytes(content)))


@pytest.mark.parametrize("size", [(10_000, 9_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "load", pytest.fail)
    message = refusal(written(tmp_path / "x.png", png(*size, pixels=zlib.compress(bytes(1000)))))
    assert "pixels" in message


def test_a_text_bomb_is_refused(tmp_path: Path) -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000)))
    refusal(written(tmp_path / "x.png", png(1, 1, bomb, pixels=zlib.compress(b"\0\0"))))


def test_a_jpeg_in_absurdly_many_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(COLOUR).save(path, progressive=True)
    assert only_plane(path).shape == COLOUR.shape
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * 100 + whole[-2:])
    with pytest.raises(ImageError, match=r"x\.jpg is a JPEG in more than 100 scans"):
        only_plane(path)


def test_more_frames_than_the_file_has_room_for_are_refused(tmp_path: Path) -> None:
    claim = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0))
    assert "frames" in refusal(written(tmp_path / "x.png", png(1, 1, claim, frame, pixels=zlib.compress(b"\0\0"))))


def test_a_good_file_is_read_after_a_bad_one(tmp_path: Path) -> None:
    refusal(written(tmp_path / "bad.png", saved("PNG")[:200]))
    Image.fromarray(GREY).save(tmp_path / "good.png")
    np.testing.assert_array_equal(only_plane(tmp_path / "good.png"), GREY)


def test_what_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x.png", saved("PNG"))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError) as caught:
        read(file_source(path), ())
    assert caught.value.message.startswith("x.png cannot be read: ")
    assert caught.value.message.endswith("you do not have permission to read it.")
    assert "permissions" in caught.value.hint
    assert "get this one again" not in caught.value.hint


def test_an_image_that_does_not_fit_into_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise MemoryError

    path = written(tmp_path / "x.png", saved("PNG"))
    monkeypatch.setattr(Image.Image, "load", refuse)
    monkeypatch.setattr(Image.Image, "tobytes", refuse)
    assert "memory" in refusal(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"])
def test_random_damage_gives_an_image_or_an_explanation(tmp_path: Path, kind: str, capfd: Any) -> None:
    content, rng = saved(kind), np.random.default_rng(1)
    told = []
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, min(len(content), 400), rng.integers(1, 5)):
            damaged[place] = rng.integers(256)
        path = written(tmp_path / "x.bin", bytes(damaged))
        source = file_source(path)
        for index in list(source.indices())[:3]:
            try:
                assert read(source, index).ndim in {2, 3}
            except ImageError as error:
                told.append(str(error))
    assert told
    assert not [message for message in told if str(tmp_path) in message]
    assert "x.bin" not in "".join(capfd.readouterr())


def test_threads_read_many_files_at_once(tmp_path: Path) -> None:
    paths = []
    for i in range(24):
        paths.append(tmp_path / f"{i}.{['png', 'bmp', 'tif'][i % 3]}")
        Image.fromarray(np.roll(COLOUR, i, axis=0)).save(paths[-1])
    with ThreadPoolExecutor(8) as pool:
        for i, plane in enumerate(pool.map(only_plane, paths)):
            np.testing.assert_array_equal(plane, np.roll(COLOUR, i, axis=0))


# Folders


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    def make(names: str) -> Path:
        for name in names.split():
            path = tmp_path / "study" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "study"

    return make


def test_folders_are_searched_in_natural_order(tree: Callable[[str], Path]) -> None:
    folder = tree("x10.png x2.PNG a/b/1.tif a/9.jpeg b.gif B.bmp notes.txt x1.webp a/list.csv")
    images, left_out = find_images([folder])
    expected = ["a/9.jpeg", "a/b/1.tif", "B.bmp", "b.gif", "x1.webp", "x2.PNG", "x10.png"]
    assert [str(Path(name).relative_to(folder)).replace("\\", "/") for name in images] == expected
    assert {Path(name).name for name in left_out} == {"notes.txt", "list.csv"}


def test_hidden_files_and_folders_are_passed_over(tree: Callable[[str], Path]) -> None:
    folder = tree("a.png .b.png .git/c.png ._a.png .DS_Store")
    assert find_images([folder]) == ([str(folder / "a.png")], [])


def test_given_files_are_kept_whatever_they_are_called(tree: Callable[[str], Path]) -> None:
    folder = tree("scan .hidden.png report.txt")
    given = [folder / "report.txt", folder / ".hidden.png", folder / "scan", folder / "none.png", folder / "scan"]
    assert find_images(given) == (list(map(str, given)), [])


def test_names_begin_with_the_folder_as_given(tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree("a/x.png").parent)
    assert find_images(["study"])[0] == [str(Path("study/a/x.png"))]


def test_a_folder_that_cannot_be_listed_is_not_passed_over(
    tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree("a.png locked/b.png")
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_images([folder])[0] == [str(folder / "a.png"), str(folder / "locked")]
    assert "locked is a folder" in refusal(folder / "locked")


ENDS_WITH_DOT = pytest.param(
    "b.png.", marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows leaves the last dot out")
)


@pytest.mark.parametrize("doubtful", ["b.dcm", "b.DCM", "b", "png", ENDS_WITH_DOT, "b.txt"])
def test_images_are_for_themselves_unless_the_name_of_a_file_lets_doubt(
    tree: Callable[[str], Path], doubtful: str
) -> None:
    names = "a.png b.TIFF c.x.JPG"
    assert [found.alone for found in walked(tree(names))] == [True]
    assert [found.alone for found in walked(tree(f"{names} {doubtful}"))] == [False]


def test_a_junction_of_windows_is_a_link_that_is_not_followed(
    tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree("a.png back/b.png")
    scan = os.scandir

    @contextmanager
    def scanned(path: str) -> Iterator[list[SimpleNamespace]]:
        names = ("name", "is_file", "is_dir", "is_symlink")
        with scan(path) as found:
            entries = [SimpleNamespace(**{name: getattr(entry, name) for name in names}) for entry in found]
        for entry in entries:
            entry.is_junction = partial(str.__eq__, entry.name, "back")
        yield entries

    monkeypatch.setattr(os, "scandir", scanned)
    found = list(walked(folder))
    assert [path for each in found for path in each.images] == [str(folder / "a.png")]
    assert [path for each in found for path in each.links] == [str(folder / "back")]


def test_a_search_ends_at_the_file_at_which_it_is_cancelled(
    tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cancellation, looked_into = Cancellation(), []

    def look(file: str) -> bool:
        looked_into.append(Path(file).name)
        cancellation.cancel()
        return True

    monkeypatch.setattr("napari_webipred.imaging.files.is_dicom_file", look)
    with cancellation.active(), pytest.raises(CancelledError):
        find_images([tree("IM00001 IM00002 IM00003")])
    assert looked_into == ["IM00001"]


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_only_a_jpeg_in_several_scans_is_searched_for_them(
    tmp_path: Path, pixels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, searched = tmp_path / "x.jpg", []
    monkeypatch.setattr("napari_webipred.imaging.raster.check_scans", lambda file, name: searched.append(name))
    Image.fromarray(pixels).save(path, exif=b"Exif\0\0" + b"\xff\xda" * 200)
    assert only_plane(path).shape == pixels.shape
    assert searched == []
    Image.fromarray(pixels).save(path, progressive=True)
    only_plane(path)
    assert searched == ["x.jpg"]


def test_large_images_are_read_and_those_of_far_too_few_bytes_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(GREY).save(path)
    size = path.stat().st_size
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit, for a bomb twice as many
    assert only_plane(path).shape == GREY.shape
    monkeypatch.setattr("napari_webipred.imaging.raster.PIXELS_OF_ANY_FILE", 100)
    assert only_plane(path).shape == GREY.shape
    monkeypatch.setattr("napari_webipred.imaging.raster.LARGE_PIXELS_PER_BYTE", GREY.size // size - 1)
    assert f"far too many for a file of {size} bytes" in refusal(path)
    monkeypatch.setattr("napari_webipred.imaging.raster.PIXELS_AT_MOST", GREY.size - 1)
    assert "megapixels" in refusal(path)

"""Whatever is in a file, reading it ends in a result or in words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import archives, images
from napari_webipred.archive.model_files import open_files
from napari_webipred.errors import ArchiveError, ImageError
from napari_webipred.imaging.readers import file_source, read

IMAGES = {
    **{kind: images.saved(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")},
    "TIFF": images.written(),
    "LZW": images.saved("TIFF", compression="tiff_lzw"),
    "ImageJ": images.written(images.GREY[None].repeat(3, 0), imagej=True),
    "animation": images.gif(8, 8, *[images.gif_frame()] * 3),
}
BEGINNINGS = [content[:12] for content in IMAGES.values()] + [b"", b"PK\x03\x04", b"PK\x05\x06"]
CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=8)


def changed(content: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    data = bytearray(content)
    for at, value in changes:
        data[at % len(data)] = value
    return bytes(data[: len(data) - cut])


def read_image(path: Path) -> None:
    source = file_source(path)
    for index, _ in zip(source.indices(), range(3), strict=False):
        with suppress(ImageError):
            read(source, index)


def read_archive(path: Path) -> None:
    with suppress(ArchiveError):
        for content in open_files(path).values():
            assert len(content) < 2**20


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytes") / "file"


@settings(deadline=None)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(path: Path, beginning: bytes, rest: bytes) -> None:
    path.write_bytes(beginning + rest)
    read_image(path)
    read_archive(path)


@settings(deadline=None)
@given(st.sampled_from(sorted(IMAGES)), CHANGES, st.integers(0, 40))
def test_a_changed_image_is_read_or_refused(path: Path, kind: str, changes: list[tuple[int, int]], cut: int) -> None:
    path.write_bytes(changed(IMAGES[kind], changes, cut))
    read_image(path)


@settings(deadline=None)
@given(CHANGES, st.integers(0, 40))
def test_a_changed_archive_is_read_or_refused(path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    path.write_bytes(changed(archives.sound(), changes, cut))
    read_archive(path)

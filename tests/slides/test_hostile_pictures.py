"""Files that lie about themselves are refused, or their tiles fail, before they cost memory or time."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bombs import gzip_bomb
from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import file_source, read
from napari_webipred.imaging.zarr_metadata import array_facts
from napari_webipred.imaging.zarr_store import decoded_size
from pictures import levels_of, spotted, write_ome_zarr, write_tiff

FIRST_CHUNK = "0/c/0/0/0"


def picture(path: Path, **how: Any) -> Path:
    return write_ome_zarr(path, levels_of(spotted((300, 300), at=(150, 150), radius=150), 2), **how)


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read(file_source(path), ())
    return str(caught.value)


def edited(path: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    head = json.loads((path / name).read_text())
    change(head)
    (path / name).write_text(json.dumps(head))


def multiscale(head: dict[str, Any]) -> dict[str, Any]:
    return head["attributes"]["ome"]["multiscales"][0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("0/zarr.json", lambda x: x.update(shape=[3, 100, 100]), "do not shrink"),
        ("0/zarr.json", lambda x: x.update(shape=[3, -1, 100]), "not that of an image"),
        ("0/zarr.json", lambda x: x.update(shape=[3, 2**60, 100]), "not that of an image"),
        ("0/zarr.json", lambda x: x.update(shape=[3, 1.5, 100]), "not that of an image"),
        ("0/zarr.json", lambda x: x.update(shape=[1] * 40), "not that of an image"),
        ("0/zarr.json", lambda x: x.update(shape=[300, 300]), "2 axes, and its chunks have 3"),
        ("0/zarr.json", lambda x: x.update(data_type="variable_length_utf8"), "no intensity"),
        ("0/zarr.json", lambda x: x.update(data_type=["float32"]), "no intensity"),
        ("0/zarr.json", lambda x: x.update(chunk_grid={"name": "rectilinear"}), "different sizes"),
        (
            "0/zarr.json",
            lambda x: x["chunk_grid"]["configuration"].update(chunk_shape=[3, 2**20, 2**20]),
            "chunks of 3298",
        ),
        (
            "0/zarr.json",
            lambda x: x["chunk_grid"]["configuration"].update(chunk_shape=[3, 0, 2]),
            "not that of an image",
        ),
        ("0/zarr.json", lambda x: x.update(codecs=["bytes", {"name": "numcodecs.pickle"}]), "numcodecs.pickle"),
        ("0/zarr.json", lambda x: x.update(codecs=["bytes", {"name": "gzip"}, {"name": "gzip"}]), "gzip, gzip"),
        ("0/zarr.json", lambda x: x.update(codecs=[1]), "unknown way"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[]), "no image of OME-Zarr"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": "0"}] * 1000), "1000 levels"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": "../x/0"}]), "leads out"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": "/etc"}]), "leads out"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": "c:\\x"}]), "leads out"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": 3}]), "leads out"),
        ("zarr.json", lambda x: multiscale(x).update(datasets=[{"path": "9"}]), "incomplete"),
        ("zarr.json", lambda x: multiscale(x).update(axes=[{"name": n} for n in "yxc"]), "not y and x"),
        ("zarr.json", lambda x: multiscale(x).update(axes=[{"name": "y"}, {"name": "x"}]), "3 axes"),
        ("zarr.json", lambda x: x["attributes"].update(ome={"plate": {}}), "plate"),
        ("zarr.json", lambda x: x.update(attributes=3), "no image of OME-Zarr"),
    ],
)
def test_metadata_that_cannot_be_true_are_refused(
    tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    path = picture(tmp_path / "x.zarr")
    edited(path, name, change)
    said = refusal(path)
    assert said.startswith("x.zarr: ")
    assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"filters": [{"id": "pickle"}]}, "filters"),
        ({"dtype": "|O"}, "no intensity"),
        ({"dtype": [["a", "<u2"]]}, "no intensity"),
        ({"compressor": {"id": "lzma"}}, "lzma"),
        ({"zarr_format": 7}, "version 7"),
    ],
)
def test_metadata_of_version_2_are_looked_at_as_well(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = picture(tmp_path / "x.zarr", version=2)
    edited(path, "0/.zarray", lambda head: head.update(change))
    assert words in refusal(path)


def test_metadata_are_read_from_small_plain_files_only(tmp_path: Path) -> None:
    path = picture(tmp_path / "x.zarr")
    with (path / "0" / "zarr.json").open("r+b") as file:
        file.truncate(2**34)
    assert "far more than metadata need" in refusal(path)
    (path / "0" / "zarr.json").write_text('{"a":' * 50_000 + "1" + "}" * 50_000)
    assert "nested too deeply" in refusal(path)
    (path / "0" / "zarr.json").unlink()
    os.mkfifo(path / "0" / "zarr.json")
    assert "not a file" in refusal(path)


def zstd_bomb() -> bytes:
    """40,000 blocks that repeat one byte 131,071 times, in a frame that does not tell its size."""
    block = (2**17 - 1) << 3 | 1 << 1
    blocks = (block.to_bytes(3, "little") + b"\0") * 40_000 + (block | 1).to_bytes(3, "little") + b"\0"
    return struct.pack("<I", 0xFD2FB528) + b"\x00\x50" + blocks


def blosc_bomb() -> bytes:
    return bytes([2, 1, 1, 1]) + struct.pack("<III", 2**31 - 1, 2**18, 1000) + bytes(984)


@pytest.mark.parametrize(
    ("compression", "bomb"),
    [("zstd", zstd_bomb), ("blosc", blosc_bomb), ("gzip", lambda: gzip_bomb(2**29))],
)
def test_a_chunk_that_decodes_to_far_more_than_it_claims_is_not_decoded(
    tmp_path: Path, compression: str, bomb: Callable[[], bytes]
) -> None:
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    codec = {"zstd": ZstdCodec(), "blosc": BloscCodec(), "gzip": GzipCodec()}[compression]
    path = picture(tmp_path / "x.zarr", compressors=codec)
    assert read(file_source(path), ()).shape == (300, 300, 3)
    (path / FIRST_CHUNK).write_bytes(bomb())
    assert "decodes to more than it claims" in refusal(path)


def test_chunks_in_shards_are_looked_at_as_well(tmp_path: Path) -> None:
    google_crc32c = pytest.importorskip("google_crc32c")
    path = picture(tmp_path / "x.zarr", chunk=128, shard=256)
    assert read(file_source(path), ()).shape == (300, 300, 3)
    content = bytearray((path / FIRST_CHUNK).read_bytes())
    index = 4 * 16  # chunks of a shard
    whole = bytes(content)
    content[-index - 4 : -index + 12] = struct.pack("<QQ", 0, 2**40)
    content[-4:] = struct.pack("<I", google_crc32c.value(bytes(content[-index - 4 : -4])))
    (path / FIRST_CHUNK).write_bytes(content)
    assert "far more than its pixels need" in refusal(path)
    bomb = zstd_bomb()
    content = bytearray(bomb + whole[-index - 4 :])
    content[-index - 4 : -index + 12] = struct.pack("<QQ", 0, len(bomb))
    content[-4:] = struct.pack("<I", google_crc32c.value(bytes(content[-index - 4 : -4])))
    (path / FIRST_CHUNK).write_bytes(content)
    assert "decodes to more than it claims" in refusal(path)


def test_sizes_that_compressed_bytes_tell_are_those_they_decode_to() -> None:
    import imagecodecs

    for count in (1, 300, 70_000, 2**21):
        data = np.random.default_rng(0).integers(0, 3, count, np.uint8).tobytes()
        assert decoded_size(imagecodecs.zstd_encode(data), "zstd", 0) == count
        assert decoded_size(imagecodecs.blosc_encode(data), "blosc", 0) == count
    assert decoded_size(b"", "zstd", 0) == 0
    assert decoded_size(zstd_bomb(), "zstd", 0) == 40_001 * (2**17 - 1)


def test_a_chunk_that_is_a_pipe_is_not_opened(tmp_path: Path) -> None:
    path = picture(tmp_path / "x.zarr")
    (path / FIRST_CHUNK).unlink()
    os.mkfifo(path / FIRST_CHUNK)
    assert "is not a file" in refusal(path)


def test_chunks_that_were_never_written_have_the_fill_value(tmp_path: Path) -> None:
    path = picture(tmp_path / "x.zarr", fill_value=7)
    shutil.rmtree(path / "0" / "c")
    assert (read(file_source(path), ()) == 7).all()


def test_a_picture_of_terabytes_costs_nothing_until_it_is_read(tmp_path: Path) -> None:
    """A level that is small enough is read in place of the others."""
    path = picture(tmp_path / "x.zarr")
    edited(path, "0/zarr.json", lambda head: head.update(shape=[3, 10**9, 10**9]))
    source = file_source(path)
    assert source.reading.startswith("level 1 of 0 to 1")
    assert read(source, ()).shape == (150, 150, 3)
    edited(path, "zarr.json", lambda head: multiscale(head).update(datasets=[{"path": "0"}]))
    assert "tile by tile" in refusal(path)


def test_a_tiff_with_millions_of_directories_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    count = 150_000
    offsets = 8 + 18 * np.arange(1, count + 1)
    offsets[-1] = 0
    directories = np.zeros(count, np.dtype("<u2,<u2,<u2,<u4,<u4,<u4"))
    for name, values in zip(directories.dtype.names or (), (1, 256, 4, 1, 8, offsets), strict=True):
        directories[name] = values
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directories.tobytes())
    assert "more than 100,000 pages" in refusal(path)


@pytest.mark.parametrize(
    ("compression", "marker", "place", "size"),
    [
        ("jpeg", b"\xff\xc0", 5, struct.pack(">HH", 65500, 65500)),
        ("jpeg2000", b"\xff\x51", 6, struct.pack(">II", 2**20, 2**20)),
        ("webp", b"VP8L", 9, struct.pack("<I", 2**28 - 1)),
    ],
)
def test_a_tile_that_says_it_is_larger_than_its_page_says_is_not_decoded(
    tmp_path: Path, compression: str, marker: bytes, place: int, size: bytes
) -> None:
    import tifffile

    from napari_webipred.imaging import tiff_levels
    from napari_webipred.imaging.readers import read_part

    how = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    path = write_tiff(
        tmp_path / "x.tif", [spotted((256, 256), at=(128, 128), radius=128)], compression=compression, **how
    )
    described = tiff_levels.describe(path, "x.tif")
    assert read_part(described, 0, (), (0, 0, 256, 256)).shape == (256, 256, 3)
    with tifffile.TiffFile(path) as file:
        start = file.pages.first.dataoffsets[0]
    content = bytearray(path.read_bytes())
    at = content.index(marker, start) + place
    content[at : at + len(size)] = size
    path.write_bytes(content)
    described = tiff_levels.describe(path, "x.tif")
    with pytest.raises(ImageError, match="larger than it claims"):
        read_part(described, 0, (), (0, 0, 100, 100))
    assert read_part(described, 0, (), (130, 130, 200, 200)).shape == (70, 70, 3)


def test_tiles_of_an_unknown_codec_are_not_tried(tmp_path: Path) -> None:
    from napari_webipred.imaging import tiff_levels

    path = write_tiff(tmp_path / "x.tif", [spotted((256, 256), at=(128, 128))], compression="jpegxl")
    with pytest.raises(ImageError, match="no picture that can be read tile by tile"):
        tiff_levels.describe(path, "x.tif")


def test_planes_for_which_a_file_is_too_small_are_refused(tmp_path: Path) -> None:
    import tifffile

    from napari_webipred.imaging import tiff_levels

    path = tmp_path / "x.ome.tif"
    claim = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="64" SizeY="64" SizeC="1" SizeZ="100000" '
        'SizeT="1"><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(16, 16), description=claim, metadata=None)
    with pytest.raises(ImageError, match="claims to hold 100000 planes"):
        tiff_levels.describe(path, "x.ome.tif")


def test_a_file_that_has_changed_is_not_read_on(tmp_path: Path) -> None:
    from napari_webipred.imaging.readers import read_part
    from napari_webipred.slides.picture import picture_of

    for path in (picture(tmp_path / "x.zarr"), write_tiff(tmp_path / "x.tif", [spotted((256, 256), at=(128, 128))])):
        described, _ = picture_of(path)
        where = path / "zarr.json" if path.is_dir() else path
        os.utime(where, ns=(1, 1))
        with pytest.raises(ImageError, match="has changed since"):
            read_part(described, 0, (), (0, 0, 10, 10))


def test_facts_of_an_array_name_what_zarr_would_read(tmp_path: Path) -> None:
    path = picture(tmp_path / "x.zarr", chunk=128, shard=256)
    facts = array_facts(path / "0", lambda file: json.loads(file.read_text()))
    assert (facts.shape, facts.chunks, facts.dtype) == ((3, 300, 300), (3, 128, 128), "<u1")
    assert facts.shard_index == 4 * 16 + 4
    assert facts.chunk_bytes == 3 * 128 * 128


@pytest.mark.parametrize("leading", [(2**40, 2**40), (2**40,), (1000, 1001)])
def test_a_folder_that_claims_more_planes_than_can_be_rows_is_one_image_that_cannot_be_read(
    tmp_path: Path, leading: tuple[int, ...]
) -> None:
    head = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*leading, 8, 8],
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1] * len(leading) + [8, 8]}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": ["bytes"],
    }
    path = tmp_path / "x.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(json.dumps(head))
    assert len(file_source(path)) == 1
    assert "planes" in refusal(path)
    (path / "zarr.json").write_text(json.dumps({**head, "shape": [1000, *[1] * (len(leading) - 1), 8, 8]}))
    assert len(file_source(path)) == 1000

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred import safe_json
from napari_webipred.archive import entry, zip_file
from napari_webipred.archive import model_folder as folders
from napari_webipred.archive.model_files import open_files
from napari_webipred.errors import ArchiveError
from protobuf_writer import field

TOPOLOGY = b'{"modelTopology": {}}'


def zip_of(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.compress_type = compression
            file.writestr(info, content)
    return path


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_bytes(TOPOLOGY)
    (folder / "group1-shard1of1").write_bytes(b"\x00\x01")
    return folder


def test_a_zip_gives_its_members_by_name(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"m/model.json": TOPOLOGY, "m/group1-shard1of1.bin": bytes(3_000_000)})
    files = open_files(path)
    assert list(files) == ["m/group1-shard1of1.bin", "m/model.json"]
    assert files["m/model.json"] == TOPOLOGY
    assert files["m/group1-shard1of1.bin"] == bytes(3_000_000)
    assert files.entry is None


def test_the_content_tells_a_zip_not_the_suffix(tmp_path: Path) -> None:
    assert open_files(zip_of(tmp_path / "model.bin", {"model.json": TOPOLOGY}))["model.json"] == TOPOLOGY


def test_what_systems_add_and_nested_zips_are_left_out(tmp_path: Path) -> None:
    extras = {"__MACOSX/._model.json": b"x", "a/.DS_Store": b"x", "a/.hidden/b.bin": b"x", "a/more.ZIP": b"x"}
    assert list(open_files(zip_of(tmp_path / "a.zip", {"a/": b"", "a/model.json": TOPOLOGY, **extras}))) == [
        "a/model.json"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../up.txt",
        "a/../../up.txt",
        "/etc/passwd",
        "C:/x",
        "::",
        "c:x",
        "a\\b",
        "..",
        "a//b",
        "./a",
        "a\x00b",
        "a\nb",
        "x" * 2000,
    ],
)
def test_one_unsafe_name_refuses_the_whole_archive(tmp_path: Path, name: str) -> None:
    safe = "a" * len(name.encode())
    path = zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY, safe: b"x"})
    # ZipFile mends some names when it writes them, so the bad one is put into the finished file.
    path.write_bytes(path.read_bytes().replace(safe.encode(), name.encode()))
    with pytest.raises(ArchiveError, match=r"a\.zip is refused"):
        open_files(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip"]


@pytest.mark.parametrize("other", ["model.json", "MODEL.json", "model.JSON/"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_names_that_differ_only_in_case_are_refused(tmp_path: Path, other: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.json", TOPOLOGY)
        file.writestr(other, b"")
    with pytest.raises(ArchiveError, match="twice"):
        open_files(path)


def test_composed_and_decomposed_spellings_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="twice"):
        open_files(zip_of(tmp_path / "a.zip", {"Gr\u00f6\u00dfe.bin": b"", "Gro\u0308\u00dfe.bin": b""}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("model.json")
    info.external_attr = (kind | 0o777) << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, b"/etc/passwd")
    with pytest.raises(ArchiveError, match="link or a device"):
        open_files(path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="is encrypted"):
        open_files(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_cannot_be_bounded_are_refused(tmp_path: Path, compression: int) -> None:
    with pytest.raises(ArchiveError, match="unsupported compression method"):
        open_files(zip_of(tmp_path / "a.zip", {"model.json": bytes(10_000)}, compression))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="contains 2001 files"):
        open_files(zip_of(tmp_path / "a.zip", {f"{i}.bin": b"" for i in range(2001)}))


def test_a_table_of_contents_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(200):
            info = zipfile.ZipInfo(f"{i}.bin")
            info.comment = bytes(65_000)
            file.writestr(info, b"")
    with pytest.raises(ArchiveError, match="table of contents"):
        open_files(path)


def _declare(path: Path, size: int) -> None:
    """Let the only member of a zip announce another size."""
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)


def test_more_than_four_gigabytes_are_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("a.bin", "b.bin"):
            file.writestr(name, b"x")
    data = path.read_bytes()
    for name in (b"a.bin", b"b.bin"):
        at = data.rindex(name) - 46 + 24
        data = data[:at] + (0x9000_0000).to_bytes(4, "little") + data[at + 4 :]
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="unpacks to 4831838208 bytes"):
        open_files(path)


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path, size: int) -> None:
    path = zip_of(tmp_path / "a.zip", {"shard.bin": bytes(100_000)})
    _declare(path, size)
    files = open_files(path)
    with pytest.raises(ArchiveError, match=r"shard\.bin in a\.zip"):
        files["shard.bin"]


def _changed(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes in the last structure with this signature."""
    data = bytearray(path.read_bytes())
    at = data.rindex(signature) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.bin": b"x" * 99, "b.bin": b"x" * 99}, zipfile.ZIP_STORED)
    with pytest.raises(ArchiveError, match=r"'b\.bin' overlaps another"):
        open_files(_changed(path, b"PK\x01\x02", 42, (10).to_bytes(4, "little")))


def test_a_member_that_reaches_into_the_table_of_contents_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.bin": b"x" * 99}, zipfile.ZIP_STORED)
    for signature, offset in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
        _changed(path, signature, offset, (150).to_bytes(4, "little") * 2)
    with pytest.raises(ArchiveError, match="overlaps the table of contents"):
        open_files(path)


@pytest.mark.parametrize(
    ("offset", "value"), [(0, b"XX"), (6, b"\x01"), (8, b"\x00"), (18, b"\x09"), (22, b"\x09"), (30, b"b")]
)
def test_a_header_that_contradicts_the_table_of_contents_refuses_the_archive(
    tmp_path: Path, offset: int, value: bytes
) -> None:
    path = zip_of(tmp_path / "a.zip", {"first.bin": b"x" * 99, "a.bin": b"x" * 99})
    with pytest.raises(ArchiveError, match=r"does not match the header of its entry 'a\.bin'"):
        open_files(_changed(path, b"PK\x03\x04", offset, value))


def test_sizes_that_follow_the_content_are_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()

    class Stream(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            return buffer.write(data)

    with zipfile.ZipFile(Stream(), "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.json", TOPOLOGY)
    path = tmp_path / "a.zip"
    path.write_bytes(buffer.getvalue())
    assert open_files(path)["model.json"] == TOPOLOGY


def test_sizes_of_eight_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file, file.open("model.json", "w", force_zip64=True) as member:
        member.write(TOPOLOGY)
    assert open_files(path)["model.json"] == TOPOLOGY


def test_an_archive_behind_another_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY})
    path.write_bytes(path.read_bytes() + zip_of(tmp_path / "b.zip", {"other.json": TOPOLOGY}).read_bytes())
    with pytest.raises(ArchiveError, match=r"there is other data before its entry 'other\.json'"):
        open_files(path)


def test_a_second_name_that_leads_outside_is_refused_or_not_used(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("model.json")
    second = b"\x01" + zlib.crc32(b"model.json").to_bytes(4, "little") + b"../up.json"
    info.extra = b"\x75\x70" + len(second).to_bytes(2, "little") + second
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, TOPOLOGY)
    with suppress(ArchiveError):  # older Python does not know second names
        assert list(open_files(path)) == ["model.json"]


def test_one_part_of_an_archive_in_several_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY})
    with pytest.raises(ArchiveError, match="of a split archive"):
        open_files(_changed(path, b"PK\x01\x02", 34, b"\x01"))


def test_many_zeros_are_refused_only_where_they_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", {"shard.bin": bytes(3_000_000)})
    assert len(open_files(path)["shard.bin"]) == 3_000_000
    monkeypatch.setattr(zip_file, "_MAX_SUSPICIOUS_BYTES", 2_000_000)
    with pytest.raises(ArchiveError, match=r"unpack to 3000000 bytes, [0-9]+ times as many"):
        open_files(path)
    noise = zip_of(tmp_path / "b.zip", {"shard.bin": os.urandom(3_000_000)})
    assert len(open_files(noise)["shard.bin"]) == 3_000_000


def test_damaged_content_is_named(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"shard.bin": b"weights" * 99}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"weights", b"heights", 1))
    files = open_files(path)
    with pytest.raises(ArchiveError, match=r"shard\.bin in a\.zip is damaged"):
        files["shard.bin"]


@pytest.mark.parametrize("where", ["zip", "folder"])
def test_a_json_that_is_too_large_is_refused(
    tmp_path: Path, model_folder: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_json, "MAX_BYTES", 5)
    path = model_folder if where == "folder" else zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY})
    with pytest.raises(ArchiveError, match=r"model\.json .* 21 bytes; 5 are the most"):
        open_files(path)["model.json"]


@pytest.mark.parametrize(
    ("content", "kind"), [(b"\x89HDF\r\n\x1a\n\x00", "keras-h5"), (b"\x08\x08\x12\x07pytorch", "onnx")]
)
def test_a_model_in_one_file_brings_only_what_names_its_classes(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "network.bin"
    path.write_bytes(content)
    for name in ("labels.txt", "webipred.json", "other.json", "other.bin"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "class_names.json").symlink_to(tmp_path / "other.json")
    files = open_files(path)
    assert (files.kind, files.entry) == (kind, "network.bin")
    assert list(files) == ["labels.txt", "network.bin", "webipred.json"]
    assert files.checksum == "sha256:" + hashlib.sha256(content).hexdigest()


def location(name: str) -> bytes:
    """An entry of an ONNX tensor that names the file with its numbers, as Protocol Buffers write it."""
    return field(1, "location") + field(2, name)


LONG = "weights" * 20


def test_an_onnx_file_brings_the_plain_files_beside_it_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    named = [
        "m.data",
        LONG,
        "gone",
        "sub/w",
        "../up",
        "..",
        "/etc/passwd",
        ".hidden",
        "link",
        "C:x",
        "\u0007",
        "w" * 255,
    ]
    broken = location("w" * 200).replace(b"w" * 200, b"\xff" * 200)
    path.write_bytes(b"\x08\x08\x12\x07pytorch" + broken + b"".join(map(location, named)))
    (tmp_path / "sub").mkdir()
    for name in ("m.data", LONG, "unnamed.data", "sub/w", ".hidden"):
        (tmp_path / name).write_bytes(b"numbers")
    (tmp_path / "link").symlink_to(tmp_path / "m.data")
    files = open_files(path)
    assert set(files) == {"m.onnx", "m.data", LONG}
    before = files.checksum
    (tmp_path / "m.data").write_bytes(b"other n")
    assert open_files(path).checksum != before
    assert {"m.onnx", "m.data", LONG} <= set(open_files(tmp_path))


def test_a_name_on_the_border_of_two_pieces_is_found(tmp_path: Path) -> None:
    (tmp_path / "m.data").write_bytes(b"numbers")
    named = location("m.data")
    for before in range(entry.CHUNK - len(named) - 4, entry.CHUNK):
        (tmp_path / "m.onnx").write_bytes(b"\x08\x08\x12\x07pytorch".ljust(before, b"-") + named)
        assert set(open_files(tmp_path / "m.onnx")) == {"m.onnx", "m.data"}


def test_an_onnx_file_that_names_very_many_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch" + b"".join(location(f"w{i}") for i in range(2100)))
    with pytest.raises(ArchiveError, match=r"m\.onnx refers to more than 2000 weight files"):
        open_files(path)


def test_weights_alone_bring_what_may_be_their_network(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    (tmp_path / "m.json").write_text('{"class_name": "Sequential", "config": {}}')
    (tmp_path / "other.json").write_text('{"a": 1}')
    path.write_bytes(b"\x89HDF\r\n\x1a\n weights")
    assert set(open_files(path)) == {"m.h5", "m.json"}
    path.write_bytes(b"\x89HDF\r\n\x1a\n model_config weights")
    assert set(open_files(path)) == {"m.h5"}


def test_a_keras_archive_is_one_file_of_which_the_members_are_read_when_asked(tmp_path: Path) -> None:
    content = {"config.json": b"{}", "model.weights.h5": b"weights", "metadata.json": b"{}"}
    path = zip_of(tmp_path / "m.keras", content)
    outer = zip_of(tmp_path / "outer.zip", {"m.keras": path.read_bytes()})
    for files in (open_files(path), open_files(tmp_path), open_files(outer)):
        assert "m.keras" in files
        assert "config.json" not in files
        assert dict(files.unpacked("m.keras")) == content
    assert (open_files(path).kind, open_files(path).entry) == ("keras-v3", "m.keras")
    assert open_files(path).checksum == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_keras_archive_within_another_is_judged_as_strictly(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "m.keras", {"config.json": b"{}", "up.txt": b"x" * 99})
    content = inner.read_bytes().replace(b"up.txt", b"../xyz")
    files = open_files(zip_of(tmp_path / "outer.zip", {"m.keras": content}))
    with pytest.raises(ArchiveError, match=r"m\.keras is refused: its entry '\.\./xyz' points outside"):
        files.unpacked("m.keras")


def test_a_path_goes_on_in_a_zip_with_the_files_around_its_end(tmp_path: Path) -> None:
    members = {"labels.txt": b"", "a/m.onnx": b"", "a/labels.txt": b"", "a/b/w.data": b"", "c/labels.txt": b""}
    path = zip_of(tmp_path / "a.zip", members)
    files = open_files(path / "a" / "m.onnx")
    assert files.entry == "a/m.onnx"
    assert list(files) == ["a/b/w.data", "a/labels.txt", "a/m.onnx", "labels.txt"]
    for wrong in (path / "nothing", path / ".." / "a.zip", path / "a"):
        with pytest.raises(ArchiveError, match="no file"):
            open_files(wrong)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b"<html><head><title>403 Forbidden", "a web page"),
        (b"\x1f\x8b\x08\x00", "not a model"),
        (b"PK\x03\x04 cut off", "a damaged zip archive"),
    ],
)
def test_what_is_not_a_model_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=rf"model\.zip is {words}") as caught:
        open_files(path)
    assert caught.value.hint


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no file or folder .*nothing\.zip"):
        open_files(tmp_path / "nothing.zip")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        open_files(tmp_path / "pipe")


def test_a_json_file_opens_its_folder_and_is_the_entry(model_folder: Path) -> None:
    (model_folder / "other.json").write_bytes(b"{}")
    files = open_files(model_folder / "other.json")
    assert files.entry == "other.json"
    assert set(files) == {"other.json", "model.json", "group1-shard1of1"}


def test_a_folder_gives_what_can_belong_to_a_model(model_folder: Path) -> None:
    (model_folder / "weights").mkdir()
    (model_folder / "weights" / "a.bin").write_bytes(b"w")
    for name in ("image.png", "inputs.npy", ".hidden.json", "old.zip"):
        (model_folder / name).write_bytes(b"x")
    assert list(open_files(model_folder)) == ["group1-shard1of1", "model.json", "weights/a.bin"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"secret")
    (model_folder / "shard.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ArchiveError, match=r"shard\.bin .* link that points outside"):
        open_files(model_folder)


def test_a_link_within_the_folder_is_followed(model_folder: Path) -> None:
    (model_folder / "shard.bin").symlink_to(model_folder / "group1-shard1of1")
    assert open_files(model_folder)["shard.bin"] == b"\x00\x01"


def test_linked_folders_are_not_entered(tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"x")
    (model_folder / "up").symlink_to(tmp_path, target_is_directory=True)
    assert set(open_files(model_folder)) == {"group1-shard1of1", "model.json"}


def test_a_huge_folder_is_given_up(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_MAX_ENTRIES_SEEN", 20)
    for i in range(30):
        (model_folder / f"{i}.png").touch()
    with pytest.raises(ArchiveError, match=r"contains more than [0-9]+ files"):
        open_files(model_folder)


def test_a_folder_of_too_many_model_files_is_refused(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_FILES", 1)
    with pytest.raises(ArchiveError, match="more than 1 model files"):
        open_files(model_folder)


def test_a_file_that_grows_after_opening_is_refused(model_folder: Path) -> None:
    files = open_files(model_folder)
    (model_folder / "group1-shard1of1").write_bytes(b"\x00\x01\x02")
    with pytest.raises(ArchiveError, match="more than the 2 bytes"):
        files["group1-shard1of1"]


def test_no_more_is_read_than_was_announced(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "CHUNK", 1)
    files = open_files(model_folder)
    (model_folder / "group1-shard1of1").write_bytes(bytes(1000))
    reads: list[int] = []
    chunks_of = entry.file_chunks

    def counted(path: Path) -> Iterator[bytes]:
        for chunk in chunks_of(path):
            reads.append(len(chunk))
            yield chunk

    monkeypatch.setattr(
        entry.ArchiveEntry, "chunks", property(lambda _: partial(counted, model_folder / "group1-shard1of1"))
    )
    with pytest.raises(ArchiveError, match="more than the 2 bytes"):
        files["group1-shard1of1"]
    assert sum(reads) == 3


def test_the_checksum_of_a_zip_is_that_of_the_file(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"model.json": TOPOLOGY})
    assert open_files(path).checksum == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_checksum_of_a_folder_depends_on_names_contents_and_entry(model_folder: Path) -> None:
    first = open_files(model_folder).checksum
    (model_folder / "image.png").write_bytes(b"not part of the model")
    assert open_files(model_folder).checksum == first
    assert open_files(model_folder / "model.json").checksum != first
    (model_folder / "group1-shard1of1").write_bytes(b"\x00\x02")
    second = open_files(model_folder).checksum
    (model_folder / "group1-shard1of1").rename(model_folder / "group1-shard1of2")
    assert len({first, second, open_files(model_folder).checksum}) == 3


WICKED = st.text(st.sampled_from("./\\:aAcC\u00df\u0130 \n\ud7ff~"), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.dictionaries(WICKED, st.binary(max_size=30), max_size=4))
def test_names_that_get_through_stay_inside(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes]
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    path = tmp_path_factory.mktemp("names") / "a.zip"
    path.write_bytes(buffer.getvalue())
    try:
        files = open_files(path)
    except ArchiveError:
        return
    for name, content in files.items():
        assert (path.parent / name).resolve().is_relative_to(path.parent.resolve())
        assert content == members[name]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 400))
def test_a_broken_zip_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.json", TOPOLOGY * 5)
        file.writestr("Größe.bin", bytes(50))
    data = bytearray(buffer.getvalue())
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("broken") / "a.zip"
    path.write_bytes(data[: length or None])
    try:
        files = open_files(path)
        contents = dict(files)
    except ArchiveError:
        return
    assert sum(map(len, contents.values())) < 1000


@pytest.mark.parametrize(
    ("name", "words"),
    [("refuse-zip-slip.zip", r"slipped\.txt"), ("refuse-html-named.zip", "is a web page")],
)
def test_the_shared_archives_to_refuse_are_refused(shared_models: Path, name: str, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        open_files(shared_models / "zips" / name)


@pytest.mark.parametrize("name", ["zip-root.zip", "zip-folder.zip", "zip-macos.zip"])
def test_the_shared_archives_to_load_are_read(shared_models: Path, name: str) -> None:
    files = open_files(shared_models / "zips" / name)
    assert sum(member.endswith("model.json") for member in files) == 1
    assert all(files.values())


def test_bytes_beside_a_model_folder_are_not_reached(shared_models: Path) -> None:
    files = open_files(shared_models / "refuse-path-traversal")
    assert "../emotion-odd-shards/group1-shard1of9.bin" not in files
    assert set(files) == {"model.json", "PROVENANCE.txt"}

"""Files of models are not read again if they have not changed, and always before they are compiled."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred import settings
from napari_webipred.archive import model_files
from napari_webipred.cache import entry, remembered, store
from zenodo_server import model_zip

IMAGES = np.random.default_rng(0).standard_normal((1, 8, 8, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files that a test has just written count as old."""
    monkeypatch.setattr(remembered, "STEP", -1e6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model that was opened twice: once to compile it, once to remember its checksum."""
    (tmp_path / "m.zip").write_bytes(model_zip(2, 8))
    for _ in range(2):
        wp.open_model(tmp_path / "m.zip")
    return tmp_path / "m.zip"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collect which files are read for their checksum."""
    found: list[Path] = []
    chunks, sums = model_files.file_chunks, entry.sha256_of
    monkeypatch.setattr(model_files, "file_chunks", lambda path: found.append(path) or chunks(path))
    monkeypatch.setattr(entry, "sha256_of", lambda path: found.append(path) or sums(path))
    return found


def test_a_model_that_has_not_changed_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = reads(monkeypatch)
    assert wp.open_model(path).predict(IMAGES).shape == (1, 2)
    assert not found
    os.utime(path)
    wp.open_model(path)
    assert found == [path]


def test_a_change_is_noticed_although_size_and_time_are_as_before(path: Path) -> None:
    before, stat = wp.open_model(path).checksum, path.stat()
    data = bytearray(path.read_bytes())
    data[data.index(b'"softmax"') + 1 : data.index(b'"softmax"') + 8] = b"sigmoid"
    path.write_bytes(data)  # not a sound archive any more, but another file
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino) == (
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ino,
    )
    if os.name == "posix":
        with pytest.raises(wp.WebIPredError):
            wp.open_model(path)
    path.unlink()
    path.write_bytes(model_zip(3, 8))
    assert wp.open_model(path).checksum != before


def test_files_that_were_changed_just_now_are_not_remembered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "STEP", 5.0)
    assert remembered.identity([("m.zip", path)]) is None
    os.utime(path, (time.time() + 100, time.time() + 100))  # a clock that was wrong
    assert remembered.identity([("m.zip", path)]) is None
    assert remembered.identity([("m.zip", path.with_name("gone"))]) is None
    found = reads(monkeypatch)
    wp.open_model(path)
    assert found == [path]


def test_a_file_that_changes_while_it_is_read_is_not_remembered(path: Path) -> None:
    remembered.note("before", "after", "sha256:" + "0" * 64)
    assert "before" not in remembered._known(remembered.shared_file.read(remembered.FILE))


def test_files_are_read_before_they_are_compiled(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept,) = settings.current().cache_folder.rglob("*.onnx")
    kept.write_bytes(b"damaged")
    found = reads(monkeypatch)
    assert wp.open_model(path).predict(IMAGES).shape == (1, 2)
    assert path in found
    # A disk that has decayed: what is remembered is wrong, and no time tells it.
    identity = remembered.identity(model_files.open_files(path).on_disk())
    other = "sha256:" + "ab" * 32
    remembered.shared_file.change(remembered.FILE, lambda document: {identity: other})
    kept.with_name(f"{'ab' * 32}-v1.onnx").write_bytes(b"of another version of the compiler")
    assert wp.open_model(path).checksum not in (other, None)
    assert remembered.checksum_of(identity) != other


def test_a_downloaded_model_is_read_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = settings.current().cache_folder / "models" / "one" / "files"
    folder.mkdir(parents=True)
    (folder / "m.zip").write_bytes(model_zip(2, 8))
    files = model_files.open_files(folder / "m.zip")
    sha256 = files.checksum.removeprefix("sha256:")
    size = (folder / "m.zip").stat().st_size
    kept = entry.Entry(
        folder.parent,
        "one",
        (entry.KeptFile("m.zip", "", None, size, sha256),),
        files.checksum,
        {},
        "",
        "file",
        "0" * 64,
    )
    wp.open_model(folder / "m.zip")
    found = reads(monkeypatch)
    assert store._is_sound(kept)
    assert len(found) == 1
    assert store._is_sound(kept)
    assert len(found) == 1
    (folder / "other").write_text("")
    assert not store._is_sound(kept), "nothing else may lie there"
    (folder / "other").unlink()
    data = bytearray((folder / "m.zip").read_bytes())
    data[100] ^= 1
    (folder / "m.zip").write_bytes(data)
    assert not store._is_sound(kept)


def test_no_name_is_remembered_and_wiping_forgets(path: Path) -> None:
    written = (settings.current().cache_folder / remembered.FILE).read_text()
    assert "m.zip" not in written
    assert str(path.parent) not in written
    store.wipe()
    assert not (settings.current().cache_folder / remembered.FILE).exists()


def test_no_more_than_a_few_are_remembered(path: Path) -> None:
    for number in range(remembered.MOST // 50):
        known = {f"{number}-{each}": "sha256:0" for each in range(100)}
        remembered.shared_file.change(remembered.FILE, lambda document, known=known: document | known)
    remembered.note("new", "new", "sha256:1")
    known = remembered._known(remembered.shared_file.read(remembered.FILE))
    assert len(known) == remembered.MOST
    assert known["new"] == "sha256:1"

"""Compiled graphs in the cache: used only if they are what was written, to the last bit."""

from __future__ import annotations

import errno
import logging
import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest

import napari_webipred as wp
from napari_webipred import atomic_file
from napari_webipred.cache import graphs, store
from napari_webipred.errors import ModelError
from zenodo_server import model_zip

CHECKSUM = "sha256:" + "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (own,) = store.compiled_paths(CHECKSUM, 3)
    assert own == tmp_path / "cache" / "compiled" / f"{'ab' * 32}-v3.onnx"
    return own


def is_used(path: Path) -> bool:
    try:
        with store.verified(path):
            return True
    except ModelError:
        return False


def test_a_graph_is_kept_whole_and_used(path: Path) -> None:
    assert store.keep_compiled(path, b"old")
    assert store.keep_compiled(path, b"new")
    assert path.read_bytes().startswith(b"new")
    assert is_used(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_graph_with_its_checksum_is_still_an_onnx_model(path: Path) -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    store.keep_compiled(path, model.SerializeToString())
    kept = onnx.load_model_from_string(path.read_bytes())
    assert kept.graph == model.graph
    assert [prop.key for prop in kept.metadata_props] == ["webipred.sha256-of-pieces"]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: data[1:],
        lambda data: b"",
        lambda data: b"graph without a checksum",
        lambda data: data[:5] + b"?" + data[6:],
    ],
)
def test_a_graph_that_has_changed_is_not_used(path: Path, change: object, caplog: pytest.LogCaptureFixture) -> None:
    store.keep_compiled(path, b"a graph of some length")
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        assert not is_used(path)
    assert "damaged and is made again" in caplog.text


def test_every_single_bit_of_a_graph_counts_whatever_size_and_time_say(path: Path) -> None:
    store.keep_compiled(path, b"short")
    sound, stat = path.read_bytes(), path.stat()
    for bit in range(8 * len(sound)):
        data = bytearray(sound)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert not is_used(path)
    path.write_bytes(sound)
    assert is_used(path)


def test_a_graph_that_is_replaced_while_it_is_loaded_is_not_used(path: Path) -> None:
    store.keep_compiled(path, b"graph")
    with pytest.raises(ModelError, match="replaced while it was loading"), store.verified(path):
        store.keep_compiled(path, b"graph")


def test_a_graph_that_is_removed_while_it_is_loaded_is_not_used(path: Path) -> None:
    store.keep_compiled(path, b"graph")
    with pytest.raises(ModelError, match="replaced while it was loading"), store.verified(path):
        path.unlink()
    with pytest.raises(ModelError, match="was removed"), store.verified(path):
        pass


def test_a_graph_that_cannot_be_written_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.keep_compiled(path, b"old")

    def full(change: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_file, "patiently", full)
    assert store.keep_compiled(path, b"new") is False
    assert path.read_bytes().startswith(b"old")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("checksum", ["", "sha256:../../x", "md5:" + "ab" * 32, "ab" * 31])
def test_a_graph_has_a_name_made_of_a_checksum_only(checksum: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256 checksum"):
        store.compiled_paths(checksum, 1)


def test_a_model_whose_graph_has_rotted_gives_the_same_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m.zip").write_bytes(model_zip())
    image = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    expected = wp.open_model(tmp_path / "m.zip").predict(image)
    (graph,) = (tmp_path / "cache" / "compiled").glob("*.onnx")
    sound = graph.read_bytes()
    for seed in range(20):
        data = bytearray(sound)
        data[random.Random(seed).randrange(len(data))] ^= 1 << seed % 8
        graph.write_bytes(data)
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(wp.open_model(tmp_path / "m.zip").predict(image), expected)
        assert graph.read_bytes() == sound
    assert caplog.text.count("A compiled model was damaged and is made again.") == 20


def test_an_open_model_goes_on_when_its_graph_is_removed(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(model_zip())
    model = wp.open_model(tmp_path / "m.zip")
    store.wipe()
    image = np.zeros((1, 224, 224, 3), np.float32)
    assert np.array_equal(model.session(1000).predict(image), model.predict(image))


def test_a_model_that_changes_while_it_is_compiled_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(model_zip())
    monkeypatch.setattr("napari_webipred.opening._compiled", lambda *_: path.write_bytes(model_zip(3)) and b"")
    with pytest.raises(ModelError, match="changed while they were being read"):
        wp.open_model(path)
    assert list((tmp_path / "cache").rglob("*.onnx")) == []


def test_the_checksum_is_as_long_as_is_read() -> None:
    assert graphs._HEAD[1] == len(graphs._HEAD) - 2 + 64

"""After a private session nothing of it is left, what was there before stays, and others lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import napari_webipred as wp
from napari_webipred import cli, settings
from napari_webipred.cache import (
    fingerprints,
    graphs,
    index,
    local_models,
    overrides,
    private_session,
    refused_models,
    store,
)
from napari_webipred.errors import CatalogueError
from napari_webipred.model_overrides import ModelOverrides
from napari_webipred.preferences import Preferences
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, model_zip

CHECKSUM = f"sha256:{'5' * 64}"
OTHER = f"sha256:{'6' * 64}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and time of all files but locks."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def keep_something(tmp_path: Path, checksum: str) -> None:
    """Let everything be kept that the cache keeps, but for models."""
    path = tmp_path / checksum[-3:]
    path.touch()
    overrides.save(checksum, ModelOverrides.of(["a", "b"], "torch", None, None, None))
    graphs.keep_compiled(graphs.compiled_paths(checksum, 1)[-1], b"graph")
    fingerprints.remember("own", {"type": "url", "url": checksum}, "7" * 64)
    local_models.remember(path, checksum)
    local_models.note_use(path, checksum, checksum)
    refused_models.note(checksum, "It cannot be used.")


def test_nothing_of_a_session_is_left_and_what_was_there_is_unchanged(cache, tmp_path, zenodo, monkeypatch):
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    zenodo.publish("123", {"other.zip": model_zip(classes=3)})
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", zenodo.url)
    keep_something(tmp_path, CHECKSUM)
    result_of(store.fetch(index.resolve("123")))
    before = snapshot(cache)

    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    private_session.follow()
    card = index.find("webipred-16")
    result_of(store.fetch(card))
    assert store.path_of(card) is not None
    keep_something(tmp_path, OTHER)
    (tmp_path / "own.zip").write_bytes(model_zip(classes=4))
    wp.open_model(tmp_path / "own.zip")
    assert len(list((cache / "private").rglob("*.onnx"))) >= 2
    made = {path: content for path, content in snapshot(cache).items() if not path.startswith("private/")}
    assert made == before

    private_session.end()
    assert not (cache / "private").exists()
    assert snapshot(cache) == before
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "0")
    private_session.follow()
    assert store.path_of(card) is None
    assert [model.name for model in local_models.own_models()] == [CHECKSUM]


def test_what_was_there_before_can_be_used_in_the_session(tmp_path, zenodo, monkeypatch):
    zenodo.publish("123", {"other.zip": model_zip(classes=3)})
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", zenodo.url)
    keep_something(tmp_path, CHECKSUM)
    card = index.resolve("123")
    result_of(store.fetch(card))
    zenodo.close()

    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    private_session.follow()
    try:
        result_of(store.fetch(card))
        assert overrides.load(CHECKSUM).standardize == "torch"
        assert fingerprints.recall("own", {"type": "url", "url": CHECKSUM}) == "7" * 64
        assert [model.name for model in local_models.own_models()] == [CHECKSUM]
        assert CHECKSUM in refused_models.reasons()
        assert [path.exists() for path in graphs.compiled_paths(CHECKSUM, 1)] == [True, False]
        keep_something(tmp_path, OTHER)
        assert {model.name for model in local_models.own_models()} == {CHECKSUM, OTHER}
        local_models.forget(tmp_path / CHECKSUM[-3:])
        assert [model.name for model in local_models.own_models()] == [OTHER]
    finally:
        private_session.end()
    monkeypatch.delenv("NAPARI_WEBIPRED_PRIVATE")
    private_session.follow()
    assert [model.name for model in local_models.own_models()] == [CHECKSUM]


def test_models_from_before_cannot_be_removed_in_the_session(tmp_path, zenodo, monkeypatch, cache):
    zenodo.publish("123", {"other.zip": model_zip(classes=3)})
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", zenodo.url)
    card = index.resolve("123")
    result_of(store.fetch(card))
    before = snapshot(cache)
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    private_session.follow()
    with pytest.raises(CatalogueError, match="before the private session"):
        store.remove(card.id)
    keep_something(tmp_path, OTHER)
    _, stays = store.wipe()
    assert list(stays) == [card.id]
    private_session.end()
    assert snapshot(cache) == before


RUNNING = """
import sys
import napari_webipred as wp
from napari_webipred import settings
wp.open_model(sys.argv[1])
print(settings.current().cache_folder.name, flush=True)
sys.stdin.readline()
wp.open_model(sys.argv[1])
"""


def begin(model: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a process with a private session, in which a model was compiled; return it with the name of its folder."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUNNING, str(model)],
        env={**os.environ, "NAPARI_WEBIPRED_PRIVATE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


def test_what_a_killed_session_has_left_is_deleted_at_the_next_start_and_another_one_goes_on(cache, tmp_path, capsys):
    model = tmp_path / "own.zip"
    model.write_bytes(model_zip(classes=3))
    killed, left = begin(model)
    other, going_on = begin(model)
    try:
        assert {path.name for path in (cache / "private").iterdir() if path.is_dir()} == {left, going_on}
        assert list((cache / "private" / left / "compiled").glob("*.onnx"))
        killed.kill()
        killed.wait()
        assert (cache / "private" / left).is_dir()
        assert cli.main(["models"]) == 0  # any front, private or not
        assert {path.name for path in (cache / "private").iterdir() if path.is_dir()} == {going_on}
        assert list((cache / "private" / going_on / "compiled").glob("*.onnx"))
        other.communicate("\n")
        assert other.returncode == 0
    finally:
        for process in (killed, other):
            process.kill()
            process.communicate()
    assert not (cache / "private").exists()
    assert list(cache.rglob("*.onnx")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_command_that_is_stopped_leaves_nothing(cache, tmp_path):
    model = tmp_path / "own.zip"
    model.write_bytes(model_zip(classes=3))
    process, _ = begin(model)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert not (cache / "private").exists()


def test_a_command_deletes_what_it_has_fetched_when_it_ends(cache, zenodo, monkeypatch, tmp_path, capsys):
    zenodo.publish("123", {"other.zip": model_zip(classes=3)})
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", zenodo.url)
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    assert cli.main(["fetch", "123"]) == 2
    assert "private session" in capsys.readouterr().err
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    arguments = ["classify", str(tmp_path / "a.png"), "--model", "123", "--standardize", "tf", "--output"]
    assert cli.main([*arguments, str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").exists()
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_session_begins_and_is_left_with_the_preference(cache):
    for private in (True, False, True):
        settings.prefer(Preferences(private_session=private))
        private_session.follow()
        now = settings.current()
        assert (now.kept_cache, now.cache_folder.parent == cache / "private") == ((cache if private else None), private)
    private_session.end()
    assert not (cache / "private").exists()


def test_a_link_is_not_followed(cache, tmp_path, monkeypatch, caplog):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ("a" * 16)).mkdir(parents=True)
    cache.mkdir()
    (cache / "private").symlink_to(elsewhere)
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    private_session.follow()
    assert "links" in caplog.text
    private_session.end()
    assert (elsewhere / ("a" * 16)).is_dir()


def test_folders_of_others_are_let_be(cache, monkeypatch):
    (cache / "private" / "my things").mkdir(parents=True)
    (cache / "private" / ("a" * 16)).mkdir()
    private_session.follow()
    assert [path.name for path in (cache / "private").iterdir()] == ["my things"]


def test_a_cache_that_cannot_be_written_keeps_nothing_elsewhere(cache, monkeypatch, tmp_path, caplog):
    cache.write_text("not a folder")
    monkeypatch.setenv("NAPARI_WEBIPRED_PRIVATE", "1")
    private_session.follow()
    assert settings.current().cache_folder.parent == cache / "private"
    assert wp.open_model("demo").classes
    private_session.end()
    assert cache.read_text() == "not a folder"

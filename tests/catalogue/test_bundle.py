"""Models carried by hand to a machine without a network."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred import cli, safe_json
from napari_webipred.cache import bundle, importer, index, store
from napari_webipred.cache.store import Download
from napari_webipred.card import ModelCard
from napari_webipred.errors import ArchiveError, CatalogueError, OptionError, WebIPredError
from zenodo_server import CONVERTED, ZenodoServer, model_zip

RECORD = "7785993"
ZIP = model_zip()


@pytest.fixture(autouse=True)
def published(zenodo: ZenodoServer) -> ZenodoServer:
    zenodo.publish(RECORD, {CONVERTED: ZIP})
    zenodo.publish("123", {"other.zip": model_zip(3)})
    return zenodo


def run(steps: Generator[Download, None, Any]) -> tuple[Any, list[Download]]:
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path, _ = run(bundle.write(["webipred-16", "123"], tmp_path / "models.zip"))
    assert path == tmp_path / "models.zip"
    return path


@pytest.fixture
def other_machine(written: Path, zenodo: ZenodoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and no network."""
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    zenodo.requests.clear()
    return tmp_path / "elsewhere"


def test_a_bundle_brings_models_to_a_machine_without_a_network(
    written: Path, other_machine: Path, zenodo: ZenodoServer
) -> None:
    cards, told = run(bundle.read(written))
    assert [card.id for card in cards] == ["webipred-16", "zenodo-123"]
    assert told[-1].done == told[-1].total == len(ZIP) + len(model_zip(3))
    for name, classes in (("webipred-16", 2), ("zenodo-123", 3)):
        model = wp.open_model(name)
        assert model.predict(np.zeros((1, 224, 224, 3), np.float32)).shape == (1, classes)
    assert index.find("10.5281/zenodo.123") is not None
    assert zenodo.requests == []


def test_the_command_line_writes_and_reads_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "m.zip")
    assert cli.main(["bundle", "webipred-16", "-o", path]) == 0
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert cli.main(["import", path]) == 0
    assert "webipred-16" in capsys.readouterr().err
    assert [entry.id for entry in store.entries()] == ["webipred-16"]


def test_a_model_of_several_files_travels_whole(zenodo: ZenodoServer, tmp_path: Path, monkeypatch: Any) -> None:
    with zipfile.ZipFile(store_zip(tmp_path)) as archive:
        names = {Path(name).name: archive.read(name) for name in archive.namelist()}
    url = zenodo.put("/m/model.json", json.loads(names["model.json"]))
    zenodo.put("/m/group1-shard1of1.bin", names["group1-shard1of1.bin"])
    card = index.resolve(url)
    folder, _ = run(store.fetch(card))
    assert folder.is_dir()
    (entry,) = store.entries()
    assert sorted(file.name for file in entry.files) == ["group1-shard1of1.bin", "model.json"]
    path, _ = run(bundle.write([url], tmp_path / "m.zip"))
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    run(bundle.read(path))
    assert store.entries()[0].checksum == entry.checksum
    # What lies beside the files that were fetched would be opened with them.
    (store.entries()[0].path / "labels.txt").write_text("a\nb")
    with pytest.raises(CatalogueError, match="damaged"):
        run(store.fetch(card))


def store_zip(tmp_path: Path) -> Path:
    path = tmp_path / "model.zip"
    path.write_bytes(ZIP)
    return path


def test_closing_leaves_no_half_bundle(tmp_path: Path) -> None:
    run(store.fetch(index.resolve("webipred-16")))
    steps = bundle.write(["webipred-16"], tmp_path / "m.zip")
    next(steps)
    steps.close()
    assert [path.name for path in tmp_path.glob("*m.zip*")] == []


def test_closing_while_reading_leaves_only_whole_models(written: Path, other_machine: Path) -> None:
    steps = bundle.read(written)
    next(steps)
    steps.close()
    assert store.entries() == []
    assert [path for path in other_machine.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_what_is_here_already_is_left_alone(written: Path) -> None:
    before = {entry.id: entry.path.stat().st_mtime_ns for entry in store.entries()}
    run(bundle.read(written))
    assert {entry.id: entry.path.stat().st_mtime_ns for entry in store.entries()} == before


def test_what_belongs_to_the_program_needs_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="demo is part of napari-webipred"):
        run(bundle.write(["demo"], tmp_path / "m.zip"))


def test_a_bundle_whose_table_of_contents_would_not_be_read_is_not_written(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    cards = [entry.folder / "card.json" for entry in store.entries()]
    monkeypatch.setattr(safe_json, "MAX_BYTES", sum(card.stat().st_size for card in cards))
    with pytest.raises(OptionError, match="too large for one bundle"):
        run(bundle.write(["webipred-16", "123"], tmp_path / "more.zip"))
    assert not (tmp_path / "more.zip").exists()


def test_a_bundle_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"m\.zip cannot be written"):
        run(bundle.write(["webipred-16"], tmp_path / "no" / "m.zip"))


def change(path: Path, edit: Callable[[dict[str, Any], dict[str, bytes]], None], **how: Any) -> None:
    """Write a bundle anew after changing its table of contents and its files."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("bundle.json"))
    edit(manifest, files)
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("bundle.json", json.dumps(manifest))
        for name, content in files.items():
            archive.writestr(name, content)


DIGEST = hashlib.sha256(ZIP).hexdigest()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda m, f: f.update({f"{DIGEST}.bin": ZIP[:-1] + b"?"}), "its checksum is different"),
        (lambda m, f: f.update({f"{DIGEST}.bin": ZIP + b"more"}), "its checksum is different"),
        (lambda m, f: f.pop(f"{DIGEST}.bin"), "a file of webipred-16 is missing"),
        (lambda m, f: m["models"][0]["files"][0].update(name="../../evil.zip"), "invalid name"),
        (lambda m, f: m["models"][0]["files"][0].update(name="/etc/evil"), "invalid name"),
        (lambda m, f: m["models"][0]["files"][0].update(name="CON.zip"), "invalid name"),
        (lambda m, f: m["models"][0]["files"].append(m["models"][0]["files"][0]), "invalid name"),
        (lambda m, f: m["models"][0]["files"][0].update(size=-1), "cannot be read"),
        (lambda m, f: m["models"][0]["files"][0].update(size="9"), "cannot be read"),
        (lambda m, f: m["models"][0]["files"][0].update(checksum="md5:" + "0" * 32), "its checksum is different"),
        (lambda m, f: m["models"][0]["files"][0].update(sha256="../../x"), "cannot be read"),
        (lambda m, f: m["models"][0]["card"].update(id="../../x"), "cannot be read"),
        (lambda m, f: m["models"][0]["source"].update(record_id="5"), "does not belong to its files"),
        (lambda m, f: m["models"].append(m["models"][0]), "a model twice"),
        (lambda m, f: m.update(models=[]), "cannot be read"),
        (lambda m, f: m.update(version=2), "another version"),
        (lambda m, f: m.pop("format"), "cannot be read"),
        (lambda m, f: f.update({"../up.bin": b""}), "points outside"),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(
    written: Path, other_machine: Path, edit: Callable[[dict[str, Any], dict[str, bytes]], None], words: str
) -> None:
    change(written, edit)
    with pytest.raises(ArchiveError, match=words) as caught:
        run(bundle.read(written))
    assert caught.value.hint
    assert store.entries() == []
    assert [path for path in other_machine.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_compressed_bundle_is_refused_for_it_may_unpack_to_anything(written: Path, other_machine: Path) -> None:
    change(written, lambda m, f: None, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ArchiveError, match="it is compressed"):
        run(bundle.read(written))


def test_a_damaged_bundle_is_refused(written: Path, other_machine: Path) -> None:
    content = bytearray(written.read_bytes())
    content[content.index(ZIP[:50]) + 60] ^= 1
    written.write_bytes(content)
    with pytest.raises(ArchiveError):
        run(bundle.read(written))
    assert store.entries() == []


def test_something_else_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="not a bundle of models") as caught:
        run(bundle.read(store_zip(tmp_path)))
    assert caught.value.remedies == ("import file",)
    assert "A model of your own needs no import" in caught.value.hint
    with pytest.raises(ArchiveError, match="There is no file"):
        run(bundle.read(tmp_path / "gone.zip"))


# --- one file ---------------------------------------------------------------------------------------------------------


def test_a_file_downloaded_by_hand_becomes_the_model(
    tmp_path: Path, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    (card, compared), _ = run(importer.take(store_zip(tmp_path), "webipred-16"))
    assert (card.id, compared) == ("webipred-16", False)
    path, _ = run(store.fetch(card))
    assert path.read_bytes() == ZIP
    assert str(tmp_path / "model.zip") not in (path.parents[1] / "entry.json").read_text()
    assert zenodo.requests == []


def test_a_file_is_compared_with_the_record_where_there_is_a_network(tmp_path: Path) -> None:
    (_, compared), _ = run(importer.take(store_zip(tmp_path), "webipred-16"))
    assert compared
    (tmp_path / "model.zip").write_bytes(ZIP[:-1] + b"?")
    with pytest.raises(ArchiveError, match="its checksum is different"):
        run(importer.take(tmp_path / "model.zip", "webipred-16"))


def test_a_file_is_compared_with_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = index.find("webipred-16")
    assert found is not None
    checksum = "sha256:" + hashlib.sha256(b"another").hexdigest()
    weights = found.weights[0].model_copy(update={"checksum": checksum})
    sure: ModelCard = found.model_copy(update={"weights": (weights,)})
    monkeypatch.setattr(index, "resolve", lambda reference: sure)
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(ArchiveError, match="its checksum is different"):
        run(importer.take(store_zip(tmp_path), "webipred-16"))
    assert store.entries() == []


@pytest.mark.parametrize(
    ("content", "reference", "words"),
    [
        (b"<!doctype html><html>", "webipred-16", "The server returned a web page"),
        (b"\x89HDF\r\n\x1a\n", "webipred-16", "is not a zip archive"),
        (None, "webipred-16", "cannot be read"),
        (ZIP, "demo", "part of napari-webipred"),
        (ZIP, "no-such-model", "no model called"),
    ],
)
def test_a_file_that_cannot_be_the_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reference: str, words: str
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    if content is not None:
        (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(WebIPredError, match=words):
        run(importer.take(tmp_path / "m.zip", reference))
    assert store.entries() == []


def test_the_command_line_says_whether_the_file_could_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["import", str(store_zip(tmp_path)), "--as", "webipred-16"]) == 0
    assert "No checksum" not in capsys.readouterr().err
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert cli.main(["import", str(store_zip(tmp_path)), "--as", "webipred-16"]) == 0
    assert "No checksum" in capsys.readouterr().err

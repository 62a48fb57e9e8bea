"""A model stays what it is: nothing is replaced without asking, and where its files came from is told."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.atomic_file import write_note
from napari_webipred.cache import bundle, fingerprints, importer, index, store
from napari_webipred.cache.folders import can_be_folder, new_model_folder
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import built_in
from napari_webipred.errors import ArchiveError, CatalogueError, ChangedModelError
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, ZenodoServer, model_zip

RECORD = "7785993"
ZIP = model_zip()
OTHER = ZIP.replace(b"v2.11.0", b"v2.11.1")  # nobody opens it


@pytest.fixture(autouse=True)
def published(zenodo: ZenodoServer) -> ZenodoServer:
    zenodo.publish(RECORD, {CONVERTED: ZIP})
    return zenodo


@pytest.fixture
def card() -> ModelCard:
    found = index.find("webipred-16")
    assert found is not None
    return found


def bundle_of(path: Path, content: bytes, card: ModelCard, **change: Any) -> Path:
    """Write a bundle as anybody could: with any file, and no checksum of it but its own."""
    digest = hashlib.sha256(content).hexdigest()
    document = card.model_dump(mode="json", exclude_unset=True) | change
    source = ModelCard.model_validate(document).weights[0].source.model_dump()
    file = {"name": CONVERTED, "url": "https://example.org", "checksum": None, "size": len(content), "sha256": digest}
    model = {"card": document, "source": source, "files": [file]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "bundle.json", json.dumps({"format": "napari-webipred bundle", "version": 1, "models": [model]})
        )
        archive.writestr(f"{digest}.bin", content)
    return path


def test_a_bundle_with_other_weights_does_not_replace_what_is_here(tmp_path: Path, card: ModelCard) -> None:
    result_of(store.fetch(card))
    evil = bundle_of(tmp_path / "evil.zip", OTHER, card)
    with pytest.raises(ChangedModelError, match="The files of webipred-16 are not the same as before") as caught:
        result_of(bundle.read(evil))
    assert caught.value.remedies == ("replace model",)
    (entry,) = store.entries()
    assert entry.path.read_bytes() == ZIP
    assert entry.origin == "source"


def test_a_bundle_with_other_weights_does_not_replace_what_came_in_another_bundle(
    tmp_path: Path, card: ModelCard
) -> None:
    result_of(bundle.read(bundle_of(tmp_path / "first.zip", ZIP, card)))
    with pytest.raises(ChangedModelError):
        result_of(bundle.read(bundle_of(tmp_path / "second.zip", OTHER, card)))
    assert store.entries()[0].path.read_bytes() == ZIP


def test_a_bundle_does_not_repair_a_damaged_model_with_another(tmp_path: Path, card: ModelCard) -> None:
    path = result_of(store.fetch(card))
    path.write_bytes(ZIP[:-1] + b"?")
    with pytest.raises(ChangedModelError):
        result_of(bundle.read(bundle_of(tmp_path / "other.zip", OTHER, card)))
    result_of(bundle.read(bundle_of(tmp_path / "same.zip", ZIP, card)))
    (entry,) = store.entries()
    assert entry.path.read_bytes() == ZIP
    assert entry.origin == "source"  # it is what came from there


def test_nothing_of_a_bundle_is_read_in_if_a_model_of_it_is_another(
    tmp_path: Path, card: ModelCard, zenodo: ZenodoServer
) -> None:
    result_of(store.fetch(card))
    first = bundle_of(tmp_path / "a.zip", model_zip(3), card, id="aaa", name="New")
    evil = bundle_of(tmp_path / "b.zip", OTHER, card)
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(evil) as two, zipfile.ZipFile(tmp_path / "c.zip", "w") as both:
        manifests = [json.loads(archive.read("bundle.json")) for archive in (one, two)]
        manifests[0]["models"] += manifests[1]["models"]
        both.writestr("bundle.json", json.dumps(manifests[0]))
        for archive in (one, two):
            for name in archive.namelist()[1:]:
                both.writestr(name, archive.read(name))
    with pytest.raises(ChangedModelError, match="The files of webipred-16 are not the same as before"):
        result_of(bundle.read(tmp_path / "c.zip"))
    assert [entry.id for entry in store.entries()] == ["webipred-16"]


def test_a_bundle_with_another_source_does_not_replace_what_is_here(tmp_path: Path, card: ModelCard) -> None:
    result_of(store.fetch(card))
    source = {"type": "url", "url": "https://example.org/m.zip"}
    moved = bundle_of(tmp_path / "m.zip", ZIP, card, weights=[{"format": "tfjs-layers", "source": source}])
    with pytest.raises(ChangedModelError):
        result_of(bundle.read(moved))
    assert store.path_of(card) is not None


def test_what_came_from_the_source_is_remembered_when_the_model_is_removed(tmp_path: Path, card: ModelCard) -> None:
    result_of(store.fetch(card))
    store.remove("webipred-16")
    with pytest.raises(ChangedModelError):
        result_of(bundle.read(bundle_of(tmp_path / "other.zip", OTHER, card)))
    result_of(bundle.read(bundle_of(tmp_path / "same.zip", ZIP, card)))
    assert store.entries()[0].origin == "source"  # the same files came from there before


def test_wiping_forgets_what_came(tmp_path: Path, card: ModelCard) -> None:
    result_of(store.fetch(card))
    store.wipe()
    result_of(bundle.read(bundle_of(tmp_path / "other.zip", OTHER, card)))
    assert store.entries()[0].path.read_bytes() == OTHER


def test_what_came_in_a_bundle_is_not_taken_for_what_the_source_has(tmp_path: Path, card: ModelCard) -> None:
    result_of(bundle.read(bundle_of(tmp_path / "evil.zip", OTHER, card)))
    store.remove("webipred-16")
    assert result_of(store.fetch(card)).read_bytes() == ZIP


def test_the_user_may_replace_a_model(
    tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result_of(store.fetch(card))
    path = str(bundle_of(tmp_path / "other.zip", OTHER, card))
    assert cli.main(["import", path]) == 2
    assert "--replace" in capsys.readouterr().err
    assert cli.main(["import", path, "--replace"]) == 0
    (entry,) = store.entries()
    assert entry.path.read_bytes() == OTHER
    assert entry.origin == "bundle"


def test_a_file_that_is_another_does_not_replace_what_is_here(
    tmp_path: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_of(store.fetch(card))
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    (tmp_path / "m.zip").write_bytes(OTHER)
    with pytest.raises(ChangedModelError) as caught:
        result_of(importer.take(tmp_path / "m.zip", "webipred-16"))
    assert caught.value.remedies == ("replace model",)
    assert store.entries()[0].path.read_bytes() == ZIP
    result_of(importer.take(tmp_path / "m.zip", "webipred-16", replace=True))
    assert store.entries()[0].origin == "file"
    assert store.entries()[0].path.read_bytes() == OTHER


# --- where it came from -----------------------------------------------------------------------------------------------


def test_a_model_of_a_bundle_is_said_to_come_from_there_until_its_source_has_confirmed_it(
    tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    result_of(bundle.read(bundle_of(tmp_path / "m.zip", ZIP, card)))
    assert store.entries()[0].origin == "bundle"
    assert cli.main(["cache"]) == 0
    assert "from a bundle, not confirmed as 10.5281/zenodo.7785993" in capsys.readouterr().out
    model = wp.open_model("webipred-16")
    assert model.card.provenance.origin.startswith("The files come from a bundle.")
    image = tmp_path / "a.npy.png"
    from PIL import Image

    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(image)
    assert cli.main(["classify", str(image), "--model", "webipred-16", "--output", str(tmp_path / "out.csv")]) == 0
    record = json.loads((tmp_path / "out.csv.json").read_text())
    assert "come from a bundle" in record["model"]["remarks"]["origin"]

    assert cli.main(["fetch", "webipred-16"]) == 0
    assert store.entries()[0].origin == "source"
    assert wp.open_model("webipred-16").card.provenance.origin is None
    assert cli.main(["cache"]) == 0
    assert "not confirmed" not in capsys.readouterr().out


def test_a_model_of_a_bundle_that_is_not_what_the_source_has_is_told(
    tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    result_of(bundle.read(bundle_of(tmp_path / "m.zip", OTHER, card)))
    assert cli.main(["fetch", "webipred-16"]) == 2
    assert "came from a bundle and differ from those at its source" in capsys.readouterr().err
    assert cli.main(["fetch", "webipred-16", "--replace"]) == 0
    (entry,) = store.entries()
    assert entry.path.read_bytes() == ZIP
    assert entry.origin == "source"


def test_opening_asks_no_server_about_a_model_that_came_in_a_bundle(
    tmp_path: Path, card: ModelCard, zenodo: ZenodoServer
) -> None:
    result_of(bundle.read(bundle_of(tmp_path / "m.zip", ZIP, card)))
    wp.open_model("webipred-16")
    assert zenodo.requests == []


def test_a_source_without_checksums_confirms_nothing(tmp_path: Path, card: ModelCard, zenodo: ZenodoServer) -> None:
    record = zenodo.publish(RECORD, {CONVERTED: ZIP})
    del record["files"][0]["checksum"]
    zenodo.set_record(record)
    result_of(bundle.read(bundle_of(tmp_path / "m.zip", ZIP, card)))
    entry = importer.confirm(card)
    assert entry is not None
    assert entry.origin == "bundle"
    assert "not been compared" in entry.doubt


def test_a_file_by_hand_comes_from_its_source_if_the_record_confirms_it(
    tmp_path: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.zip").write_bytes(ZIP)
    result_of(importer.take(tmp_path / "m.zip", "webipred-16"))
    assert store.entries()[0].origin == "source"
    store.wipe()
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    result_of(importer.take(tmp_path / "m.zip", "webipred-16"))
    assert store.entries()[0].origin == "file"


def pin(monkeypatch: pytest.MonkeyPatch, card: ModelCard, content: bytes) -> ModelCard:
    """Let the built-in card know the checksum of the file."""
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    weights = card.weights[0].model_copy(update={"checksum": checksum})
    sure = card.model_copy(update={"weights": (weights, *card.weights[1:])})
    monkeypatch.setattr(built_in, "cards", lambda: (sure,))
    return sure


def test_a_checksum_in_a_built_in_card_counts_whatever_a_bundle_says(
    tmp_path: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, card, ZIP)
    with pytest.raises(ArchiveError, match="its checksum is different"):
        result_of(bundle.read(bundle_of(tmp_path / "evil.zip", OTHER, card), replace=True))
    assert store.entries() == []
    result_of(bundle.read(bundle_of(tmp_path / "good.zip", ZIP, card)))
    assert store.entries()[0].origin == "source"


def test_a_checksum_in_a_card_counts_more_than_what_came_before(
    card: ModelCard, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_of(store.fetch(card))
    store.remove(card.id)
    zenodo.publish(RECORD, {CONVERTED: OTHER})
    assert result_of(store.fetch(pin(monkeypatch, card, OTHER))).read_bytes() == OTHER


def test_a_damaged_demo_model_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = bytearray((Path(built_in.__file__).parent / "cards" / "demo.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "demo.zip").write_bytes(content)
    assert built_in.cards()  # are read once
    monkeypatch.setattr(built_in, "_FOLDER", tmp_path)
    with pytest.raises(wp.WebIPredError, match="part of napari-webipred, is damaged"):
        wp.open_model("demo")


def test_a_fingerprint_depends_on_names_and_contents() -> None:
    one, two = "ab" * 32, "cd" * 32
    assert fingerprints.fingerprint([("m.zip", one)]) == one
    both = fingerprints.fingerprint([("a", one), ("b", two)])
    assert both == fingerprints.fingerprint([("b", two), ("a", one)])
    others = [[("a", two), ("b", one)], [("a", one), ("c", two)]]
    assert len({both, *map(fingerprints.fingerprint, others)}) == 3


def test_a_note_of_another_model_is_not_taken_for_what_came(card: ModelCard) -> None:
    result_of(store.fetch(card))
    source = card.weights[0].source.model_dump()
    path = fingerprints._path(card.id, source)
    write_note(path, {"id": "other", "source": source, "fingerprint": "x", "since": "2026-01-01"})
    assert fingerprints.recall(card.id, source) is None


# --- identifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    [
        *("CON", "con", "aux.txt", "NUL.zip", "com1", "COM9.model", "lpt3", "prn"),
        *("dot.", "space ", "a b", ".hidden", "-rf", "a/b", "a\\b", "..", "", "x" * 129),
        *("m\u00fcller", "mu\u0308ller", "a\x00b", "a:b", "a\n"),
    ],
)
def test_an_identifier_that_cannot_be_a_folder_everywhere_is_refused(
    tmp_path: Path,
    card: ModelCard,
    id: str,  # noqa: A002
) -> None:
    assert not can_be_folder(id)
    with pytest.raises(CatalogueError, match="cannot be stored under the name"):
        new_model_folder(id)
    with pytest.raises(CatalogueError, match="cannot be stored under the name"):
        result_of(store.fetch(card.model_copy(update={"id": id})))
    with pytest.raises(CatalogueError, match="no downloaded model"):
        store.remove(id)
    with pytest.raises(ArchiveError, match="is refused"):
        result_of(bundle.read(bundle_of_id(tmp_path / "m.zip", card, id)))
    assert not list((tmp_path / "cache").rglob("*.zip"))


def bundle_of_id(path: Path, card: ModelCard, id: str) -> Path:  # noqa: A002
    bundle_of(path, ZIP, card)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("bundle.json"))
    manifest["models"][0]["card"]["id"] = id
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", json.dumps(manifest))
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_identifiers_that_differ_in_case_only_cannot_be_kept_beside_each_other(tmp_path: Path, card: ModelCard) -> None:
    result_of(store.fetch(card))
    for twin in ("WebIPred-16", "WEBIPRED-16"):
        with pytest.raises(CatalogueError, match="Windows and macOS these names are the same") as caught:
            result_of(bundle.read(bundle_of(tmp_path / "m.zip", ZIP, card, id=twin)))
        assert caught.value.hint == "Remove webipred-16 first."
    assert [entry.id for entry in store.entries()] == ["webipred-16"]


@given(st.text())
def test_what_can_be_a_folder_is_plain(id: str) -> None:  # noqa: A002
    if can_be_folder(id):
        assert id.isascii()
        assert id == id.strip(" .").strip()
        assert not set(id) & set('/\\:*?"<>|')

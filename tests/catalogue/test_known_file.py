from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from napari_webipred.cache import index, known_file, store
from napari_webipred.card import ModelCard
from napari_webipred.errors import ArchiveError
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, ZenodoServer, model_zip

CONTENT = b"what a model is made of"
MD5 = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def card(id: str, **weights: object) -> ModelCard:  # noqa: A002
    source = {"type": "zenodo", "record_id": "1", "file_key": weights.pop("file_key", None)}
    return ModelCard.model_validate(
        {"id": id, "name": id, "weights": [{"format": "tfjs-layers", "source": source, **weights}]}
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.zip"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    ("weights", "same"),
    [
        ({"checksum": MD5}, "checksum"),
        ({"checksum": SHA256, "size": len(CONTENT)}, "checksum"),
        ({"checksum": SHA256, "size": 5}, "nothing"),  # such a card contradicts itself
        ({"checksum": f"md5:{'0' * 32}", "size": len(CONTENT)}, "nothing"),
        ({"checksum": f"md5:{'0' * 32}", "file_key": "model.zip"}, "nothing"),
        ({"size": len(CONTENT)}, "size"),
        ({"size": 5, "file_key": "model.zip"}, "nothing"),
        ({"file_key": "model.zip"}, "name"),
        ({"file_key": "other.zip"}, "nothing"),
        ({}, "nothing"),
    ],
)
def test_a_file_is_compared_with_what_is_known_of_a_model(file, monkeypatch, weights, same) -> None:
    monkeypatch.setattr(index, "cards", lambda: [card("a", **weights)])
    (proposal,) = result_of(known_file.proposals(file))
    assert proposal.same == same
    assert (result_of(known_file.known_model(file)) is not None) == (same == "checksum")


def test_the_surest_comes_first(file, monkeypatch) -> None:
    cards = [card("d"), card("c", file_key="model.zip"), card("b", size=len(CONTENT)), card("a", checksum=MD5)]
    monkeypatch.setattr(index, "cards", lambda: cards)
    assert [proposal.card.id for proposal in result_of(known_file.proposals(file))] == ["a", "b", "c", "d"]


def test_a_file_of_another_size_is_not_read(file, monkeypatch) -> None:
    monkeypatch.setattr(index, "cards", lambda: [card("a", checksum=SHA256, size=5)])
    assert list(known_file.proposals(file)) == []  # no step of reading


def test_a_model_that_was_fetched_is_known_by_its_file(zenodo: ZenodoServer, tmp_path: Path) -> None:
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    result_of(store.fetch(index.find("webipred-16")))
    copy = tmp_path / "anything.zip"
    copy.write_bytes(store.entries()[0].path.read_bytes())
    assert result_of(known_file.known_model(copy)).id == "webipred-16"
    assert result_of(known_file.proposals(copy))[0].same == "checksum"


def test_the_model_of_the_program_is_known_and_needs_no_import(tmp_path: Path) -> None:
    copy = tmp_path / "mine.zip"
    copy.write_bytes(store.path_of(index.find("demo")).read_bytes())
    assert result_of(known_file.known_model(copy)).id == "demo"
    assert "demo" not in [proposal.card.id for proposal in result_of(known_file.proposals(copy))]


def test_a_folder_is_no_known_file(tmp_path: Path) -> None:
    assert result_of(known_file.known_model(tmp_path)) is None


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    assert result_of(known_file.known_model(tmp_path / "gone")) is None
    with pytest.raises(ArchiveError, match="gone cannot be read"):
        result_of(known_file.proposals(tmp_path / "gone"))

from __future__ import annotations

import pytest

from napari_webipred.cache import index, store
from napari_webipred.card import ModelCard
from napari_webipred.catalogue.providers import TYPES, matches, parse, provider, remote_files
from napari_webipred.errors import CatalogueError
from zenodo_server import CONVERTED, ZenodoServer, model_zip


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("10.5281/zenodo.123", "zenodo"),
        ("https://zenodo.org/records/123/files/a.zip", "zenodo"),
        ("hf:owner/name", "huggingface"),
        ("https://huggingface.co/owner/name", "huggingface"),
        ("https://teachablemachine.withgoogle.com/models/abc/", "teachable-machine"),
        ("https://zenodo.org/communities/123", "url"),
        ("https://example.org/model.onnx", "url"),
    ],
)
def test_each_reference_is_read_as_what_it_is(reference: str, kind: str) -> None:
    source = parse(reference)
    assert source is not None
    assert source.type == kind


def leads_to(reference: str, card: ModelCard) -> bool:
    source = parse(reference)
    return source is not None and matches(source, card)


def test_a_reference_is_parsed_once(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    zenodo.publish("123", {CONVERTED: model_zip()})
    seen: list[str] = []
    for each in map(provider, TYPES):
        monkeypatch.setattr(each, "parse", lambda text, parse=each.parse: seen.append(text) or parse(text))
    index.resolve("123")
    assert seen == ["123"]


def test_a_card_whose_weights_lie_nowhere_that_can_be_asked_says_so() -> None:
    weights = {"format": "onnx", "source": {"type": "figshare", "doi": "10.6084/1"}}
    card = ModelCard.model_validate({"id": "a", "name": "A", "weights": [weights]})
    with pytest.raises(CatalogueError, match=r"names no file .*type of its source is figshare"):
        remote_files(card)


@pytest.mark.parametrize("reference", ["", "demo", "a/b", "/home/me/model.zip", "model.onnx", "C:\\model.h5"])
def test_what_lies_here_is_nowhere_else(reference: str) -> None:
    assert parse(reference) is None


def test_the_doi_of_all_versions_stays_what_it_was_when_the_model_was_fetched(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {CONVERTED: model_zip()})
    card = index.resolve("10.5281/zenodo.122")
    assert (card.record_doi, card.weights[0].source.record_id) == ("10.5281/zenodo.123", "123")
    for _ in store.fetch(card):
        pass
    zenodo.publish("124", {CONVERTED: model_zip(3)})
    asked = len(zenodo.requests)
    assert index.resolve("10.5281/zenodo.122") == card
    assert len(zenodo.requests) == asked


def test_labels_beside_a_model_in_its_record_are_read(zenodo: ZenodoServer) -> None:
    files = {"m.keras": b"1", "labels.txt": b"cat\ndog\n", "metadata.json": b"x" * 2**20 + b"y", "data.csv": b""}
    zenodo.publish("123", files)
    assert index.resolve("123").class_names == ["cat", "dog"]
    assert [path.rpartition("/files/")[2] for path in zenodo.requests[1:]] == ["labels.txt/content"]


def test_the_files_of_a_mirrored_catalogue_come_from_the_mirror(zenodo: ZenodoServer) -> None:
    record = zenodo.publish("123", {"m.onnx": b"1"})
    record["files"][0]["links"]["self"] = "https://zenodo.org/api/records/123/files/m.onnx/content"
    zenodo.set_record(record)
    card = index.resolve("https://zenodo.org/records/123")
    assert [file.url for file in remote_files(card)] == [f"{zenodo.url}/api/records/123/files/m.onnx/content"]


@pytest.mark.parametrize(("name", "form"), [("a.onnx", "onnx"), ("a.H5", "keras-h5"), ("a.keras", "keras-v3")])
def test_a_record_may_hold_a_model_of_any_format(zenodo: ZenodoServer, name: str, form: str) -> None:
    zenodo.publish("123", {name: b"1", "README.md": b"2"})
    card = index.resolve("123")
    assert card.weights[0].format == form
    (file,) = remote_files(card)
    assert (file.name, file.size) == (name, 1)
    assert file.checksum is not None
    assert file.checksum.startswith("md5:")


@pytest.mark.parametrize("weights", [[], [{"format": "tfjs-layers", "source": {"type": "local"}}]])
def test_a_card_that_names_no_place_is_told(weights: list[dict[str, object]]) -> None:
    with pytest.raises(CatalogueError, match="names no file to download"):
        remote_files(ModelCard.model_validate({"id": "a", "name": "A", "weights": weights}))


def test_the_address_of_another_file_does_not_mean_a_built_in_model() -> None:
    cards = {card.id: card for card in index.cards()}
    assert leads_to("https://zenodo.org/records/7785982/files/unknown.zip", cards["webipred-12"])
    assert not leads_to("https://zenodo.org/records/7785982/files/model.h5", cards["webipred-12"])
    assert not leads_to("https://zenodo.org/records/7785993/files/other.zip", cards["webipred-16"])
    assert not leads_to("https://example.org/model.onnx", cards["demo"])

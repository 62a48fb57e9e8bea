from __future__ import annotations

import pytest

from napari_webipred.cache import index
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import providers
from napari_webipred.catalogue.providers import RemoteFile, remote_files
from napari_webipred.errors import CatalogueError
from zenodo_server import Answer, ZenodoServer, model_zip

DIGEST = "ab" * 32
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
ONNX = b"\x08\x07\x12\x07pytorch" + bytes(100)


def leads_to(reference: str, card: ModelCard) -> bool:
    source = providers.parse(reference)
    return source is not None and providers.matches(source, card)


@pytest.mark.parametrize(
    ("name", "form", "kept"),
    [
        ("Skin%20model.zip", "tfjs-layers", "Skin_model.zip"),
        ("m.onnx?download=1", "onnx", "m.onnx"),
        ("m.H5", "keras-h5", "m.H5"),
        ("m.keras", "keras-v3", "m.keras"),
    ],
)
def test_the_end_of_an_address_tells_what_lies_there(zenodo: ZenodoServer, name: str, form: str, kept: str) -> None:
    url = f"{zenodo.url}/files/{name}"
    card = index.resolve(url)
    assert card.weights[0].format == form
    assert card.preprocessing is None
    assert card.classes == ()
    assert remote_files(card) == (RemoteFile(url, kept),)
    assert zenodo.requests == []


@pytest.mark.parametrize(
    ("content", "form", "kept"),
    [(model_zip(), "tfjs-layers", "get.zip"), (HDF5, "keras-h5", "get.h5"), (ONNX, "onnx", "get.onnx")],
)
def test_where_the_address_does_not_tell_the_content_does(
    zenodo: ZenodoServer, content: bytes, form: str, kept: str
) -> None:
    url = zenodo.put("/get", content) + "?id=7"
    card = index.resolve(url)
    assert card.weights[0].format == form
    assert remote_files(card) == (RemoteFile(url, kept),)


def test_the_kind_is_told_where_a_server_sends_us_on(zenodo: ZenodoServer) -> None:
    there = zenodo.put("/there", ONNX).replace("127.0.0.1", "localhost")
    zenodo.answers["/get"] = Answer(302, headers={"Location": there})
    assert index.resolve(f"{zenodo.url}/get").weights[0].format == "onnx"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>", "returns a web page at this URL"),
        (b"\x7fELF", "that is not a supported model"),
        (b"", "that is not a supported model"),
    ],
)
def test_what_is_no_model_is_told_before_it_is_fetched(zenodo: ZenodoServer, content: bytes, words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        index.resolve(zenodo.put("/get", content))


def test_a_model_json_brings_its_weights_along(zenodo: ZenodoServer) -> None:
    url = zenodo.put("/m/model.json", {"weightsManifest": [{"paths": ["group1-shard1of1"]}]})
    card = index.resolve(url)
    assert remote_files(card) == (
        RemoteFile(url, "model.json"),
        RemoteFile(f"{zenodo.url}/m/group1-shard1of1", "group1-shard1of1"),
    )


def test_a_checksum_may_stand_behind_the_address(zenodo: ZenodoServer) -> None:
    url = f"{zenodo.url}/m.onnx"
    card, plain = index.resolve(f"{url}#sha256={DIGEST.upper()}"), index.resolve(url)
    assert remote_files(card)[0].checksum == f"sha256:{DIGEST}"
    assert remote_files(card)[0].url == url
    assert plain.id != card.id
    assert leads_to(url, card)
    assert leads_to(f"{url}#sha256={DIGEST}", card)
    assert not leads_to(f"{url}#sha256={DIGEST}", plain)
    assert not leads_to(f"{url}?x", card)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, DIGEST + "00"])
def test_a_checksum_that_is_none_is_refused(zenodo: ZenodoServer, digest: str) -> None:
    with pytest.raises(CatalogueError, match="is not a SHA-256 checksum"):
        index.resolve(f"{zenodo.url}/m.onnx#sha256={digest}")


def test_another_fragment_means_nothing(zenodo: ZenodoServer) -> None:
    assert remote_files(index.resolve(f"{zenodo.url}/m.onnx#top"))[0].checksum is None


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("http://example.org/m.onnx", "not an https URL"),
        ("https://name:secret@example.org/m.onnx", "contains a user name or password"),
        ("https://[/m.onnx", "is not a valid URL"),
        ("https:///m.onnx", "not an https URL"),
    ],
)
def test_unsafe_addresses_are_refused_unasked(reference: str, words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        index.resolve(reference)


@pytest.mark.parametrize(
    "reference", ["ftp://e.org/m.onnx", "file:///m.onnx", "m.onnx", "C:/m.onnx", "https://e.org/a b"]
)
def test_what_is_no_address_of_the_web_is_no_model(reference: str) -> None:
    with pytest.raises(CatalogueError, match="no model called"):
        index.resolve(reference)


def test_an_address_without_a_name_gives_a_card(zenodo: ZenodoServer) -> None:
    zenodo.put("/", ONNX)
    card = index.resolve(f"{zenodo.url}/")
    assert card.name == "model"
    assert remote_files(card)[0].name.endswith(".onnx")

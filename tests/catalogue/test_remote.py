from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.card import ModelCard
from napari_webipred.download.remote_file import (
    RemoteFile,
    format_of,
    harmless,
    is_harmless,
    layers_files,
    read_side_file,
    wanted,
)
from napari_webipred.errors import CatalogueError
from zenodo_server import Answer, ZenodoServer


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a/model.json", "tfjs-layers"),
        ("x.ZIP", "tfjs-layers"),
        ("x.onnx", "onnx"),
        ("x.h5", "keras-h5"),
        ("x.hdf5", "keras-h5"),
        ("x.keras", "keras-v3"),
        ("config.json", None),
        ("x.weights.h5", None),
        ("tf_model.h5", None),
        ("vgg16_notop.h5", None),
        ("x.pt", None),
        ("zip", None),
    ],
)
def test_the_name_of_a_file_tells_its_format(name: str, form: str | None) -> None:
    assert format_of(name) == form


@given(st.text())
def test_every_name_becomes_a_harmless_one(name: str) -> None:
    assert is_harmless(harmless(name))
    assert "/" not in harmless(name)


@pytest.mark.parametrize("name", ["..", "CON.zip", ".hidden", "a/../b", "", "x." * 90, "\x00", "-rf", "nul"])
def test_dangerous_names_are_changed(name: str) -> None:
    assert harmless(name) != name
    assert is_harmless(harmless(name))


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/x",
        "a//b",
        "a/../b",
        "http://e.org/x",
        "c:x",
        "a\\b",
        "x\n",
        ".x",
        "con",
        "a/NUL.bin",
        "x.",
        "x ",
        "",
        "a/b/c/d/e",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    assert not is_harmless(path)


@pytest.mark.parametrize("path", ["group1-shard1of2.bin", "a/b (1).bin", "weights.bin", "_x", "a+b=c@d,e"])
def test_plain_paths_are_taken(path: str) -> None:
    assert is_harmless(path)


def topology(server: ZenodoServer, manifest: Any) -> RemoteFile:
    return RemoteFile(server.put("/m/model.json", {"weightsManifest": manifest}), "model.json")


def test_the_weights_lie_beside_the_topology(zenodo: ZenodoServer) -> None:
    file = topology(zenodo, [{"paths": ["a b.bin", "sub/c.bin"]}, {"paths": ["a b.bin"]}])
    files = layers_files(RemoteFile(file.url + "?token=1", file.name))
    assert [(file.name, file.url.removeprefix(zenodo.url)) for file in files] == [
        ("model.json", "/m/model.json?token=1"),
        ("a b.bin", "/m/a%20b.bin"),
        ("sub/c.bin", "/m/sub/c.bin"),
    ]


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        [],
        [{}],
        [{"paths": []}],
        [{"paths": ["../x.bin"]}],
        [{"paths": ["https://evil.org/x.bin"]}],
        [{"paths": ["//evil.org/x.bin"]}],
        [{"paths": [1]}],
        [{"paths": [["a.bin"]]}],
        [{"paths": ["a.bin", "A.bin"]}],
        [{"paths": ["Model.json"]}],
        [{"paths": [f"{i}.bin" for i in range(2000)]}],
        {"paths": ["a.bin"]},
    ],
)
def test_a_topology_that_names_its_weights_otherwise_is_refused(zenodo: ZenodoServer, manifest: Any) -> None:
    with pytest.raises(CatalogueError, match="does not list its weights"):
        layers_files(topology(zenodo, manifest))


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"[" * 100_000, b"", b"\xff"])
def test_what_should_be_json_and_is_none_is_told(zenodo: ZenodoServer, content: bytes) -> None:
    with pytest.raises(CatalogueError, match="is not valid"):
        layers_files(RemoteFile(zenodo.put("/model.json", content), "model.json"))


def test_a_file_that_should_be_small_is_not_read_to_its_end(zenodo: ZenodoServer) -> None:
    file = RemoteFile(zenodo.put("/labels.txt", b"x" * 101), "labels.txt")
    assert len(read_side_file(file, 101)) == 101
    with pytest.raises(CatalogueError, match=r"too much data for the file labels\.txt"):
        read_side_file(file, 100)


def test_files_may_lie_on_another_host_but_not_on_one_that_is_not_encrypted(zenodo: ZenodoServer) -> None:
    elsewhere = zenodo.put("/there", b"labels").replace("127.0.0.1", "localhost")
    zenodo.answers["/here"] = Answer(302, headers={"Location": elsewhere})
    assert read_side_file(RemoteFile(f"{zenodo.url}/here", "labels.txt")) == b"labels"
    for target in ("http://example.org/x", "file:///etc/passwd", "ftp://example.org"):
        zenodo.answers["/here"] = Answer(302, headers={"Location": target})
        with pytest.raises(CatalogueError, match="not an https URL"):
            read_side_file(RemoteFile(f"{zenodo.url}/here", "labels.txt"))


def test_nobody_outside_sends_us_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    asked: list[str] = []

    def get(_: Any, url: str, **__: Any) -> requests.Response:
        asked.append(url)
        response = requests.Response()
        response.status_code = 302
        response.headers["Location"] = "http://127.0.0.1/admin"
        response.raw = type("Raw", (), {"close": lambda self: None, "release_conn": lambda self: None})()
        return response

    monkeypatch.setattr(requests.Session, "get", get)
    with pytest.raises(CatalogueError, match=r"example\.org redirects to 127\.0\.0\.1"):
        read_side_file(RemoteFile("https://example.org/x", "labels.txt"))
    assert asked == ["https://example.org/x"]


def card_with(*weights: tuple[str, str]) -> ModelCard:
    parts = [{"format": form, "source": {"type": kind}} for form, kind in weights]
    return ModelCard.model_validate(json.loads(json.dumps({"id": "a", "name": "A", "weights": parts})))


def test_the_file_to_fetch_is_the_one_for_tensorflow_js_else_the_first() -> None:
    several = card_with(("keras-h5", "zenodo"), ("tfjs-layers", "url"), ("onnx", "url"))
    assert wanted(several) == several.weights[1]
    plain = card_with(("keras-h5", "local"), ("onnx", "url"), ("keras-h5", "url"))
    assert wanted(plain) == plain.weights[1]
    assert wanted(card_with(("tfjs-layers", "local"), ("onnx", "builtin"))) is None

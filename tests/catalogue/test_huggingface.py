from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from napari_webipred.cache import index
from napari_webipred.card import ModelCard, WeightSource
from napari_webipred.catalogue import providers
from napari_webipred.catalogue.providers import RemoteFile, remote_files
from napari_webipred.catalogue.providers.huggingface import parse, resolve
from napari_webipred.errors import CatalogueError
from napari_webipred.merge import merge
from zenodo_server import Answer, ZenodoServer, error_answer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "id2label": {"1": "melanoma", "0": "naevus"},
    "model_type": "vit",
}
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
    "image_processor_type": "ViTImageProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 200},
}


def asked(reference: str) -> WeightSource:
    source = providers.parse(reference)
    assert source is not None
    return source


class Hub:
    """Hugging Face on this machine, in the shape that its own client expects."""

    def __init__(self, server: ZenodoServer) -> None:
        self.server = server

    def publish(
        self, files: dict[str, bytes | dict[str, Any]], repository: str = "owner/name", **changes: Any
    ) -> dict[str, Any]:
        siblings = []
        for path, content in files.items():
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            sibling: dict[str, Any] = {"rfilename": path, "size": len(body), "blobId": "b"}
            if path.endswith((".onnx", ".bin", ".h5", ".keras")):
                digest = hashlib.sha256(body).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(body), "pointerSize": 130}
            siblings.append(sibling)
            self.server.put(f"/{repository}/resolve/{COMMIT}/{path}", body)
        answer = {
            "id": repository,
            "sha": COMMIT,
            "lastModified": "2025-03-04T05:06:07.000Z",
            "private": False,
            "gated": False,
            "cardData": {"license": "apache-2.0"},
            "siblings": siblings,
            **changes,
        }
        for path in (
            f"/api/models/{repository}",
            *(f"/api/models/{repository}/revision/{r}" for r in ("main", COMMIT)),
        ):
            self.server.put(path, answer)
        return answer


@pytest.fixture
def hub(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_ENDPOINT", zenodo.url)
    return Hub(zenodo)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("hf:owner/name", ("owner/name", None, None)),
        (" hf:owner/name@v1.0 ", ("owner/name", "v1.0", None)),
        ("hf:owner/name/onnx/model.onnx", ("owner/name", None, "onnx/model.onnx")),
        ("hf:owner/name@main/onnx/model.onnx", ("owner/name", "main", "onnx/model.onnx")),
        ("https://huggingface.co/owner/na.me", ("owner/na.me", None, None)),
        ("huggingface.co/owner/name/", ("owner/name", None, None)),
        ("https://hf.co/owner/name/tree/main", ("owner/name", "main", None)),
        ("https://huggingface.co/owner/name/blob/main/a%20b.onnx", ("owner/name", "main", "a b.onnx")),
        ("https://huggingface.co/owner/name/resolve/main/x/m.h5?download=true", ("owner/name", "main", "x/m.h5")),
        ("http://127.0.0.1:9/owner/name", ("owner/name", None, None)),
    ],
)
def test_a_repository_is_understood_in_every_notation(reference: str, found: tuple[str, ...]) -> None:
    source = parse(reference)
    assert source is not None
    assert (source.repo, source.revision, source.file_key) == found


@pytest.mark.parametrize(
    "reference",
    [
        "owner/name",
        "hf:owner",
        "hf:../name",
        "hf:owner/name@a b",
        "https://huggingface.co/datasets/owner",
        "https://huggingface.co/owner/name/discussions/1",
        "https://huggingface.co.evil.org/owner/name",
        "https://evil.org/owner/name",
        "https://[",
    ],
)
def test_what_names_no_repository_is_not_taken_for_one(reference: str) -> None:
    assert parse(reference) is None


def test_a_repository_gives_a_card_that_is_pinned_to_its_commit(hub: Hub) -> None:
    hub.publish(
        {"README.md": b"", "config.json": CONFIG, "preprocessor_config.json": PREPROCESSOR, "model.onnx": b"12"}
    )
    card = index.resolve("hf:owner/name")
    assert (card.id, card.name, card.license) == ("hf--owner--name--01234567", "name", "apache-2.0")
    source = card.weights[0].source
    assert (source.repo, source.revision, source.file_key) == ("owner/name", COMMIT, "model.onnx")
    assert card.class_names == ["naevus", "melanoma"]
    assert card.provenance.published == "2025-03-04"
    assert card.input is not None
    assert (card.input.width, card.input.height) == (200, 224)
    steps = card.preprocessing
    assert steps is not None
    assert (steps.standardize_mode, steps.resize_mode) == ("custom", "stretch")
    assert (steps.rescale, steps.mean, steps.std) == (0.00392156862745098, (0.5,) * 3, (0.25,) * 3)
    assert card.output.activation == "softmax"
    assert ["logits" in note or "bilinear" in note for note in card.provenance.assumed] == [True, True]


def test_the_file_comes_from_the_commit_of_the_card_and_its_checksum_is_known(hub: Hub) -> None:
    hub.publish({"onnx/model.onnx": b"12", "onnx/model_quantized.onnx": b"1", "tf_model.h5": b"3"})
    card = index.resolve("hf:owner/name")
    hub.server.requests.clear()
    url = f"{hub.server.url}/owner/name/resolve/{COMMIT}/onnx/model.onnx"
    checksum = "sha256:" + hashlib.sha256(b"12").hexdigest()
    assert remote_files(card) == (RemoteFile(url, "model.onnx", 2, checksum),)
    assert hub.server.requests == []


def test_a_folder_for_tensorflow_js_is_fetched_file_by_file(hub: Hub) -> None:
    topology = {"weightsManifest": [{"paths": ["group1-shard1of2.bin", "group1-shard2of2.bin"]}]}
    hub.publish({"js/model.json": topology, "js/group1-shard1of2.bin": b"1", "js/group1-shard2of2.bin": b"22"})
    files = remote_files(index.resolve("hf:owner/name"))
    assert [(file.name, file.size) for file in files][1:] == [("group1-shard1of2.bin", 1), ("group1-shard2of2.bin", 2)]
    assert files[0].name == "model.json"
    assert files[2].checksum == "sha256:" + hashlib.sha256(b"22").hexdigest()
    assert files[2].url == f"{hub.server.url}/owner/name/resolve/{COMMIT}/js/group1-shard2of2.bin"


def test_a_shard_that_is_not_in_the_repository_is_named(hub: Hub) -> None:
    hub.publish({"model.json": {"weightsManifest": [{"paths": ["gone.bin"]}]}})
    with pytest.raises(CatalogueError, match=r"needs the file gone\.bin"):
        remote_files(index.resolve("hf:owner/name"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["pytorch_model.bin", "tf_model.h5"], r"no model that can be used here .*pytorch_model\.bin, tf_model\.h5"),
        ([], "but no files"),
        (
            ["a.onnx", "b/model.json"],
            r"several files that may be models: a\.onnx, b/model\.json.*hf:owner/name/a\.onnx",
        ),
        (["model.onnx", "model.onnx_data"], r"stores its weights in another file, model\.onnx_data"),
    ],
)
def test_when_no_file_can_be_chosen_the_reason_is_told(hub: Hub, files: list[str], words: str) -> None:
    hub.publish(dict.fromkeys(files, b""))
    with pytest.raises(CatalogueError, match=words):
        resolve(asked("hf:owner/name"))


def test_one_of_several_files_can_be_named(hub: Hub) -> None:
    hub.publish({"a.onnx": b"1", "b.keras": b"2", "notes.txt": b""})
    one, other = (index.resolve(f"hf:owner/name@main/{name}") for name in ("a.onnx", "b.keras"))
    assert (one.weights[0].format, other.weights[0].format) == ("onnx", "keras-v3")
    assert one.id != other.id
    for name, words in (("c.onnx", "has no file"), ("notes.txt", "has no model file")):
        with pytest.raises(CatalogueError, match=words):
            resolve(asked(f"hf:owner/name/{name}"))


def test_a_known_model_is_meant_without_a_revision_or_with_its_commit(hub: Hub) -> None:
    hub.publish({"model.onnx": b"1"})
    card = index.resolve("hf:owner/name")
    hub.server.requests.clear()
    for reference in ("hf:owner/name", "hf:Owner/Name", f"hf:owner/name@{COMMIT[:7]}", "https://hf.co/owner/name"):
        assert providers.matches(asked(reference), card)
    for reference in ("hf:owner/name@main", "hf:owner/other", "hf:owner/name/other.onnx", "1234"):
        assert not providers.matches(asked(reference), card)
    assert hub.server.requests == []


def test_labels_and_a_card_beside_the_model_count(hub: Hub) -> None:
    hub.publish(
        {
            "config.json": {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}},
            "model.keras": b"",
            "labels.txt": b"cat\ndog\n",
            "webipred.json": {"discipline": "Veterinary medicine"},
        }
    )
    card = resolve(asked("hf:owner/name"))
    assert card.class_names == ["cat", "dog"]
    assert card.discipline == "Veterinary medicine"
    assert card.preprocessing is None
    assert card.output.activation == "in-model"


def test_several_labels_at_once_are_sigmoids(hub: Hub) -> None:
    hub.publish({"config.json": {**CONFIG, "problem_type": "multi_label_classification"}, "model.onnx": b""})
    card = resolve(asked("hf:owner/name"))
    assert (card.task, card.output.activation) == ("multi-label", "sigmoid")


@pytest.mark.parametrize("said", [{"problem_type": "regression"}, {"id2label": {"0": "LABEL_0"}}])
def test_a_model_trained_for_a_value_gives_no_classes(hub: Hub, said: dict[str, Any]) -> None:
    hub.publish({"config.json": {**CONFIG, **said}, "model.onnx": b""})
    card = resolve(asked("hf:owner/name"))
    assert (card.task, card.output.activation) == ("regression", "in-model")
    assert card.provenance.assumed == ()


@pytest.mark.parametrize("changes", [{"gated": "manual"}, {"private": True}])
def test_what_is_not_public_is_told(hub: Hub, changes: dict[str, Any]) -> None:
    hub.publish({"model.onnx": b""}, **changes)
    with pytest.raises(CatalogueError, match="only to users who are logged in"):
        resolve(asked("hf:owner/name"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, b'{"error": "Invalid username or password."}'), "Invalid username or password"),
        (Answer(404, b'{"error": "Repository not found"}'), "does not have the repository owner/name"),
        (error_answer("429"), "too many requests"),
        (Answer(200, b"[]", {"Content-Type": "application/json"}), "does not seem to be Hugging Face"),
        (Answer(200, b'{"sha": "main"}', {"Content-Type": "application/json"}), "does not seem to be Hugging Face"),
    ],
)
def test_each_failure_has_words_of_its_own(hub: Hub, answer: Answer, words: str) -> None:
    hub.server.answers["/api/models/owner/name"] = answer
    with pytest.raises(CatalogueError, match=words):
        resolve(asked("hf:owner/name"))


def test_settings_that_are_a_web_page_are_told(hub: Hub) -> None:
    hub.publish({"model.onnx": b"", "config.json": b"<html>Log in"})
    with pytest.raises(CatalogueError, match=r"127\.0\.0\.1 gives for config\.json is not"):
        resolve(asked("hf:owner/name"))


def test_off_line_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish({"model.onnx": b""})
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(CatalogueError, match="downloads are switched off"):
        resolve(asked("hf:owner/name"))
    assert hub.server.requests == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "license", "1"]), inner),
    max_leaves=6,
)


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.sampled_from(["id2label", "label_names", "architectures", "problem_type", "pretrained_cfg"]), anything)
def test_a_card_can_be_made_of_whatever_stands_in_the_settings(key: str, value: Any) -> None:
    from napari_webipred.catalogue.providers.huggingface import _card_of, _of_config

    file = RemoteFile("https://huggingface.co/x", "model.onnx")
    card = _card_of("owner/name", COMMIT, {"cardData": value, "lastModified": value}, file, "onnx", True)
    assert isinstance(merge(card, _of_config({key: value}, "onnx")), ModelCard)


def test_a_repository_that_was_renamed_has_its_name_of_today(hub: Hub) -> None:
    hub.publish({"model.onnx": b"1"}, "new/name")
    hub.server.answers["/api/models/old/name"] = Answer(307, headers={"Location": "/api/models/new/name?blobs=true"})
    card = index.resolve("hf:old/name")
    assert card.weights[0].source.repo == "new/name"
    assert "Hugging Face repository new/name" in card.provenance.source

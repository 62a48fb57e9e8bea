from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.archive.model_files import open_files
from napari_webipred.cache import index
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import bioimageio
from napari_webipred.catalogue.providers import RemoteFile, remote_files
from napari_webipred.errors import CatalogueError
from napari_webipred.merge import merge
from zenodo_server import ZenodoServer

BARE = ModelCard(id="a", name="A")
NEW: dict[str, Any] = {
    "type": "model",
    "format_version": "0.5.3",
    "name": "Protein <b>classifier</b>",
    "description": "Tells where a protein is.",
    "license": "MIT",
    "version": "1.2",
    "authors": [{"name": "A. Author", "affiliation": "Somewhere"}],
    "cite": [{"text": "A paper", "doi": "10.1/2"}],
    "inputs": [
        {
            "id": "image",
            "axes": [
                {"type": "batch"},
                {"type": "channel", "channel_names": ["r", "g", "b"]},
                {"type": "space", "id": "y", "size": 64},
                {"type": "space", "id": "x", "size": 96},
            ],
            "data": {"type": "uint8"},
            "preprocessing": [
                {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
                {"id": "scale_linear", "kwargs": {"gain": 0.5}},
                {
                    "id": "fixed_zero_mean_unit_variance",
                    "kwargs": {"mean": [1.0, 2, 3], "std": [4, 5, 6], "axis": "channel"},
                },
            ],
        }
    ],
    "outputs": [
        {
            "id": "scores",
            "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["nucleus", "golgi"]}],
            "postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}],
        }
    ],
    "weights": {
        "pytorch_state_dict": {"source": "weights.pt"},
        "tensorflow_js": {"source": "js.zip"},
        "onnx": {"source": "weights.onnx", "sha256": "ab" * 32, "opset_version": 15},
    },
}
OLD: dict[str, Any] = {
    "format_version": "0.4.10",
    "name": "Old",
    "inputs": [
        {
            "axes": "bcyx",
            "shape": [1, 3, 64, 96],
            "data_type": "float32",
            "data_range": [0, 255],
            "preprocessing": [{"name": "scale_linear", "kwargs": {"gain": 2, "offset": -1}}],
        }
    ],
    "outputs": [{"axes": "bc", "shape": [1, 2]}],
    "weights": {"onnx": {"source": "https://zenodo.org/api/files/bucket/w.onnx"}},
}


def dumped(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document).encode()


def filled(document: dict[str, Any]) -> ModelCard:
    return merge(BARE, bioimageio.describe(bioimageio.parse("rdf.yaml", dumped(document))))


def with_input(**changes: Any) -> dict[str, Any]:
    return {**NEW, "inputs": [{**NEW["inputs"][0], **changes}]}


def test_a_description_of_today_fills_a_card() -> None:
    card = filled(NEW)
    assert card.class_names == ["nucleus", "golgi"]
    assert (card.description, card.license, card.version) == ("Tells where a protein is.", "MIT", "1.2")
    assert [author.name for author in card.authors] == ["A. Author"]
    assert (card.citations[0].text, card.citations[0].doi) == ("A paper", "10.1/2")
    assert card.input is not None
    assert (card.input.width, card.input.height) == (96, 64)
    assert card.output.activation == "softmax"
    steps = card.preprocessing
    assert steps is not None
    assert (steps.rescale, steps.mean, steps.std) == (0.5, (1, 2, 3), (4, 5, 6))
    assert card.provenance.assumed == ("The description does not say how images are resized, so they are stretched.",)


def test_a_description_of_the_older_kind_fills_a_card() -> None:
    card = filled(OLD)
    assert card.classes == ()
    assert card.input is not None
    assert (card.input.width, card.input.height) == (96, 64)
    steps = card.preprocessing
    assert steps is not None
    assert (steps.standardize_mode, steps.rescale, steps.mean, steps.std) == ("custom", 2, (1,), None)


def test_what_a_card_says_already_stays() -> None:
    card = BARE.model_copy(update={"description": "Mine", "license": "CC0"})
    card = merge(card, bioimageio.describe(NEW))
    assert (card.description, card.license, card.version) == ("Mine", "CC0", "1.2")


@pytest.mark.parametrize(
    ("changes", "rescale"),
    [
        ({"data": {"type": "float32", "range": [0, 1]}, "preprocessing": []}, 1 / 255),
        (
            {
                "data": {"type": "float32", "range": [0, 1.0]},
                "preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 2}}],
            },
            2 / 255,
        ),
        ({"data": {"type": "uint8"}, "preprocessing": []}, None),
    ],
)
def test_the_range_of_pixel_values_counts(changes: dict[str, Any], rescale: float | None) -> None:
    steps = filled(with_input(**changes)).preprocessing
    assert steps is not None
    assert steps.rescale == (pytest.approx(rescale) if rescale else None)
    assert steps.standardize_mode == ("custom" if rescale else "none")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"type": "float32"}}, "does not give the range"),
        ({"data": {"type": "uint16"}}, "does not give the range"),
        (
            {"preprocessing": [{"id": "zero_mean_unit_variance"}]},
            r"\(zero_mean_unit_variance\) is not supported exactly",
        ),
        ({"preprocessing": [{"id": "scale_range"}]}, "is not supported exactly"),
        ({"preprocessing": [{"id": "clip", "kwargs": {"min": 0, "max": 9}}]}, "is not supported exactly"),
        ({"preprocessing": [{"id": "scale_linear", "kwargs": {"gain": [1, 2, 3]}}]}, "is not supported exactly"),
        ({"preprocessing": [{"id": "scale_linear", "kwargs": {"gain": float("nan")}}]}, "is not supported exactly"),
        ({"preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 2}}] * 2}, "is not supported exactly"),
        ({"preprocessing": NEW["inputs"][0]["preprocessing"][::-1]}, "is not supported exactly"),
    ],
)
def test_what_cannot_be_expressed_exactly_is_asked_for(changes: dict[str, Any], words: str) -> None:
    card = filled(with_input(**changes))
    assert card.preprocessing is None
    assert re.search(words, " ".join(card.provenance.assumed))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "dataset"}, "describes a dataset"),
        ({"inputs": []}, "has 0 inputs and 1 outputs"),
        ({"outputs": NEW["inputs"]}, "returns an image"),
        ({"outputs": [{"axes": "bcyx"}]}, "returns an image"),
    ],
)
def test_what_does_not_classify_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        bioimageio.parse("rdf.yaml", dumped({**NEW, **changes}))


BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 60))
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 60))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "cannot be read"),
        (b"\xff\xfe\xfd", "cannot be read"),
        (b"[1, 2]", "does not describe"),
        (b"", "does not describe"),
        (b"!!python/object/apply:os.system ['echo']", "cannot be read"),
        (b"[" * 5000, "cannot be read"),
        (b"a" * 300_000, "more than 262144 bytes"),
        (BOMB.encode(), "merge keys are not read"),
        (ALIASES.encode(), "0 inputs"),
        (b"{[1]: 2}", "cannot be read"),
        (b"x: " + b"9" * 10_000, "cannot be read"),
        (b"x: 2024-99-99", "cannot be read"),
    ],
)
def test_hostile_yaml_is_refused_at_once(content: bytes, words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        bioimageio.parse("rdf.yaml", content)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "kwargs", "size", "type", "source", "axes", "range"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(NEW)), anything),
    st.dictionaries(st.sampled_from(["axes", "data", "preprocessing", "shape", "data_range"]), anything),
)
def test_a_description_may_hold_anything(changes: dict[str, Any], tensor: dict[str, Any]) -> None:
    document = {**with_input(**tensor), **changes}
    document["outputs"] = [{**NEW["outputs"][0], "data": tensor.get("data"), "postprocessing": tensor.get("axes")}]
    try:
        parsed = bioimageio.parse("rdf.yaml", dumped(document))
    except CatalogueError:
        return
    assert isinstance(merge(BARE, bioimageio.describe(parsed)), ModelCard)
    assert isinstance(bioimageio.weights(parsed), list)


def test_a_record_with_a_description_gives_the_weights_it_names(zenodo: ZenodoServer) -> None:
    files = {"rdf.yaml": dumped(NEW), "weights.onnx": b"1", "other.onnx": b"2", "weights.pt": b"3"}
    zenodo.publish("123", files)
    card = index.resolve("10.5281/zenodo.123")
    assert card.weights[0].source.file_key == "weights.onnx"
    assert card.class_names == ["nucleus", "golgi"]
    assert remote_files(card)[0].url.endswith("/weights.onnx/content")


def test_the_weights_of_an_older_record_are_found_by_their_name(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {"bioimageio.yaml": dumped(OLD), "w.onnx": b"1", "x.zip": b"2"})
    assert index.resolve("123").weights[0].source.file_key == "w.onnx"


def test_the_address_of_a_description_leads_to_the_weights_beside_it(zenodo: ZenodoServer) -> None:
    url = zenodo.put("/artifacts/x/files/rdf.yaml", dumped(NEW))
    card = index.resolve(url)
    assert card.name == "Protein classifier"
    assert card.class_names == ["nucleus", "golgi"]
    assert remote_files(card) == (
        RemoteFile(f"{zenodo.url}/artifacts/x/files/weights.onnx", "weights.onnx", None, "sha256:" + "ab" * 32),
    )


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"torchscript": {"source": "w.pt"}}, "names no weights for TensorFlow.js, Keras or ONNX"),
        ({"onnx": {"source": "http://example.org/w.onnx"}}, "not an https URL"),
        ({"onnx": {"source": "file:///etc/w.onnx"}}, "not an https URL"),
        ({"onnx": []}, "names no weights"),
    ],
)
def test_weights_that_cannot_be_had_are_told(zenodo: ZenodoServer, weights: Any, words: str) -> None:
    url = zenodo.put("/rdf.yaml", dumped({**NEW, "weights": weights}))
    with pytest.raises(CatalogueError, match=words):
        index.resolve(url)


def test_a_package_is_described_by_what_lies_in_it() -> None:
    files = {"weights.onnx": b"", "rdf.yaml": dumped(NEW), "x/deep/rdf.yaml": b"{"}
    card = merge(BARE, *bioimageio.describe_package(files))
    assert card.class_names == ["nucleus", "golgi"]
    assert card.preprocessing is not None


def test_the_description_in_a_folder_is_seen(tmp_path: Path) -> None:
    (tmp_path / "bioimageio.yaml").write_bytes(dumped(NEW))
    (tmp_path / "weights.onnx").write_bytes(b"x")
    assert merge(BARE, *bioimageio.describe_package(open_files(tmp_path))).class_names == ["nucleus", "golgi"]

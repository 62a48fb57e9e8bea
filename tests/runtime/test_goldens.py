"""The same numbers as TensorFlow.js, for small models (tools/make_goldens.py) and for real ones by other people."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_webipred.errors import WebIPredError
from napari_webipred.runtime.session import Session

GOLDENS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "goldens" / "layers.json").read_text("utf-8"))

Opener = Callable[..., Session]


def tensor(described: Mapping[str, Any]) -> np.ndarray:
    return np.array(described["values"], np.float32).reshape(described["shape"])


@pytest.mark.parametrize("name", GOLDENS)
def test_a_small_model_gives_the_numbers_of_tensorflow_js(
    name: str, model_files: Callable[..., dict[str, bytes]], open_session: Opener
) -> None:
    case = GOLDENS[name]
    weights = {key: tensor(value) for key, value in case["weights"].items()}
    session = open_session(model_files(case["topology"], weights))
    expected = tensor(case["output"])
    expected = expected.reshape(len(expected), -1)
    assert session.output_size == expected.shape[1]
    images = tensor(case["input"])
    if "channels_first" in json.dumps(case["topology"]):
        images = np.moveaxis(images, 1, -1)
    np.testing.assert_allclose(session.predict(images), expected, rtol=1e-5, atol=1e-5)


def read_files(path: Path) -> dict[str, bytes]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture(scope="session")
def densenet(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("webipred-16")
    subprocess.run([sys.executable, shared_models / "webipred-16" / "make_weights.py", folder], check=True)
    return folder


LOADED = [
    "emotion-55groups",
    "emotion-multioutput",
    "emotion-float16",
    "emotion-uint16",
    "emotion-uint8",
    "emotion-odd-shards",
    "nsfw-mobilenetv2-uint8",
    "tm-nevus",
    "ml5-cataract",
    "webipred-16",
    "zip-root",
    "zip-folder",
    "zip-macos",
]
# What the message must name, for the faults that are found here and not in the archive.
REFUSED = {
    "graph-nsfw-mid-uint8": ["model.json", "graph model"],
    "either-trailing-bytes": ["group1-shard1of1.bin", "8 bytes"],
    "refuse-truncated-shard": ["group1-shard1of1.bin", "219799", "220199"],
    "refuse-missing-shard": ["group1-shard5of9.bin"],
    "refuse-unknown-layer": ["model.json", "conv_dw_1", "FancyAttention2D"],
    "refuse-wrong-weight-name": ["model.json", "conv1/kernel", "no_such_layer/kernel"],
    "refuse-path-traversal": ["model.json", "../emotion-odd-shards/group1-shard1of9.bin"],
    "refuse-zip-no-model": ["README.txt"],
}


def cases(shared_models: Path) -> dict[str, Any]:
    return {case["case"]: case for case in json.loads((shared_models / "INDEX.json").read_text("utf-8"))}


@pytest.mark.parametrize("name", LOADED)
def test_a_real_model_gives_the_numbers_of_tensorflow_js(
    name: str, shared_models: Path, request: pytest.FixtureRequest, open_session: Opener
) -> None:
    case = cases(shared_models)[name]
    path = shared_models / case["open"] if case["open"] else request.getfixturevalue("densenet")
    inputs = shared_models / case["inputs"] if case["open"] else path / "inputs.npy"
    files, entry = (read_files(path.parent), path.name) if path.suffix == ".json" else (read_files(path), None)
    expected = json.loads((shared_models / case["oracle"]).read_text("utf-8"))["prediction"]
    made = open_session(files, entry).predict(np.load(inputs))
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_a_faulty_model_is_refused_by_name(name: str, shared_models: Path, open_session: Opener) -> None:
    path = shared_models / cases(shared_models)[name]["open"]
    with pytest.raises(WebIPredError) as refusal:
        open_session(read_files(path))
    for word in REFUSED[name]:
        assert word in refusal.value.message
    assert refusal.value.hint


def test_every_shared_model_is_tested(shared_models: Path) -> None:
    by_archive = {"refuse-zip-slip", "refuse-html-named"}
    assert {*LOADED, *REFUSED} | by_archive == set(cases(shared_models))

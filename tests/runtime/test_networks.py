"""The same numbers as Keras for whole networks of every family of keras.applications (tools/make_fidelity.py), and for
layers that TensorFlow.js does not have or cannot read (tools/make_layer_variants.py)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from goldens import networks
from napari_webipred.runtime.session import Session

GOLDENS = Path(__file__).parents[1] / "goldens"


def names(archive: str) -> list[str]:
    with zipfile.ZipFile(GOLDENS / archive) as members:
        return [name.removesuffix(".json") for name in members.namelist()]


NETWORKS, VARIANTS = names("networks.zip"), names("variants.zip")

Opener = Callable[..., Session]


def golden(name: str, archive: str = "networks.zip") -> dict[str, Any]:
    with zipfile.ZipFile(GOLDENS / archive) as members:
        stored: dict[str, Any] = json.loads(members.read(f"{name}.json"))
    return stored


def files_of(stored: dict[str, Any]) -> dict[str, bytes]:
    weights = {name: networks.weight(name, shape, stored["gain"]) for name, shape in stored["shapes"].items()}
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in weights.items()]
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    document = {"modelTopology": stored["topology"], "weightsManifest": manifest}
    data = b"".join(array.astype("<f4").tobytes() for array in weights.values())
    return {"model.json": json.dumps(document).encode(), "weights.bin": data}


@pytest.mark.parametrize(
    ("archive", "name"),
    [*(("networks.zip", name) for name in NETWORKS), *(("variants.zip", name) for name in VARIANTS)],
)
def test_the_numbers_are_those_of_keras(archive: str, name: str, open_session: Opener) -> None:
    stored = golden(name, archive)
    *shape, low, high = stored["pictures"]
    expected = np.array(stored["logits"])
    made = open_session(files_of(stored)).predict(networks.images(shape, low, high))
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_logits_depend_on_the_image(name: str) -> None:
    first, second = np.array(golden(name)["logits"])
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()


def with_lambdas(stored: dict[str, Any]) -> dict[str, Any]:
    """Return the network as older versions of keras.applications wrote it, with sums as code in Lambda layers."""
    layers = stored["topology"]["model_config"]["config"]["layers"]
    sums = [layer for layer in layers if layer["class_name"].endswith("CustomScaleLayer")]
    text = json.dumps(stored)
    assert sums
    for number, layer in enumerate(sums, 1):
        text = text.replace(f'"{layer["name"]}"', f'"block35_{number}"')
    older: dict[str, Any] = json.loads(text)
    for layer in older["topology"]["model_config"]["config"]["layers"]:
        if layer["class_name"].endswith("CustomScaleLayer"):
            layer["class_name"] = "Lambda"
            layer["config"] = {"name": layer["name"], "arguments": {"scale": layer["config"]["scale"]}}
    return older


def test_the_lambdas_of_older_inception_resnets_are_scaled_sums(open_session: Opener) -> None:
    stored = golden("InceptionResNetV2 of Keras 2")
    older = with_lambdas(stored)
    *shape, low, high = stored["pictures"]
    images = networks.images(shape, low, high)
    made = open_session(files_of(older)).predict(images)
    np.testing.assert_array_equal(made, open_session(files_of(stored)).predict(images))


def test_it_is_said_once_that_the_code_of_lambdas_is_not_run(tmp_path: Path) -> None:
    stored = golden("InceptionResNetV2 of Keras 2")
    for name, network in (("older", with_lambdas(stored)), ("newer", stored)):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files_of(network).items():
            (folder / file).write_bytes(content)
    for _ in range(2):  # compiled, and then from the graph that is kept
        (remark,) = [each for each in wp.open_model(tmp_path / "older").remarks if "Python code" in each]
        assert "Lambda layers, such as block35_1, contain Python code, which is never run here." in remark
        assert "Inception-ResNet V2" in remark
    assert not [each for each in wp.open_model(tmp_path / "newer").remarks if "Python code" in each]

"""The same maps as the automatic differentiation of Keras (tools/make_explanation_goldens.py)."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from goldens import networks

GOLDENS = Path(__file__).parents[1] / "goldens"
FOUND: dict[str, Any] = json.loads((GOLDENS / "explanations.json").read_text(encoding="utf-8"))


@cache
def stored(name: str) -> dict[str, Any]:
    with zipfile.ZipFile(GOLDENS / "networks.zip") as members:
        found: dict[str, Any] = json.loads(members.read(f"{name}.json"))
    return found


def sized(value: Any, side: int) -> Any:
    """Return a topology for images of this size."""
    if isinstance(value, list):
        return [sized(part, side) for part in value]
    if not isinstance(value, dict):
        return value
    changed = {key: sized(part, side) for key, part in value.items()}
    shape = changed.get("batch_input_shape")
    if shape and len(shape) == 4 and shape[3] == 3:
        changed["batch_input_shape"] = [shape[0], side, side, 3]
    return changed


def network(name: str, folder: Path) -> wp.Model:
    golden, source = FOUND[name], stored(name)
    shapes = source["shapes"] | golden["shapes"]
    weights = {key: networks.weight(key, shape, source["gain"]) for key, shape in shapes.items()}
    entries = [{"name": key, "shape": list(array.shape), "dtype": "float32"} for key, array in weights.items()]
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    topology = sized(source["topology"], golden["side"])
    (folder / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": manifest}))
    (folder / "weights.bin").write_bytes(b"".join(array.astype("<f4").tobytes() for array in weights.values()))
    classes = [f"class {number}" for number in range(len(golden["logits"]))]
    scaling = "none" if golden["low"] == 0 else "tf"
    return wp.open_model(folder, classes=classes, standardize=scaling, activation="softmax")


def test_there_are_networks_of_both_kinds_and_of_at_least_eight_families() -> None:
    assert len(FOUND) >= 8


@pytest.mark.parametrize("name", FOUND)
def test_maps_are_those_of_the_derivatives_that_keras_computes(name: str, tmp_path: Path) -> None:
    golden, model = FOUND[name], network(name, tmp_path)
    side = golden["side"]
    image = networks.images((1, side, side, 3), 0, 255).round()[0].astype(np.uint8)
    found = wp.explain(image, model, classes=model.classes)
    places = found[0].grid.size
    np.testing.assert_allclose([each.logit for each in found], golden["logits"], rtol=1e-3, atol=1e-4)
    for each, grad_cam, hirescam in zip(found, golden["grad_cam"], golden["hirescam"], strict=True):
        expected = np.array(grad_cam if each.method == "cam" else hirescam) * places
        assert each.completeness is not None
        assert each.completeness < 1e-4
        assert np.corrcoef(each.grid.ravel(), expected.ravel())[0, 1] > 0.999
        np.testing.assert_allclose(each.grid, expected, rtol=0, atol=1e-3 * np.abs(expected).max())
    assert {each.method for each in found} <= {"cam", "hirescam"}

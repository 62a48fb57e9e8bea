"""TensorFlow.js itself loads what is written for it, and gives the same numbers."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred.fitting.head import Head
from napari_webipred.fitting.own_model import own_model
from napari_webipred.imaging.preprocess import prepare

SCRIPT = """
const fs = require('fs'), path = require('path');
console.warn = () => {};
const tf = require('@tensorflow/tfjs');
const folder = process.argv[2];
const document = JSON.parse(fs.readFileSync(path.join(folder, 'model.json'), 'utf8'));
const [group] = document.weightsManifest;
const data = Buffer.concat(group.paths.map(name => fs.readFileSync(path.join(folder, name))));
const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const pixels = fs.readFileSync(path.join(folder, 'images.bin'));
const shape = JSON.parse(fs.readFileSync(path.join(folder, 'shape.json'), 'utf8'));
(async () => {
  await tf.setBackend('cpu');
  const model = await tf.loadLayersModel({load: async () => ({...document, weightSpecs: group.weights, weightData})});
  const images = new Float32Array(pixels.buffer.slice(pixels.byteOffset, pixels.byteOffset + pixels.byteLength));
  const made = model.predict(tf.tensor(images, shape));
  process.stdout.write(JSON.stringify({shape: made.shape, values: Array.from(made.dataSync())}));
})();
"""


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder with TensorFlow.js; see the Makefile."""
    folder = Path(sys.prefix) / "tfjs" / "node_modules"
    if shutil.which("node") is None or not (folder / "@tensorflow" / "tfjs").is_dir():
        pytest.skip("TensorFlow.js is not installed; `make servers` does that")
    return folder


def in_a_browser(model: wp.Model, images: np.ndarray, packages: Path, place: Path) -> np.ndarray:
    """Let TensorFlow.js compute the zip archive of a model."""
    assert model.archive is not None
    with zipfile.ZipFile(io.BytesIO(model.archive)) as archive:
        archive.extractall(place)
    (place / "images.bin").write_bytes(np.ascontiguousarray(images, "<f4").tobytes())
    (place / "shape.json").write_text(json.dumps(images.shape))
    (place / "run.cjs").write_text(SCRIPT)
    done = subprocess.run(
        ["node", str(place / "run.cjs"), str(place)],
        env=os.environ | {"NODE_PATH": str(packages)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return np.array(found["values"], np.float32).reshape(found["shape"])


@pytest.mark.parametrize("task", ["single", "multi"])
def test_the_demo_model_with_a_new_head(task: str, packages: Path, tmp_path: Path) -> None:
    compare(wp.open_model("demo"), task, packages, tmp_path)


def test_an_image_model_of_teachable_machine_with_a_new_head(
    shared_models: Path, packages: Path, tmp_path: Path
) -> None:
    compare(wp.open_model(shared_models / "tm-nevus"), "single", packages, tmp_path)


def compare(base: wp.Model, task: str, packages: Path, place: Path) -> None:
    """Compare a head by chance on some images, and on the picture of the card's test, prepared as the card says."""
    assert base.card.input is not None
    size = (base.card.input.height, base.card.input.width)
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32) / 2
    features = base.features(images)
    random = np.random.default_rng(1)
    kernel = random.normal(size=(features.shape[1], 3)) / max(float(features.std()), 1e-3) / features.shape[1] ** 0.5
    head = Head(
        ("b", "c", "a"), task, (3 * kernel).astype(np.float32), (-features.mean(0) @ kernel).astype(np.float32), 0.01
    )  # type: ignore[arg-type]
    made = own_model(base, head)
    np.testing.assert_allclose(in_a_browser(made, images, packages, place), head.probabilities(features), atol=1e-4)
    card = json.loads((place / "webipred.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in card["classes"]] == ["b", "c", "a"]
    assert json.loads((place / "model.json").read_text())["userDefinedMetadata"] == {"labels": ["b", "c", "a"]}
    assert made.card.preprocessing is not None
    assert made.card.input is not None
    content = base64.b64decode(card["test"]["image"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as opened:
        picture = np.asarray(opened)
    tensor, _ = prepare(picture, made.card.input, made.card.preprocessing)
    (found,) = in_a_browser(made, tensor[None], packages, place)
    np.testing.assert_allclose(found, card["test"]["probabilities"], atol=1e-4)

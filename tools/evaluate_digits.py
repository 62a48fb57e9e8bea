"""The whole way of docs/evaluation.md on a real cohort: handwritten digits, which scikit-learn has with it.

    python tools/evaluate_digits.py FOLDER

Trains a small network on 600 digits, writes it as ONNX with a card, classifies 1,197 others as PNG files, and
evaluates: metrics, thresholds, calibration, figures. Then the 600 are the reference, and other images are compared with
them: parts of scikit-image's photographs, negatives, noise. It needs no internet and takes about a minute.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import napari_webipred as wp
from napari_webipred.references.reference import UNUSUAL

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def write_model(folder: Path, network: MLPClassifier) -> Path:
    """Write the network as ONNX, with a card beside it that says what it needs."""
    constants = {f"w{i}": w.astype(np.float32) for i, w in enumerate(network.coefs_)}
    constants |= {f"b{i}": b.astype(np.float32) for i, b in enumerate(network.intercepts_)}
    constants["flat"] = np.array([-1, 64], np.int64)
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w1", "b1"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classes"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 8, 8, 1])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "digits.onnx")
    card = {
        "id": "digits",
        "name": "Handwritten digits",
        "classes": [{"index": index, "name": name} for index, name in enumerate(NAMES)],
        "input": {"width": 8, "height": 8, "channels": 1},
        "preprocessing": {"standardize_mode": "custom", "rescale": 1 / 255},
    }
    (folder / "webipred.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder


def main() -> None:
    root = Path(sys.argv[1])
    if root.exists():
        shutil.rmtree(root)
    digits = load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    train, held_out = train_test_split(np.arange(len(pixels)), train_size=600, stratify=digits.target, random_state=0)
    # No brake on the weights: the network is too sure of itself, as many published ones are.
    network = MLPClassifier((32,), solver="lbfgs", alpha=0, max_iter=2000, random_state=0)
    network.fit(pixels[train].reshape(-1, 64) / 255, digits.target[train])
    model = wp.open_model(write_model(root / "model", network))
    for index in held_out:
        folder = root / "images" / NAMES[digits.target[index]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[index]).save(folder / f"{index}.png")
    table = wp.classify(root / "images", model)
    own = np.stack([table[name] for name in NAMES], axis=1)
    numbers = [int(Path(name).stem) for name in table["image"]]
    judge = network.predict_proba(pixels[numbers].reshape(-1, 64) / 255)
    print(f"largest difference to scikit-learn's own probabilities: {np.abs(own - judge).max():.1e}")
    found = wp.evaluate(table, None, thresholds="specificity=0.99", calibrate=True)
    found.save(root / "evaluation")
    print(found.summary[found.summary["class"] == ""].to_string(index=False))
    print(found.confusion.to_string())
    print(f"not counted: {len(found.unmatched)}")
    for each in found.thresholds.each:
        shown = f"{each.sensitivity.value:.3f} ({each.sensitivity.low:.3f} to {each.sensitivity.high:.3f})"
        print(each.class_name, f"{each.value:.4f}", shown, f"{each.specificity.value:.4f}", each.fitted_sensitivity)
    print(found.calibration.temperature, found.calibration.before, found.calibration.after)
    found.keep("careful")
    careful = wp.classify(root / "images", model, threshold="careful")
    several = careful["prediction"].str.contains(";").sum()
    print(f"with these thresholds: {(careful['prediction'] == '').sum()} images of no class, {several} of several")
    unlike(root, model, pixels, train, held_out)


def unlike(root: Path, model: wp.Model, pixels: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> None:
    """Print how many images of a second cohort are remarked, when the training digits are the reference."""
    random = np.random.default_rng(0)
    photographs = [data.camera(), data.coins(), data.moon()]
    parts = []
    for number in range(300):
        whole = photographs[number % 3]
        top, left = (random.integers(length - 64) for length in whole.shape)
        parts.append(whole[top : top + 64, left : left + 64])
    some = pixels[held_out[:300]]
    cohorts = {
        "other digits": list(pixels[held_out]),
        "digits as negatives": list(255 - some),
        "digits turned by 90 degrees": list(np.rot90(some, axes=(1, 2))),
        "parts of photographs": parts,
        "noise": list(random.integers(0, 256, (300, 8, 8), np.uint8)),
    }
    for method in ("mahalanobis", "neighbours"):
        wp.fit_reference(list(pixels[train]), model, method=method)
        for name, images in cohorts.items():
            table = wp.classify(images, model, reference=True)
            percentile, sure = table["reference percentile"], table[list(NAMES)].max(axis=1)
            far, certain = (percentile >= UNUSUAL).mean(), (sure >= 0.99).mean()
            print(f"{method}: {name}, {len(table):,}: {far:.1%} remarked, {certain:.1%} with a probability from 0.99")


if __name__ == "__main__":
    main()

"""Train the demo model, which tells sharp, blurred, noisy, over- and underexposed pictures apart.

    pip install -e '.[train]'
    python tools/make_demo_model.py            # about ten minutes on two cores

Writes src/napari_webipred/catalogue/cards/demo.zip and demo.json. The pictures are those that scikit-image carries in
its package, and fluorescence-like ones drawn here; what is wrong with them is synthesised. Pictures are split by their
source, so that no part of a held-out picture is ever trained on. The same versions give the same model.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_webipred.catalogue.card import Preprocessing
from napari_webipred.imaging.preprocess import prepare

CARDS = Path(__file__).parents[1] / "src" / "napari_webipred" / "catalogue" / "cards"
SIDE = 224
SEED = 7
CLASSES = {
    "sharp": "Sharp and well exposed",
    "blurred": "Blurred: out of focus or smeared",
    "noisy": "Noisy: grain covers the structure",
    "overexposed": "Overexposed: bright parts are cut off at white",
    "underexposed": "Underexposed: even the brightest parts stay dark",
}
# The factor says how far a picture is scaled down at least, so that it is sharp where it is called sharp.
TRAINING = {
    "astronaut.png": 1.2,
    "brick.png": 1.0,
    "camera.png": 1.0,
    "chelsea.png": 1.2,
    "coffee.png": 1.2,
    "grass.png": 1.0,
    "hubble_deep_field.jpg": 1.2,
    "logo.png": 1.0,
    "moon.png": 1.4,
    "page.png": 0.8,
    "phantom.png": 1.0,
    "rocket.jpg": 1.2,
    "drawn cells": 1.0,
    "drawn fibres": 1.0,
}
VALIDATION = {"gravel.png": 1.0, "motorcycle_left.png": 1.2, "text.png": 0.7, "drawn spots": 1.0}
HELD_OUT = {"cell.png": 1.4, "coins.png": 1.0, "ihc.png": 1.0, "retina.jpg": 2.5}
STANDARDISE = Preprocessing(standardize_mode="tf")


# --- pictures ---


def source(name: str, generator: np.random.Generator) -> np.ndarray:
    """Return a source picture as float64 in 0..1, shape (height, width, 3)."""
    if name.startswith("drawn"):
        return drawn(name.removeprefix("drawn "), generator)
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        if image.mode in {"RGBA", "LA", "P"}:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB"), np.float64) / 255


def drawn(kind: str, generator: np.random.Generator) -> np.ndarray:
    """Draw a fluorescence-like picture: bright structures on a dark ground, in one colour or in grey."""
    size = 512
    y, x = np.mgrid[0:size, 0:size]
    picture = np.zeros((size, size))
    if kind == "fibres":
        for _ in range(generator.integers(15, 60)):
            angle, offset = generator.uniform(0, np.pi), generator.uniform(-size, size)
            bend = generator.uniform(5, 40) * np.sin((x + y) / generator.uniform(40, 160))
            distance = np.abs(x * np.cos(angle) + y * np.sin(angle) - offset + bend)
            picture = np.maximum(picture, generator.uniform(0.4, 1) * np.clip(generator.uniform(2, 5) - distance, 0, 1))
    else:
        radius = (8, 30) if kind == "cells" else (2, 6)
        for _ in range(generator.integers(25, 90) * (1 if kind == "cells" else 4)):
            cy, cx, r = *generator.uniform(0, size, 2), generator.uniform(*radius)
            squeeze, angle = generator.uniform(0.6, 1), generator.uniform(0, np.pi)
            u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
            v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
            disc = np.clip(r - np.hypot(u, v / squeeze), 0, 1.5) / 1.5
            picture = np.maximum(picture, generator.uniform(0.35, 1) * disc)
        texture = ndimage.gaussian_filter(generator.normal(size=picture.shape), 1.5)
        picture *= np.clip(0.8 + 0.5 * texture / texture.std() * 0.5, 0.2, 1.2)
    picture = np.clip(picture / picture.max() + generator.uniform(0, 0.12), 0, 1)
    tint = generator.choice([[1, 1, 1], [1, 1, 1], [0.1, 1, 0.2], [0.2, 0.4, 1], [1, 0.15, 0.1], [1, 0.2, 1]])
    return picture[..., None] * np.asarray(tint)


def view(picture: np.ndarray, least_scale: float, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Cut out a part, turn it, change its look; return it with the pixels that one pixel of the model stands for."""
    height, width = picture.shape[:2]
    largest = min(height, width) / SIDE
    scale = generator.uniform(min(least_scale, largest), largest) if largest > least_scale else largest
    side = int(scale * SIDE)
    aspect = generator.uniform(0.8, 1.25)
    rows, columns = min(height, int(side * aspect)), min(width, int(side / aspect))
    top, left = generator.integers(0, height - rows + 1), generator.integers(0, width - columns + 1)
    part = picture[top : top + rows, left : left + columns]
    part = np.rot90(part, generator.integers(4))[:: generator.choice([-1, 1])]
    if generator.random() < 0.35:
        part = np.repeat(part.mean(axis=2, keepdims=True), 3, axis=2)
    if generator.random() < 0.15:
        part = 1 - part
    if generator.random() < 0.3:
        part = part[..., generator.permutation(3)]
    # A well exposed picture reaches from dark to bright, but need not use the whole range.
    low, high = np.quantile(part, [0.002, 0.998])
    black, white = generator.uniform(0, 0.12), generator.uniform(0.7, 1)
    part = black + (part - low) / max(high - low, 0.05) * (white - black)
    return np.clip(part, 0, 1) ** generator.uniform(0.75, 1.35), max(scale, 0.5)


def spoil(part: np.ndarray, scale: float, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Make a good picture bad in one way; returns uint8. Lengths are in pixels of the model times `scale`."""
    if kind == "blurred":
        if generator.random() < 0.7:
            part = ndimage.gaussian_filter(part, (scale * generator.uniform(1.8, 6),) * 2 + (0,))
        else:
            part = smear(part, scale * generator.uniform(6, 16), generator)
    elif kind == "overexposed":
        level = np.quantile(part.max(axis=2), generator.uniform(0.25, 0.7))
        part = part / max(level, 0.02)
    elif kind == "underexposed":
        part = part / max(np.quantile(part, 0.998), 0.02) * generator.uniform(0.05, 0.28)
    weak = kind in {"sharp", "blurred", "overexposed", "underexposed"}
    if kind == "noisy":
        strength = np.exp(generator.uniform(np.log(0.09), np.log(0.35)))
    else:
        strength = generator.uniform(0, 0.012) if weak else 0
    if generator.random() < 0.5:  # shot noise grows with the light
        noise = generator.normal(size=part.shape) * np.sqrt(np.clip(part, 0.08, 1)) * strength * 1.3
    else:
        noise = generator.normal(size=part.shape) * strength
    if generator.random() < 0.5:
        noise = np.repeat(noise[..., :1], 3, axis=2)
    pixels = np.rint(np.clip(part + noise, 0, 1) * 255).astype(np.uint8)
    return compressed(pixels, generator) if generator.random() < 0.3 else pixels


def smear(part: np.ndarray, length: float, generator: np.random.Generator) -> np.ndarray:
    """Blur along a line, as movement does."""
    size = int(length) | 1
    angle = generator.uniform(0, np.pi)
    kernel = np.zeros((size, size))
    for t in np.linspace(-size / 2, size / 2, 4 * size):
        row, column = round(size // 2 + t * np.sin(angle)), round(size // 2 + t * np.cos(angle))
        if 0 <= row < size and 0 <= column < size:
            kernel[row, column] = 1
    return ndimage.convolve(part, kernel[..., None] / kernel.sum())


def compressed(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Send a picture through JPEG."""
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=int(generator.integers(75, 96)))
    return np.asarray(Image.open(memory).convert("RGB"))


def pictures(sources: dict[str, float], count: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Make `count` labelled model inputs, uint8 as the model sees them before standardising."""
    generator = np.random.default_rng(seed)
    loaded = {name: source(name, generator) for name in sources if not name.startswith("drawn")}
    names = sorted(sources)
    inputs, labels, origins = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty(count, np.int64), []
    for i in range(count):
        name = names[(i // len(CLASSES)) % len(names)]
        whole = source(name, generator) if name.startswith("drawn") else loaded[name]
        part, scale = view(whole, sources[name], generator)
        labels[i] = i % len(CLASSES)
        pixels = spoil(part, scale, list(CLASSES)[labels[i]], generator)
        seen, _ = prepare(pixels, SIDE, SIDE, 3, Preprocessing(standardize_mode="none"))
        inputs[i] = np.rint(seen)
        origins.append(name)
    return inputs, labels, origins


# --- the network ---


def topology() -> dict:
    """Return the network in the form of Keras 2, which TensorFlow.js reads."""
    layers = [("InputLayer", {"name": "image", "batch_input_shape": [None, SIDE, SIDE, 3], "dtype": "float32"})]

    def block(number: int, filters: int, stride: int) -> None:
        convolution = {"filters": filters, "kernel_size": [3, 3], "strides": [stride, stride], "padding": "same"}
        layers.append(("Conv2D", {"name": f"conv{number}", **convolution, "use_bias": False, "activation": "linear"}))
        layers.append(("BatchNormalization", {"name": f"bn{number}", "axis": [3], "momentum": 0.9, "epsilon": 0.001}))
        layers.append(("Activation", {"name": f"relu{number}", "activation": "relu"}))

    for number, (filters, stride) in enumerate([(16, 2), (24, 2), (32, 1), (48, 2), (64, 2)], 1):
        block(number, filters, stride)
    layers.append(("GlobalAveragePooling2D", {"name": "average"}))
    layers.append(("Dropout", {"name": "dropout", "rate": 0.2}))
    layers.append(("Dense", {"name": "logits", "units": len(CLASSES), "activation": "linear", "use_bias": True}))
    layers.append(("Activation", {"name": "probabilities", "activation": "softmax"}))
    listed = [{"class_name": class_name, "config": config} for class_name, config in layers]
    return {"class_name": "Sequential", "config": {"name": "image_quality", "layers": listed}}


def network():
    """Build the same network in Keras."""
    import keras

    model = keras.Sequential()
    for layer in topology()["config"]["layers"]:
        config = dict(layer["config"])
        if layer["class_name"] == "InputLayer":
            model.add(keras.Input(config["batch_input_shape"][1:]))
            continue
        if "axis" in config:
            config["axis"] = config["axis"][0]
        model.add(getattr(keras.layers, layer["class_name"])(**config))
    return model


def train(epochs: int, count: int):
    """Train on the training pictures; the epoch that is best on the validation pictures counts."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    inputs, labels, _ = pictures(TRAINING, count, SEED)
    seen, known, _ = pictures(VALIDATION, 600, SEED + 1)
    model = network()
    steps = epochs * (len(inputs) // 32)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-3),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
        metrics=["accuracy"],
    )

    class BestWeights(keras.callbacks.Callback):
        accuracy, weights = 0.0, None

        def on_epoch_end(self, epoch: int, logs: dict) -> None:
            if logs["val_accuracy"] >= self.accuracy:
                self.accuracy, self.weights = logs["val_accuracy"], self.model.get_weights()

    def dataset(inputs: np.ndarray, labels: np.ndarray):
        hot = np.eye(len(CLASSES), dtype=np.float32)[labels]
        batches = tf.data.Dataset.from_tensor_slices((inputs, hot))
        return batches, lambda x, y: (tf.cast(x, tf.float32) / 127.5 - 1, y)

    batches, scale = dataset(inputs, labels)
    checks, _ = dataset(seen, known)
    best = BestWeights()
    model.fit(
        batches.shuffle(len(inputs), seed=SEED).batch(32).map(scale),
        validation_data=checks.batch(64).map(scale),
        epochs=epochs,
        verbose=2,
        callbacks=[best],
    )
    model.set_weights(best.weights)
    return model


# --- what it is worth, and the files ---


def measure(model, sources: dict[str, float], count: int, seed: int) -> dict:
    """Count right and wrong answers on pictures of these sources."""
    inputs, labels, origins = pictures(sources, count, seed)
    given = model.predict(inputs.astype(np.float32) / 127.5 - 1, verbose=0).argmax(axis=1)
    right = given == labels
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (labels, given), 1)
    return {
        "n": count,
        "accuracy": round(float(right.mean()), 4),
        "sensitivity": {name: round(confusion[i, i] / confusion[i].sum(), 4) for i, name in enumerate(CLASSES)},
        "accuracy_by_picture": {
            name: round(float(right[[origin == name for origin in origins]].mean()), 4) for name in sorted(sources)
        },
        "confusion": {"rows": "true class", "columns": "predicted class", "counts": confusion.tolist()},
    }


def archive(model) -> bytes:
    """Write the model as a zip of model.json and weights; equal weights give equal bytes."""
    manifest, data = [], b""
    for variable in model.weights:
        name = "/".join(variable.path.split("/")[-2:])
        values = np.asarray(variable.value, "<f4")
        manifest.append({"name": name, "shape": list(values.shape), "dtype": "float32"})
        data += values.tobytes()
    described = {
        "format": "layers-model",
        "generatedBy": "napari-webipred tools/make_demo_model.py",
        "convertedBy": None,
        "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": topology()},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, content in (("model.json", json.dumps(described, indent=1).encode()), ("weights.bin", data)):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system = 0o100644 << 16, 3
            stream.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return memory.getvalue()


def card(data: bytes, held_out: dict, validation: dict) -> dict:
    """Describe the model, with what was measured on the held-out pictures."""
    import skimage
    import tensorflow

    return {
        "schema_version": "1.0",
        "id": "demo",
        "name": "Image quality of microscopy and medical pictures",
        "version": "1",
        "description": (
            "Tells whether a picture is sharp, blurred, noisy, overexposed or underexposed, as it appears at "
            f"{SIDE} x {SIDE} pixels. It comes with the program, to try it without a network, and helps find the bad "
            "pictures in a large set."
        ),
        "task": "multi-class",
        "classes": [{"index": i, "name": name, "label": label} for i, (name, label) in enumerate(CLASSES.items())],
        "input": {"width": SIDE, "height": SIDE, "channels": 3, "channel_order": "RGB"},
        "preprocessing": {"standardize_mode": "tf", "resize_mode": "stretch", "interpolation": "bilinear"},
        "weights": [
            {
                "format": "tfjs-layers",
                "source": {"type": "builtin", "file_key": "demo.zip"},
                "size": len(data),
                "checksum": f"sha256:{hashlib.sha256(data).hexdigest()}",
            }
        ],
        "license": "BSD-3-Clause",
        "authors": [{"name": "The napari-webipred developers"}],
        "citations": [],
        "discipline": "General",
        "procedure": "Image quality",
        "intended_use": "Trying the program, and a first look at the technical quality of pictures. Not for diagnosis.",
        "limitations": (
            "Faults were synthesised, one at a time, on a few photographs and drawings, so real faults may look "
            "different. A picture is judged as it appears at the size of the model's input: a slight blur of a large "
            "picture is not seen. Pictures that are soft by nature, or that have a fine texture, may be called blurred "
            "or noisy; dark pictures with a few bright spots may be called underexposed."
        ),
        "metrics": {
            "accuracy": held_out["accuracy"],
            "held_out": held_out,
            "validation": validation,
            "note": "Measured on pictures of which no part was used in training or to choose the model.",
        },
        "provenance": {
            "command": "python tools/make_demo_model.py",
            "seed": SEED,
            "training_pictures": sorted(TRAINING),
            "validation_pictures": sorted(VALIDATION),
            "held_out_pictures": sorted(HELD_OUT),
            "pictures_from": f"scikit-image {skimage.__version__}, drawings by the script",
            "tensorflow": tensorflow.__version__,
            "numpy": np.__version__,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=5600, help="how many training pictures are made")
    parser.add_argument("--output", type=Path, default=CARDS)
    options = parser.parse_args()
    model = train(options.epochs, options.pictures)
    validation = measure(model, VALIDATION, 1000, SEED + 2)
    held_out = measure(model, HELD_OUT, 1000, SEED + 3)
    data = archive(model)
    (options.output / "demo.zip").write_bytes(data)
    text = json.dumps(card(data, held_out, validation), indent=1, ensure_ascii=False)
    (options.output / "demo.json").write_text(text + "\n", encoding="utf-8")
    json.dump({"validation": validation, "held_out": held_out, "bytes": len(data)}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

"""Train the demo model, which tells sharp, blurred, noisy, over- and underexposed images apart.

    pip install -e '.[train]'
    ...                                                # the two commands at the top of tools/demo-sources.txt
    python tools/make_demo_model.py                    # train and measure the model of the package
    python tools/make_demo_model.py --cross-validate   # measure the way of training on the other sources, too

Writes src/napari_webipred/catalogue/cards/demo.zip and demo.json, and the tables in docs/demo-model.md. What the model
learns from stands in demo_images.py. Images are split by their source: no part of a held-out source is ever trained
on, and nothing is chosen by the held-out ones. On the same machine the same versions give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import demo_images
from demo_images import CLASSES, LIMITS, SEED, SIDE, SOURCES

ROOT = Path(__file__).parents[1]
CARDS = ROOT / "src" / "napari_webipred" / "catalogue" / "cards"
DOCUMENT = ROOT / "docs" / "demo-model.md"
PACKAGES = ROOT / "build" / "demo-sources"
VIEWS = ROOT / "build" / "demo-views"

IMAGES_CODE = hashlib.sha256(Path(demo_images.__file__).read_bytes()).hexdigest()
LEARNED = [name for name, source in SOURCES.items() if not source.held_out]
HELD_OUT = [name for name, source in SOURCES.items() if source.held_out and not source.soft]
SOFT = [name for name, source in SOURCES.items() if source.soft]
SETTINGS = {
    "convolutions": [[16, 3, 2], [24, 3, 2], [48, 3, 2], [64, 3, 2], [96, 3, 1], [96, 1, 1]],  # filters, size, stride
    "images_per_class_and_source": 20,  # twice as many of each way of drawing
    "part": 112,  # pixels; most epochs see only a random square of each image, which costs a quarter
    "epochs_of_parts": 16,
    "epochs_of_whole_images": 2,
    "batch": 32,
    "learning_rate": 3e-3,
    "weight_decay": 1e-3,
    "label_smoothing": 0.05,
    "dropout": 0.1,
    # In cross-validation with equal weights, sharp and blurred images were found less often than the others.
    "class_weights": [2.0, 1.4, 1.0, 1.0, 1.0],
}
FOLDS = 3
STRENGTHS = {  # with their unit
    "gaussian": ("pixels, standard deviation", [0, 0.5, 1, 1.4, 1.8, 2.5, 4]),
    "disc": ("pixels, standard deviation", [1, 1.4, 1.8, 2.5, 4]),
    "movement": ("pixels, length", [3, 6, 9, 14, 18]),
    "noise": ("root mean square", [0.02, 0.04, 0.055, 0.07, 0.1]),
}
JUDGED = {"cross-validation": 15, "held out": 40}  # images per class and source


# --- images ---


def dataset(names: list[str], counts: list[int], seed: int) -> dict[str, tuple]:
    """Make the labelled images of some sources, in two processes, or take those of the last run; see `kept_views`."""
    with ProcessPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(partial(kept_views, seed=seed), names, counts), strict=True))


def kept_views(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return what `demo_images.views` makes; it is kept in the folder ``build``."""
    file = VIEWS / f"{name}-{count}-{seed}-{IMAGES_CODE[:12]}.npz"
    if not file.exists():
        images, labels, share = demo_images.views(name, count, seed, PACKAGES)
        VIEWS.mkdir(parents=True, exist_ok=True)
        np.savez(file, images=images, labels=labels, share=share)
    with np.load(file) as kept:
        return kept["images"], kept["labels"], float(kept["share"])


def learning_set() -> dict[str, tuple]:
    """Make the images that are learned from: of each way of drawing twice as many as of an image."""
    count = SETTINGS["images_per_class_and_source"]
    return dataset(LEARNED, [count * (1 + (SOURCES[name].kind == "drawn")) for name in LEARNED], SEED)


def scaled(images: np.ndarray) -> np.ndarray:
    """Standardise as the card says: from -1 to 1."""
    return images.astype(np.float32) / 127.5 - 1


# --- the network ---


def topology() -> dict:
    """Return the network in the form of Keras 2, which TensorFlow.js reads."""
    layers = [("InputLayer", {"name": "image", "batch_input_shape": [None, SIDE, SIDE, 3], "dtype": "float32"})]
    for number, (filters, size, stride) in enumerate(SETTINGS["convolutions"], 1):
        convolution = {"filters": filters, "kernel_size": [size, size], "strides": [stride, stride], "padding": "same"}
        layers.append(("Conv2D", {"name": f"conv{number}", **convolution, "use_bias": False, "activation": "linear"}))
        layers.append(("BatchNormalization", {"name": f"bn{number}", "axis": [3], "momentum": 0.9, "epsilon": 0.001}))
        layers.append(("Activation", {"name": f"relu{number}", "activation": "relu"}))
    layers.append(("GlobalAveragePooling2D", {"name": "average"}))
    layers.append(("Dropout", {"name": "dropout", "rate": SETTINGS["dropout"]}))
    layers.append(("Dense", {"name": "logits", "units": len(CLASSES), "activation": "linear", "use_bias": True}))
    layers.append(("Activation", {"name": "probabilities", "activation": "softmax"}))
    listed = [{"class_name": class_name, "config": config} for class_name, config in layers]
    return {"class_name": "Sequential", "config": {"name": "image_quality", "layers": listed}}


def network():
    """Build the same network in Keras, for images of any size."""
    import keras

    model = keras.Sequential([keras.Input((None, None, 3))])
    for layer in topology()["config"]["layers"][1:]:
        config = dict(layer["config"])
        if "axis" in config:
            config["axis"] = config["axis"][0]
        model.add(getattr(keras.layers, layer["class_name"])(**config))
    return model


def train(data: dict[str, tuple]):
    """Train on all of these images, first on parts of them, then on the whole; nothing is picked by looking."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images = [image for each in data.values() for image in each[0]]
    labels = np.eye(len(CLASSES), dtype=np.float32)[np.concatenate([each[1] for each in data.values()])]
    weights = labels @ np.asarray(SETTINGS["class_weights"], np.float32)
    batch, parts, whole = (SETTINGS[name] for name in ("batch", "epochs_of_parts", "epochs_of_whole_images"))
    steps = (parts + whole) * (len(images) // batch)
    model = network()
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(SETTINGS["learning_rate"], steps),
            weight_decay=SETTINGS["weight_decay"],
        ),
        keras.losses.CategoricalCrossentropy(label_smoothing=SETTINGS["label_smoothing"]),
        metrics=["accuracy"],
    )
    generator = np.random.default_rng(SEED)
    for epoch in range(parts + whole):
        side = SETTINGS["part"] if epoch < parts else SIDE
        order = generator.permutation(len(images))
        model.reset_metrics()
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            seen = np.stack([part(images[i], side, generator) for i in chosen])
            loss, accuracy = model.train_on_batch(scaled(seen), labels[chosen], weights[chosen])
        reached = f"loss {loss:.3f}, accuracy {accuracy:.3f}"
        print(f"{time.process_time():.0f} s: epoch {epoch + 1} of {parts + whole}: {reached}", flush=True)
    return model


def part(image: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    """Cut a random square out of an image and mirror it at random."""
    top, left = generator.integers(0, SIDE - side + 1, 2)
    return image[top : top + side, left : left + side][:: generator.choice([-1, 1]), :: generator.choice([-1, 1])]


# --- what it is worth ---


def wilson(right: int, count: int) -> list[float]:
    """Return the 95 % interval of a share, after Wilson."""
    z, share = 1.959964, right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return [round(float(max(middle - reach, 0)), 4), round(float(min(middle + reach, 1)), 4)]


def answers(model, images: np.ndarray) -> np.ndarray:
    """Return the class that gets the highest probability, for each image."""
    return model.predict(scaled(images), batch_size=64, verbose=0).argmax(axis=1)


def figures(given: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> dict:
    """Count right and wrong answers, per class, per source and per kind of source."""
    total = np.zeros((len(CLASSES), len(CLASSES)), int)
    counts = {name: np.zeros_like(total) for name in given}
    for name, answer in given.items():
        np.add.at(counts[name], (labels[name], answer), 1)
        total += counts[name]

    def recall(confusion: np.ndarray) -> dict:
        found = np.diag(confusion) / confusion.sum(axis=1)
        return {name: round(float(share), 4) for name, share in zip(CLASSES, found, strict=True)}

    kinds = sorted({SOURCES[name].kind for name in given})
    return {
        "n": int(total.sum()),
        "accuracy": round(float(np.trace(total) / total.sum()), 4),
        "sensitivity": recall(total),
        "sensitivity_interval": {name: wilson(int(total[i, i]), int(total[i].sum())) for i, name in enumerate(CLASSES)},
        "by_kind": {kind: recall(sum(counts[n] for n in given if SOURCES[n].kind == kind)) for kind in kinds},
        "by_source": {name: recall(confusion) for name, confusion in counts.items()},
        "confusion": {"rows": "true class", "columns": "predicted class", "counts": total.tolist()},
    }


def measure(model, data: dict[str, tuple]) -> dict:
    """Judge a model by the images of some sources."""
    return figures(
        {name: answers(model, each[0]) for name, each in data.items()}, {name: each[1] for name, each in data.items()}
    )


def borderline(model) -> list[dict]:
    """Say how often parts of the held-out sources are called blurred or noisy, by the strength of the fault."""
    faults = [(kind, strength) for kind, (_, strengths) in STRENGTHS.items() for strength in strengths]
    parts = [part for name in HELD_OUT for part in demo_images.at_strengths(name, 10, faults, PACKAGES)]
    found = []
    for (kind, strength), images in zip(faults, zip(*parts, strict=True), strict=True):
        called = answers(model, np.stack(images)) == list(CLASSES).index("noisy" if kind == "noise" else "blurred")
        share = round(float(called.mean()), 4)
        found.append({"fault": kind, "strength": strength, "n": len(images), "called_so": share})
    return found


def soft(model) -> dict:
    """Say what parts of sources that are nowhere sharp are called."""
    found = {}
    for name in SOFT:
        given = answers(model, np.stack(demo_images.unspoilt(name, 200, PACKAGES)))
        found[name] = {each: int((given == i).sum()) for i, each in enumerate(CLASSES)}
    return found


def cross_validate() -> None:
    """Train without a third of the sources, three times, and judge by that third; the held-out ones are not used."""
    known = json.loads((CARDS / "demo.json").read_text(encoding="utf-8"))
    if known["provenance"].get("settings") != described():
        raise SystemExit("The card is of other settings: train the model first, without --cross-validate.")
    data = learning_set()
    judged = dataset(LEARNED, [JUDGED["cross-validation"]] * len(LEARNED), SEED + 1)
    by_kind = sorted(LEARNED, key=lambda name: (SOURCES[name].kind, name))
    given: dict[str, np.ndarray] = {}
    for fold in range(FOLDS):
        left_out = by_kind[fold::FOLDS]
        model = train({name: data[name] for name in LEARNED if name not in left_out})
        given |= {name: answers(model, judged[name][0]) for name in left_out}
        print(f"part {fold + 1} of {FOLDS}:", json.dumps(measure(model, {n: judged[n] for n in left_out})), flush=True)
    found = figures(given, {name: judged[name][1] for name in given})
    known["metrics"]["cross_validation"] = found
    write(known)


def described() -> dict:
    """Return all that decides how the model is trained, as it would be read from JSON."""
    return json.loads(json.dumps({**SETTINGS, "folds": FOLDS, "limits": LIMITS, "seed": SEED, "images": IMAGES_CODE}))


# --- the files ---


def archive(model) -> bytes:
    """Write the model as a zip of model.json and weights; equal weights give equal bytes."""
    manifest, data = [], b""
    for variable in model.weights:
        name = "/".join(variable.path.split("/")[-2:])
        values = np.asarray(variable.value, "<f4")
        manifest.append({"name": name, "shape": list(values.shape), "dtype": "float32"})
        data += values.tobytes()
    contents = {
        "format": "layers-model",
        "generatedBy": "napari-webipred tools/make_demo_model.py",
        "convertedBy": None,
        "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": topology()},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, content in (("model.json", json.dumps(contents, indent=1).encode()), ("weights.bin", data)):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system = 0o100644 << 16, 3
            stream.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return memory.getvalue()


def self_test(model) -> dict:
    """Return an image and what the model says of it, by which the program checks the model on each computer."""
    pixels = (demo_images.load("drawn cells", PACKAGES)[0][:64, :64].mean(axis=2) * 255).astype(np.uint8)
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "PNG", optimize=True)
    shown = demo_images.prepare(pixels, demo_images.INPUT, demo_images.Preprocessing(standardize_mode="tf"))[0]
    probabilities = model.predict(shown[None], verbose=0)[0]
    return {
        "image": "data:image/png;base64," + base64.b64encode(memory.getvalue()).decode(),
        "probabilities": [round(float(each), 6) for each in probabilities],
    }


def card(model, data: bytes, found: dict) -> dict:
    """Describe the model, with what was measured."""
    import keras
    import PIL
    import scipy
    import tensorflow

    weakest = min(found["held_out"]["sensitivity"], key=found["held_out"]["sensitivity"].get)
    share = found["held_out"]["sensitivity"][weakest]
    moved = [each["called_so"] for each in found["borderline"] if each["fault"] == "movement"]
    softest = LIMITS["sharp"]["edge_spread_at_most"]
    return {
        "schema_version": "1.0",
        "id": "demo",
        "name": "Image quality of microscopy and medical images",
        "version": "2",
        "description": (
            "Tells whether an image is sharp, blurred, noisy, overexposed or underexposed, as it appears at "
            f"{SIDE} x {SIDE} pixels. It comes with the program, to try it without a network, and helps find the bad "
            "images in a large set."
        ),
        "task": "multi-class",
        "classes": [{"index": i, "name": name, "label": label} for i, (name, label) in enumerate(CLASSES.items())],
        "input": {"width": SIDE, "height": SIDE, "channels": 3, "channel_order": "RGB"},
        "preprocessing": {"standardize_mode": "tf", "resize_mode": "stretch", "interpolation": "bilinear"},
        "views": "symmetries",
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
        "intended_use": "Trying the program, and a first look at the technical quality of images. Not for diagnosis.",
        "limitations": (
            f"On sources it had never seen, the model found {share:.1%} of the images of its weakest class "
            f"({weakest}). The faults were made by a program, one at a time, so real faults may look different. An "
            "image is judged as it appears at the size of the model's input: a slight blur of a large image is not "
            "seen, and a small image that is enlarged looks blurred. An image counts as sharp if its strongest edges "
            f"are no softer than {softest} pixels there; an image that is soft by nature may be called blurred. "
            f"Movement is often missed: of images that moved by {STRENGTHS['movement'][1][-1]} pixels, {moved[-1]:.0%} "
            f"are called blurred. Between the limits (blur of {softest} to {LIMITS['blurred']['spread'][0]} pixels, "
            f"noise of {LIMITS['sharp']['noise_at_most']:.0%} to {LIMITS['noisy']['noise'][0]:.0%} of the range) the "
            "model may give either answer."
        ),
        "metrics": {
            "accuracy": found["held_out"]["accuracy"],
            **found,
            "note": "Held out: sources of which no part was used in training or to choose how to train.",
        },
        "test": self_test(model),
        "provenance": {
            "command": "python tools/make_demo_model.py",
            "settings": described(),
            "learned_from": {name: f"{SOURCES[name].package or 'drawn'}" for name in LEARNED},
            "held_out": {name: f"{SOURCES[name].package or 'drawn'}" for name in [*HELD_OUT, *SOFT]},
            "versions": {
                "keras": keras.__version__,
                "numpy": np.__version__,
                "pillow": PIL.__version__,
                "scipy": scipy.__version__,
                "tensorflow": tensorflow.__version__,
            },
        },
    }


def tables(found: dict) -> dict[str, str]:
    """Return the tables of the document, by their names; without a cross-validation, without its tables."""
    percent = "{:.1%}".format

    def per_class(each: dict) -> str:
        rows = [
            "| true class | " + " | ".join(CLASSES) + " | found | 95 % interval |",
            "|---" * (len(CLASSES) + 3) + "|",
        ]
        for name, row in zip(CLASSES, each["confusion"]["counts"], strict=True):
            low, high = each["sensitivity_interval"][name]
            numbers = " | ".join(map(str, row))
            rows.append(
                f"| {name} | {numbers} | {percent(each['sensitivity'][name])} | {percent(low)} to {percent(high)} |"
            )
        return "\n".join([*rows, "", f"Accuracy **{percent(each['accuracy'])}** on {each['n']} images."])

    def per(key: str, heading: str, each: dict) -> str:
        rows = [f"| {heading} | " + " | ".join(CLASSES) + " |", "|---" * (len(CLASSES) + 1) + "|"]
        rows += [f"| {name} | " + " | ".join(map(percent, row.values())) + " |" for name, row in each[key].items()]
        return "\n".join(rows)

    def strengths() -> str:
        rows = ["| fault | strength | called blurred, or noisy |", "|---|---|---|"]
        for each in found["borderline"]:
            unit = STRENGTHS[each["fault"]][0]
            rows.append(f"| {each['fault']} | {each['strength']} ({unit}) | {percent(each['called_so'])} |")
        return "\n".join(rows)

    def softness() -> str:
        rows = ["| source | " + " | ".join(CLASSES) + " |", "|---" * (len(CLASSES) + 1) + "|"]
        return "\n".join(
            rows + [f"| {n} | " + " | ".join(map(str, row.values())) + " |" for n, row in found["soft"].items()]
        )

    def sources() -> str:
        rows = [
            "| source | kind | package and file | licence | used for | parts that are sharp |",
            "|---|---|---|---|---|---|",
        ]
        for name, each in SOURCES.items():
            use = "soft" if each.soft else "held out" if each.held_out else "learning"
            file = f"{each.package.rstrip('-')}: `{each.file}`" if each.file else "tools/demo_images.py"
            kept = found["sharp_parts"].get(name)
            sharp = percent(kept) if kept is not None else "none"
            rows.append(f"| {name} | {each.kind} | {file} | {each.licence or 'BSD-3-Clause'} | {use} | {sharp} |")
        return "\n".join(rows)

    made = {"borderline": strengths(), "soft": softness(), "sources": sources()}
    for key in [each for each in ("held_out", "cross_validation") if each in found]:
        name = key.replace("_", "-")
        made[name] = per_class(found[key])
        made[f"{name}-by-kind"] = per("by_kind", "kind of source", found[key])
        made[f"{name}-by-source"] = per("by_source", "source", found[key])
    return made


def write(described_model: dict) -> None:
    """Write the card, and its tables into the document, between the marks that bear their names."""
    text = json.dumps(described_model, indent=1, ensure_ascii=False)
    (CARDS / "demo.json").write_text(text + "\n", encoding="utf-8")
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in tables(described_model["metrics"]).items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(start, 1)
        text = before + start + "\n" + table + "\n\n" + end + rest.split(end, 1)[1]
    DOCUMENT.write_text(text, encoding="utf-8")


def make() -> None:
    """Train on all sources that are not held out, judge by those that are, and write the files."""
    learned = learning_set()
    held_out = dataset(HELD_OUT, [JUDGED["held out"]] * len(HELD_OUT), SEED + 2)
    model = train(learned)
    found = {
        "held_out": measure(model, held_out),
        "borderline": borderline(model),
        "soft": soft(model),
        "sharp_parts": {name: round(each[2], 3) for name, each in (learned | held_out).items()},
    }
    data = archive(model)
    (CARDS / "demo.zip").write_bytes(data)
    write(card(model, data, found))
    print(json.dumps(found["held_out"], indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cross-validate", action="store_true", help="judge the way of training, make no model")
    if parser.parse_args().cross_validate:
        cross_validate()
    else:
        make()


if __name__ == "__main__":
    main()

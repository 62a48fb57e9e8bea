"""Compare networks of keras.applications as compiled here with Keras 2 and TensorFlow.js.

    pip install tensorflow tf-keras
    npm install --prefix FOLDER @tensorflow/tfjs@4.22.0
    python tools/make_fidelity.py FOLDER

Writes the table of docs/fidelity.md, and tests/goldens/networks.zip with one network of each family. The networks have
their full depth but a fraction of their width, and weights by formula, so every run gives the same numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from goldens import networks  # noqa: E402
from napari_webipred.runtime.compiler import compile_model  # noqa: E402
from napari_webipred.runtime.session import Session  # noqa: E402
from napari_webipred.runtime.tfjs import read_layers_model  # noqa: E402

DOCUMENT = ROOT / "docs" / "fidelity.md"
GOLDENS = ROOT / "tests" / "goldens" / "networks.zip"
CLASSES = 7
NARROW = 8
# What stands between these lines of the document is written by this script.
BEGIN = "<!-- measured networks -->"
END = "<!-- end of measured networks -->"


class Family(NamedTuple):
    """Networks of one kind: the side of their images in pixels, the range of values, the gain of their kernels."""

    variants: str
    side: int
    low: float = -1
    high: float = 1
    gain: float = 1.7


# The first variant of each family is stored as a golden.
FAMILIES = {
    "VGG": Family("VGG16 VGG19", 40, gain=2),
    "ResNet": Family("ResNet50 ResNet101 ResNet152", 64, gain=1.4),
    "ResNet V2": Family("ResNet50V2 ResNet101V2 ResNet152V2", 64, gain=1.4),
    "DenseNet": Family("DenseNet121 DenseNet169 DenseNet201", 64, gain=2),
    "Inception V3": Family("InceptionV3", 75, gain=2),
    "Inception-ResNet V2": Family("InceptionResNetV2", 75),
    "Xception": Family("Xception", 75),
    "NASNet": Family("NASNetMobile NASNetLarge", 64),
    "MobileNet": Family("MobileNet", 64, gain=2),
    "MobileNet V2": Family("MobileNetV2", 65),
    "MobileNet V3": Family("MobileNetV3Small MobileNetV3Large", 64, 0, 255),
    "EfficientNet": Family("EfficientNetB0 EfficientNetB4", 65, 0, 255, 2.6),
    "EfficientNet V2": Family("EfficientNetV2B0", 64, 0, 255, 2),
    "EfficientNet V2 S": Family("EfficientNetV2S", 64, 0, 255, 1.4),
    "ConvNeXt": Family("ConvNeXtTiny", 64, 0, 255),
    "RegNet X": Family("RegNetX002 RegNetX016", 64, 0, 255),
    "RegNet Y": Family("RegNetY002 RegNetY016", 64, 0, 255),
    "ResNet-RS": Family("ResNetRS50", 64, 0, 255),
}


class Network(NamedTuple):
    """A network as a TensorFlow.js model, the formula of its weights, and what Keras computes."""

    topology: dict[str, Any]
    shapes: dict[str, list[int]]
    gain: float
    images: NDArray[np.float32]
    logits: NDArray[np.float32]


def network(variant: str, family: Family, keras: Any) -> Network:
    """Build a variant, see `built`, and let Keras compute with it."""
    model = built(variant, family, keras)
    shapes = shapes_of(model)
    model.set_weights([networks.weight(name, shape, family.gain) for name, shape in shapes.items()])
    for layer in model.layers:
        if type(layer).__name__ == "Normalization" and hasattr(layer, "finalize_state"):
            layer.finalize_state()  # Keras 3 looks at the weights of this layer when they are loaded from a file alone
    images = networks.images((2, family.side, family.side, 3), family.low, family.high)
    logits = np.asarray(model(images, training=False))
    return Network(topology_of(model, keras), shapes, family.gain, images, logits)


def shapes_of(model: Any) -> dict[str, list[int]]:
    """Return the shapes of the weights of a model of Keras 2 or 3, by name."""
    names = [v.path if hasattr(v, "path") else v.name.removesuffix(":0") for v in model.weights]
    return {name: [int(n) for n in v.shape] for name, v in zip(names, model.weights, strict=True)}


def topology_of(model: Any, keras: Any) -> dict[str, Any]:
    """Return a model as TensorFlow.js stores it."""
    document = json.loads(model.to_json())
    return {"keras_version": document.pop("keras_version", keras.__version__), "model_config": document}


def built(variant: str, family: Family, keras: Any) -> Any:
    """Build a variant with all its layers, a fraction of its width, and logits for output, in Keras 2 or 3."""
    keras.backend.clear_session()
    if variant.startswith("NASNet"):
        model = _narrow_nasnet(variant, family.side, keras)
    else:
        options = {"weights": None, "classes": CLASSES, "classifier_activation": None}
        full = getattr(keras.applications, variant)(input_shape=(family.side, family.side, 3), **options)
        config = json.loads(full.to_json())
        _narrow(config)
        source = keras.__name__ + ".src.applications"
        custom = {
            "LayerScale": import_module(f"{source}.convnext").LayerScale,
            "CustomScaleLayer": import_module(f"{source}.inception_resnet_v2").CustomScaleLayer,
        }
        model = keras.models.model_from_json(json.dumps(config), custom)
    return model


def _narrow_nasnet(variant: str, side: int, keras: Any) -> Any:
    build = import_module(keras.__name__ + ".src.applications.nasnet").NASNet
    blocks, stem, skip = {"NASNetMobile": (4, 8, False), "NASNetLarge": (6, 16, True)}[variant]
    sizes = {"penultimate_filters": 192, "num_blocks": blocks, "stem_block_filters": stem, "skip_reduction": skip}
    options = {"weights": None, "classes": CLASSES, "classifier_activation": None, "default_size": side}
    return build(input_shape=(side, side, 3), **sizes, **options)


def _narrow(value: Any) -> None:
    """Divide the widths in the config of a network, in place."""
    if isinstance(value, list):
        for entry in value:
            _narrow(entry)
    elif isinstance(value, dict):
        for key in ("build_config", "build_input_shape"):  # they would build layers of the full width
            value.pop(key, None)
        if value.get("groups", 1) == value.get("filters"):
            value["groups"] = _narrower(value["groups"])
        for key in ("filters", "units", "projection_dim"):
            if isinstance(value.get(key), int) and value[key] != CLASSES:
                value[key] = _narrower(value[key])
        for key in ("batch_input_shape", "batch_shape"):
            shape = value.get(key) or [3]
            if shape[-1] != 3:
                shape[-1] = _narrower(shape[-1])
        target = value.get("target_shape") or []
        if target[:-1] == [1, 1]:
            target[-1] = _narrower(target[-1])
        for entry in value.values():
            _narrow(entry)


def _narrower(width: int) -> int:
    return -(-width // NARROW)


def files_of(made: Network) -> dict[str, bytes]:
    """Return the files of the TensorFlow.js model."""
    entries = [{"name": name, "shape": shape, "dtype": "float32"} for name, shape in made.shapes.items()]
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    document = {"format": "layers-model", "modelTopology": made.topology, "weightsManifest": manifest}
    data = b"".join(networks.weight(name, shape, made.gain).tobytes() for name, shape in made.shapes.items())
    return {"model.json": json.dumps(document).encode(), "weights.bin": data}


def tensorflow_js(folder: Path, made: Network) -> NDArray[np.float32] | str:
    """Return the logits of TensorFlow.js, or why it does not load the network."""

    def described(array: NDArray[np.float32]) -> dict[str, Any]:
        return {"shape": list(array.shape), "values": array.ravel().tolist()}

    weights = {name: described(networks.weight(name, shape, made.gain)) for name, shape in made.shapes.items()}
    case = {"topology": made.topology["model_config"], "weights": weights, "input": described(made.images)}
    with tempfile.TemporaryDirectory() as scratch:
        given, outputs = Path(scratch, "cases.json"), Path(scratch, "outputs.json")
        given.write_text(json.dumps({"network": case}), encoding="utf-8")
        script = Path(__file__).with_name("make_goldens.mjs")
        try:
            run = subprocess.run(
                ["node", script, folder, given, outputs], check=False, capture_output=True, text=True, timeout=60
            )
        except subprocess.TimeoutExpired:
            return "does not finish loading"
        refusal = re.search(r"refuses the case network: (.*?)(?:\. This may be|\.?$)", run.stderr, re.MULTILINE)
        if refusal:
            return refusal[1]
        run.check_returncode()
        return np.float32(json.loads(outputs.read_text(encoding="utf-8"))["network"]["values"]).reshape(-1, CLASSES)


def difference(made: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the largest difference in parts of the largest logit."""
    return float(np.abs(made - expected).max() / np.abs(expected).max())


def measure(folder: Path, archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the lines of the table, and put the first variant of each family into the archive."""
    import keras
    import tf_keras

    yield "| network | written by | layers | weights | from Keras | from TensorFlow.js |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for family in FAMILIES.values():
        for place, variant in enumerate(family.variants.split()):
            for major, source in ((2, tf_keras), (3, keras)):
                if (major == 3 and place > 0) or not hasattr(source.applications, variant):
                    continue
                made = network(variant, family, source)
                session = Session(compile_model(read_layers_model(files_of(made))), 2)
                ours = session.predict(made.images)
                browser = tensorflow_js(folder, made) if major == 2 else "written in a form that it does not read"
                shown = shorten(browser, 80) if isinstance(browser, str) else f"{difference(ours, browser):.0e}"
                layers = _layers(made.topology)
                numbers = sum(int(np.prod(shape)) for shape in made.shapes.values())
                yield (
                    f"| {variant} | Keras {major} | {layers} | {numbers:,} | {difference(ours, made.logits):.0e} "
                    f"| {shown} |"
                )
                if place == 0:
                    golden = made._asdict() | {
                        "pictures": [*made.images.shape, family.low, family.high],
                        "logits": [[float(f"{value:.8g}") for value in row] for row in made.logits],
                    }
                    archive.writestr(f"{variant} of Keras {major}.json", json.dumps(golden))


def _layers(value: Any) -> int:
    """Count the layers of a topology, those of nested models too."""
    if isinstance(value, list):
        return sum(map(_layers, value))
    if not isinstance(value, dict):
        return 0
    own = isinstance(value.get("layers"), list) and sum("config" in layer for layer in value["layers"])
    return int(own) + sum(map(_layers, value.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where @tensorflow/tfjs 4.22 is installed")
    folder: Path = parser.parse_args().folder
    lines = []
    with zipfile.ZipFile(GOLDENS, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for line in measure(folder, archive):
            print(line, flush=True)
            lines.append(line)
    before, _, after = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    rest = after.partition(END)[2]
    DOCUMENT.write_text("\n".join([before + BEGIN, "", *lines, "", END + rest]), encoding="utf-8")


if __name__ == "__main__":
    main()

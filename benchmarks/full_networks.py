"""Networks of full width: `python benchmarks/full_networks.py DenseNet121|VGG16 FOLDER`, or `... mean FOLDER CLASSES`.

The first two are those of `tests/goldens/networks.zip`, which have an eighth of the width, with eight times as many
channels, images of 224 x 224 pixels, two classes and weights by formula. The last gives the mean of an image to a dense
layer. All are written as TensorFlow.js models. `... graph MODEL FILE` compiles a model without the rewrites that the
compiler had not when the goals were set: what those who compute by hand get.
"""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

GOLDENS = Path(__file__).resolve().parents[1] / "tests" / "goldens" / "networks.zip"
WIDER, SIDE, CLASSES = 8, 224, 2
BOUNDS = {"gamma": (0.8, 1.2), "moving_mean": (-0.1, 0.1), "moving_variance": (0.8, 1.2)}


def wider(network: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return the topology of a network with all its channels, and the shapes of its weights."""
    with zipfile.ZipFile(GOLDENS) as archive:
        stored = json.loads(archive.read(f"{network} of Keras 2.json"))
    topology, shapes = stored["topology"], stored["shapes"]
    layers = topology["model_config"]["config"]["layers"]
    for layer in layers:
        config = layer["config"]
        layer.pop("build_config", None)
        for name in {"filters", "units"} & config.keys():
            config[name] *= WIDER
        if "batch_input_shape" in config:
            config["batch_input_shape"] = [None, SIDE, SIDE, 3]
    layers[-1]["config"] |= {"units": CLASSES, "activation": "softmax"}
    wide = {name: [n if n == 3 else WIDER * n for n in shape[-2:]] for name, shape in shapes.items()}
    made = {name: [*shape[:-2], *wide[name]] for name, shape in shapes.items()}
    last = layers[-1]["config"]["name"]
    made[f"{last}/kernel"][-1] = made[f"{last}/bias"][-1] = CLASSES
    if "fc1/kernel" in made:  # as many places as images of this size have
        made["fc1/kernel"][0] = 7 * 7 * 512
    return topology, made


def mean(classes: int) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return a network that gives the mean of an image to a dense layer."""
    image = {"name": "image", "batch_input_shape": [None, 32, 32, 3]}
    layers = [
        {"class_name": "InputLayer", "config": image},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "mean"}},
        {"class_name": "Dense", "config": {"name": "head", "units": classes, "activation": "softmax"}},
    ]
    topology = {"model_config": {"class_name": "Sequential", "config": {"name": "mean", "layers": layers}}}
    return topology, {"head/kernel": [3, classes], "head/bias": [classes]}


def weight(name: str, shape: list[int]) -> np.ndarray:
    """Return a trained tensor: kernels keep the variance of what goes through them about the same."""
    edge = np.sqrt(6 / max(1, int(np.prod(shape[:-1])))) if len(shape) > 1 else 0.1
    low, high = BOUNDS.get(name.rsplit("/", 1)[-1], (-edge, edge))
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return (low + (high - low) * random.random(shape, np.float32)).astype("<f4")


def write(topology: dict[str, Any], shapes: dict[str, list[int]], folder: Path) -> None:
    """Write a TensorFlow.js model."""
    folder.mkdir(parents=True)
    entries = [{"name": name, "shape": shape, "dtype": "float32"} for name, shape in shapes.items()]
    document = {"format": "layers-model", "modelTopology": topology}
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    (folder / "model.json").write_text(json.dumps(document | {"weightsManifest": manifest}), "utf-8")
    with (folder / "weights.bin").open("wb") as file:
        for name, shape in shapes.items():
            file.write(weight(name, shape).data)
    classes = shapes[next(reversed(shapes))][-1]
    (folder / "labels.txt").write_text("".join(f"class {number}\n" for number in range(classes)), "utf-8")


def compile_as_before(model: Path, graph: Path) -> None:
    """Compile a model without rewrites."""
    from napari_webipred.archive.model_files import open_files
    from napari_webipred.runtime import rewrites
    from napari_webipred.runtime.compiler import compile_model
    from napari_webipred.runtime.tfjs import read_layers_model

    rewrites.REWRITES = ()
    graph.write_bytes(compile_model(read_layers_model(open_files(model))))


def main() -> None:
    """Write what is asked for."""
    what, *rest = sys.argv[1:]
    if what == "graph":
        compile_as_before(Path(rest[0]), Path(rest[1]))
    elif what == "mean":
        write(*mean(int(rest[1])), Path(rest[0]))
    else:
        write(*wider(what), Path(rest[0]))


if __name__ == "__main__":
    main()

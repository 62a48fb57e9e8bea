"""Make tests/goldens/graphs: small TensorFlow graphs, and what TensorFlow.js and TensorFlow compute with them.

    npm install --prefix FOLDER @tensorflow/tfjs@4.22.0
    python tools/make_graph_goldens.py FOLDER

Needs tensorflow, tf_keras and Node 18 or newer. Each model is saved by Keras as a SavedModel, which is kept for one of
them, then frozen and optimised as the TensorFlow.js converter does it, and written as a graph model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.framework import tensor_util
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.training.saver import export_meta_graph

GOLDENS = Path(__file__).parents[1] / "tests" / "goldens" / "graphs"
# What the TensorFlow.js converter 4.22 asks the optimiser for, one pass after the other.
PASSES = (
    ["debug_stripper", "pruning", "constfold", "arithmetic", "dependency", "pruning", "constfold", "arithmetic"],
    ["remap", "constfold", "arithmetic", "dependency"],
)
RUN = """
import * as tf from '@tensorflow/tfjs';
import fs from 'node:fs';
console.warn = () => {};
const [folder] = process.argv.slice(2);
const j = JSON.parse(fs.readFileSync(folder + '/model.json'));
const { shape, values } = JSON.parse(fs.readFileSync(folder + '/x.json'));
const specs = j.weightsManifest.flatMap(g => g.weights);
const data = fs.readFileSync(folder + '/' + j.weightsManifest[0].paths[0]);
const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
await tf.setBackend('cpu');
const m = await tf.loadGraphModel({ load: async () => ({ ...j, weightSpecs: specs, weightData }) });
const y = m.predict(tf.tensor(values, shape));
console.log(JSON.stringify(Array.from((Array.isArray(y) ? y.at(-1) : y).dataSync())));
"""


def plain(k: Any) -> Any:
    """Convolutions, pooling, normalisation and a dense head: what nearly every network has."""
    x = image = k.Input((20, 17, 3), name="image")
    x = k.layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = k.layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.ReLU(6.0)(x)
    x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.LeakyReLU()(x)
    y = k.layers.Conv2D(8, 1, padding="same", activation="elu")(x)
    x = k.layers.Add()([x, y])
    x = k.layers.Concatenate()([k.layers.MaxPooling2D(2)(x), k.layers.AveragePooling2D(2, padding="valid")(x)])
    x = k.layers.SeparableConv2D(12, 3, activation="relu")(k.layers.ZeroPadding2D(1)(x))
    x = k.layers.Dropout(0.5)(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    x = k.layers.Dense(6, activation="tanh")(x)
    return k.Model(image, k.layers.Dense(4, activation="softmax")(x))


def gated(k: Any) -> Any:
    """Squeeze and excitation, swish, cropping, resizing, dense layers on pixels, a single sigmoid."""
    x = image = k.Input((16, 16, 1), name="image")
    x = k.layers.Conv2D(8, 3, dilation_rate=2, activation="swish")(x)
    s = k.layers.GlobalAveragePooling2D()(x)
    s = k.layers.Reshape((1, 1, 8))(s)
    s = k.layers.Conv2D(2, 1, activation="relu")(s)
    s = k.layers.Conv2D(8, 1, activation="sigmoid")(s)
    x = k.layers.Multiply()([x, s])
    x = k.layers.Cropping2D(((1, 2), (0, 1)))(x)
    x = k.layers.UpSampling2D(2, interpolation="nearest")(x)
    x = k.layers.Conv2D(8, 3, groups=1, strides=2, activation="softplus")(x)
    if k is keras:  # Keras 2 makes of it a batch normalisation in training, which TensorFlow.js cannot compute
        x = k.layers.LayerNormalization()(x)
    x = k.layers.Dense(6, activation="relu")(x)
    x = k.layers.Permute((2, 1, 3))(x)
    x = k.layers.Flatten()(x)
    return k.Model(image, k.layers.Dense(1, activation="sigmoid")(x))


MODELS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "plain-keras2": (plain, tf_keras),
    "plain-keras3": (plain, keras),
    "gated-keras2": (gated, tf_keras),
    "gated-keras3": (gated, keras),
}


def scattered(model: Any, seed: int) -> Any:
    """Give a model weights with which its activations stay of order one."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        name, shape = getattr(weight, "path", weight.name), tuple(weight.shape)
        if "kernel" in name:
            size = np.prod(shape[:2]) if "depthwise" in name else np.prod(shape[:-1])
            weight.assign(random.normal(0, np.sqrt(2 / size), shape))
        elif "variance" in name or "gamma" in name:
            weight.assign(random.uniform(0.7, 1.3, shape))
        elif name.rpartition("/")[2].split(":")[0] in {"bias", "beta", "moving_mean"}:
            weight.assign(random.normal(0, 0.1, shape))
    return model


def saved(model: Any, k: Any, folder: Path) -> None:
    """Write a SavedModel."""
    if k is keras:
        model.export(folder, verbose=False)
    else:
        model.save(folder, save_format="tf")


def graph_model(saved_model: Path, folder: Path) -> None:
    """Freeze and optimise a SavedModel, and write it as a TensorFlow.js graph model."""
    loaded = tf.saved_model.load(saved_model)  # keeps the variables alive
    function = loaded.signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function)
    graph = frozen.graph.as_graph_def()
    inputs = [t.name for t in frozen.inputs if t.dtype != tf.resource]
    outputs = [t.name for t in frozen.outputs]
    for passes in PASSES:
        graph = optimised(graph, inputs, outputs, passes)
    specs, data = [], b""
    for node in graph.node:
        if node.op == "Const":
            value = tensor_util.MakeNdarray(node.attr["value"].tensor)
            value = value.astype({"f": "<f4", "i": "<i4", "b": "|b1"}[value.dtype.kind])
            kind = {"f": "float32", "i": "int32", "b": "bool"}[value.dtype.kind]
            specs.append({"name": node.name, "shape": list(value.shape), "dtype": kind})
            data += value.tobytes()
            for field in ("tensor_content", "float_val", "int_val", "bool_val", "int64_val"):
                node.attr["value"].tensor.ClearField(field)
    named = {t.name: {"name": t.name} for t in frozen.inputs if t.dtype != tf.resource}
    signature = {"inputs": named, "outputs": {t.name.split(":")[0]: {"name": t.name} for t in frozen.outputs}}
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "format": "graph-model",
        "modelTopology": MessageToDict(graph, preserving_proto_field_name=False),
        "signature": signature,
        "weightsManifest": [{"paths": ["weights.bin"], "weights": specs}],
    }
    (folder / "model.json").write_text(json.dumps(document, separators=(",", ":")))
    (folder / "weights.bin").write_bytes(data)


def optimised(graph: Any, inputs: list[str], outputs: list[str], passes: list[str]) -> Any:
    """Run the graph optimiser."""
    with tf.Graph().as_default() as g:
        tf.import_graph_def(graph, name="")
        meta = export_meta_graph(graph_def=graph, graph=g)
    collection = meta_graph_pb2.CollectionDef()
    collection.node_list.value.extend([*inputs, *outputs])
    meta.collection_def["train_op"].CopyFrom(collection)
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers[:] = passes
    config.graph_options.rewrite_options.meta_optimizer_iterations = 1
    return tf_optimizer.OptimizeGraph(config, meta)


def by_tfjs(modules: Path, folder: Path, x: np.ndarray) -> list[float]:
    """Return what TensorFlow.js computes."""
    script = modules / "run-graph.mjs"
    script.write_text(RUN)
    (folder / "x.json").write_text(json.dumps({"shape": x.shape, "values": x.ravel().tolist()}))
    done = subprocess.run(["node", script, folder], capture_output=True, text=True, cwd=modules)
    (folder / "x.json").unlink()
    script.unlink()
    if done.returncode:
        raise SystemExit(f"{folder.name}: {done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=Path, help="folder in which @tensorflow/tfjs is installed")
    modules = parser.parse_args().modules
    GOLDENS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for seed, (name, (build, k)) in enumerate(MODELS.items()):
            model = scattered(build(k), seed)
            place = Path(scratch) / name
            saved(model, k, place / "saved")
            graph_model(place / "saved", place / "tfjs")
            x = np.random.default_rng(seed).uniform(0, 255 if "plain" in name else 9, (3, *model.input_shape[1:]))
            x = np.round(x, 3).astype(np.float32)
            here = model.predict(x, verbose=0)
            there = np.array(by_tfjs(modules, place / "tfjs", x), np.float32).reshape(here.shape)
            print(f"{name}: TensorFlow and TensorFlow.js differ by {np.abs(here - there).max():.1e}")
            np.savez_compressed(GOLDENS / f"{name}.npz", x=x, tensorflow=here, tensorflowjs=there)
            for part in ("tfjs", "saved"):
                with zipfile.ZipFile(GOLDENS / f"{name}-{part}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                    for path in sorted((place / part).rglob("*")):
                        if path.is_file():
                            archive.write(path, path.relative_to(place / part))
            shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())

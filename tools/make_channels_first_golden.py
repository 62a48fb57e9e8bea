"""Make tests/goldens/channels_first.zip: a graph model whose image has its channels first, and TensorFlow.js's numbers.

    npm install --prefix FOLDER @tensorflow/tfjs@4.22.0
    python tools/make_channels_first_golden.py FOLDER

Needs Node 18 or newer. The graph is as converters from PyTorch write it: what comes is scaled and padded as it is,
turned for a convolution, and turned back.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parents[1] / "tests" / "goldens" / "channels_first.zip"
RUN = """
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
const [folder, model] = process.argv.slice(2);
console.warn = () => {};
const tf = createRequire(path.resolve(folder, 'index.js'))('@tensorflow/tfjs');
await tf.setBackend('cpu');
const j = JSON.parse(fs.readFileSync(model + '/model.json'));
const { shape, values } = JSON.parse(fs.readFileSync(model + '/x.json'));
const data = fs.readFileSync(model + '/w.bin');
const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const weightSpecs = j.weightsManifest[0].weights;
const m = await tf.loadGraphModel({ load: async () => ({ ...j, weightSpecs, weightData }) });
console.log(JSON.stringify(Array.from(m.predict(tf.tensor(values, shape)).dataSync())));
"""


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": {"T": {"type": "DT_FLOAT"}, **attributes}}


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def main() -> None:
    """Write the golden."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where @tensorflow/tfjs is installed")
    folder = parser.parse_args().folder.resolve()
    random = np.random.default_rng(5)

    def uniform(*shape: int) -> Any:
        return random.uniform(-1, 1, shape).astype("<f4")

    constants = {
        "scale": uniform(1, 3, 1, 1),
        "pads": np.array([[0, 0], [0, 0], [1, 2], [3, 1]], "<i4"),
        "perm": np.array([0, 2, 3, 1], "<i4"),
        "kernel": uniform(3, 3, 3, 5),
        "bias": uniform(5),
        "back": np.array([0, 3, 1, 2], "<i4"),
        "axes": np.array([2, 3], "<i4"),
        "dense": uniform(5, 4),
    }
    types = {name: "DT_INT32" if array.dtype == np.int32 else "DT_FLOAT" for name, array in constants.items()}
    sizes = {"shape": {"dim": [{"size": size} for size in ("-1", "3", "10", "12")]}}
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    last = {"data_format": text("NHWC")}
    nodes = [
        *({"name": name, "op": "Const", "attr": {"dtype": {"type": kind}}} for name, kind in types.items()),
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape=sizes),
        node("scaled", "Mul", "x", "scale"),
        node("padded", "Pad", "scaled", "pads"),
        node("turned", "Transpose", "padded", "perm"),
        node("convolved", "Conv2D", "turned", "kernel", strides=ones, dilations=ones, padding=text("VALID"), **last),
        node("biased", "BiasAdd", "convolved", "bias", **last),
        node("positive", "Relu", "biased"),
        node("turned_back", "Transpose", "positive", "back"),
        node("mean", "Mean", "turned_back", "axes", keep_dims={"b": False}),
        node("logits", "MatMul", "mean", "dense", transpose_a={"b": False}, transpose_b={"b": False}),
        node("y", "Softmax", "logits"),
    ]
    weights = [
        {"name": name, "shape": list(array.shape), "dtype": "int32" if array.dtype == np.int32 else "float32"}
        for name, array in constants.items()
    ]
    document = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "versions": {"producer": 27}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }
    x = uniform(3, 3, 10, 12)
    files = {
        "model.json": json.dumps(document).encode(),
        "w.bin": b"".join(array.tobytes() for array in constants.values()),
        "x.json": json.dumps({"shape": x.shape, "values": x.ravel().tolist()}).encode(),
    }
    with tempfile.TemporaryDirectory() as made:
        for name, content in files.items():
            (Path(made) / name).write_bytes(content)
        (Path(made) / "run.mjs").write_text(RUN, encoding="utf-8")
        command = ["node", str(Path(made) / "run.mjs"), str(folder), made]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    y = np.array(json.loads(answer), np.float32).reshape(3, 4)
    with zipfile.ZipFile(GOLDEN, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("model.json", "w.bin"):
            archive.writestr(zipfile.ZipInfo(name), files[name])
        for name, array in (("x.npy", x), ("y.npy", y)):
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(zipfile.ZipInfo(name), stream.getvalue())


if __name__ == "__main__":
    main()

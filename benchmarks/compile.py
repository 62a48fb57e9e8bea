"""How long compiling takes, and how much memory: `python benchmarks/compile.py FOLDER`, with Keras 3 installed.

Makes full-size networks of keras.applications with weights by formula, as TensorFlow.js files below FOLDER, and
measures reading and compiling each in a process of its own. The goal: at most one second, and three times the size of
the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ("DenseNet121", "EfficientNetB0", "ResNet50", "VGG16", "InceptionV3", "ConvNeXtTiny")
REPEATS = 5
CHILD = """
import json, sys, time
from pathlib import Path
from napari_webipred.archive.model_files import open_files
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.tfjs import read_layers_model
import onnx

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

before = memory("VmRSS")
begin = time.perf_counter()
graph = compile_model(read_layers_model(open_files(Path(sys.argv[1]))))
print(json.dumps([time.perf_counter() - begin, memory("VmHWM") - before, len(graph) / 2**20]))
"""


def make(network: str, folder: Path) -> None:
    """Write a network with all its channels as a TensorFlow.js model."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
    import keras

    from goldens import networks

    model = getattr(keras.applications, network)(weights=None)
    arrays = {v.path: networks.weight(v.path, v.shape, 1.7) for v in model.weights}
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in arrays.items()]
    document = json.loads(model.to_json())
    topology = {"keras_version": keras.__version__, "model_config": document}
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"".join(array.astype("<f4").tobytes() for array in arrays.values()))
    (folder / "model.json").write_text(
        json.dumps({"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}), "utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    print(f"{'network':16}{'weights, MB':>12}{'seconds':>10}{'peak, MB':>10}{'times the weights':>19}")
    for network in NETWORKS:
        if not (folder / network).exists():
            make(network, folder / network)
        runs = []
        for _ in range(REPEATS):
            done = subprocess.run(
                [sys.executable, "-c", CHILD, folder / network], stdout=subprocess.PIPE, text=True, check=True
            )
            runs.append(json.loads(done.stdout))
        seconds, peak, _ = (median(values) for values in zip(*runs, strict=True))
        weights = (folder / network / "weights.bin").stat().st_size / 2**20
        print(f"{network:16}{weights:12.1f}{seconds:10.2f}{peak:10.0f}{peak / weights:19.2f}")


if __name__ == "__main__":
    main()

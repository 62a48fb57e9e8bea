"""The same as `bare.py` with all that is known to make it faster: the mark that napari-webipred is measured against.

`python benchmarks/tuned.py --save GRAPH.onnx FOLDER` stores what ONNX Runtime optimises for this processor, with the
weights in a file of their own; `python benchmarks/tuned.py FOLDER IMAGE...` prints a line of probabilities per image.
An image is read while the session opens, grey images are resized before they get three channels, the plan for a size is
made once.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from PIL import Image

SIZE = 224
SCALE = (1 / (255 * np.array([0.229, 0.224, 0.225]))).astype(np.float32)
SHIFT = (-np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
GRAPH, WEIGHTS = "optimised.onnx", "weights.bin"


def save(graph: str, folder: str) -> None:
    """Store the optimised graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(Path(folder, GRAPH))
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def open_session(folder: str, threads: int) -> onnxruntime.InferenceSession:
    """Open what `save` has stored."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(Path(folder, GRAPH)), options, providers=["CPUExecutionProvider"])


@cache
def places(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of the small image the two neighbours in the large one, and the weight of the second."""
    centre = (np.arange(SIZE, dtype=np.float32) + 0.5) * (length / SIZE) - 0.5
    first = np.floor(centre).clip(0, length - 1).astype(int)
    return first, (first + 1).clip(0, length - 1), (centre - first).clip(0, 1).astype(np.float32)


def prepare(path: str) -> np.ndarray:
    """Decode, resize (bilinear, no antialias) and standardise: float32, shape (1, 224, 224, 3)."""
    image = Image.open(path)
    pixels = np.asarray(image if image.mode in {"L", "RGB"} else image.convert("RGB"))
    top, bottom, down = places(pixels.shape[0])
    left, right, along = places(pixels.shape[1])
    across = along[:, None] if pixels.ndim == 3 else along
    rows = [pixels[lines] for lines in (top, bottom)]
    upper, lower = (line[:, left] * (1 - across) + line[:, right] * across for line in rows)
    resized = upper + (lower - upper) * down[:, None, None][..., 0 if pixels.ndim == 2 else slice(None)]
    return ((resized if pixels.ndim == 3 else resized[..., None]) * SCALE + SHIFT)[None]


def main() -> None:
    """Classify the images named on the command line, a folder standing for what is in it."""
    if sys.argv[1] == "--save":
        save(*sys.argv[2:])
        return
    folder, *names = sys.argv[1:]
    files = [str(f) for name in names for f in (sorted(Path(name).iterdir()) if Path(name).is_dir() else [Path(name)])]
    with ThreadPoolExecutor(CORES) as pool:
        first = pool.submit(prepare, files[0])
        session = open_session(folder, CORES if len(files) == 1 else 1)

        def classify(path: str) -> np.ndarray:
            batch = first.result() if path == files[0] else prepare(path)
            return session.run(None, {"image": batch})[0][0]

        for path, probabilities in zip(files, pool.map(classify, files), strict=True):
            print(path, *probabilities, sep=",", flush=True)


if __name__ == "__main__":
    main()

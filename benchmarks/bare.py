"""The same work written by hand with NumPy, Pillow and ONNX Runtime alone: what napari-webipred is measured against.

`python benchmarks/bare.py MODEL.onnx IMAGE...` prints a line of probabilities per image. One image is shared
among all cores; of many, each core takes one at a time, which was the fastest of all ways that were tried.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from PIL import Image

SIZE = 224
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_session(graph: str, threads: int) -> onnxruntime.InferenceSession:
    """Open a graph with the defaults of ONNX Runtime, but for the number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def read(path: str) -> np.ndarray:
    """Decode an image: uint8, shape (height, width, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def places(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of the small image the two neighbours in the large one, and the weight of the second."""
    centre = (np.arange(SIZE, dtype=np.float32) + 0.5) * (length / SIZE) - 0.5
    first = np.floor(centre).clip(0, length - 1).astype(int)
    return first, (first + 1).clip(0, length - 1), (centre - first).clip(0, 1).astype(np.float32)


def prepare(pixels: np.ndarray) -> np.ndarray:
    """Resize (bilinear, no antialias) and standardise: float32, shape (1, 224, 224, 3)."""
    top, bottom, down = places(pixels.shape[0])
    left, right, along = places(pixels.shape[1])
    along = along[:, None]
    upper = pixels[top][:, left] * (1 - along) + pixels[top][:, right] * along
    lower = pixels[bottom][:, left] * (1 - along) + pixels[bottom][:, right] * along
    resized = upper + (lower - upper) * down[:, None, None]
    return ((resized / np.float32(255) - MEAN) / STD)[None]


def main() -> None:
    """Classify the images named on the command line, a folder standing for what is in it."""
    graph, *names = sys.argv[1:]
    files = [str(f) for name in names for f in (sorted(Path(name).iterdir()) if Path(name).is_dir() else [Path(name)])]
    session = open_session(graph, CORES if len(files) == 1 else 1)

    def classify(path: str) -> np.ndarray:
        return session.run(None, {"image": prepare(read(path))})[0][0]

    with ThreadPoolExecutor(CORES) as pool:
        for path, probabilities in zip(files, pool.map(classify, files), strict=True):
            print(path, *probabilities, sep=",", flush=True)


if __name__ == "__main__":
    main()

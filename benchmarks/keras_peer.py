"""DenseNet121 in Keras: `PYTHON benchmarks/keras_peer.py IMAGE... `, with a Python that has Keras and a backend for it.

Prints a line of probabilities per image, then JSON: milliseconds of warm images.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from PIL import Image
from tensorflow import function


def prepare(path: str) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    return ((pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)[None]


def main() -> None:
    files = [str(f) for name in sys.argv[1:] for f in (sorted(Path(name).iterdir()) if Path(name).is_dir() else [name])]
    model = keras.applications.DenseNet121(weights=None, classes=2)
    predict = function(lambda batch: model(batch, training=False), reduce_retracing=True)
    for path in files:
        print(path, *predict(prepare(path)).numpy()[0], sep=",", flush=True)
    times = []
    for path in (files * 20)[:20]:
        begin = time.perf_counter()
        predict(prepare(path)).numpy()
        times.append(1000 * (time.perf_counter() - begin))
    print(json.dumps(times))


if __name__ == "__main__":
    main()

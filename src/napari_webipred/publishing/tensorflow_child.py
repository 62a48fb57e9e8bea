"""Runs a model with TensorFlow, in a process of its own; see `napari_webipred.publishing.tensorflow`.

It reads a line of JSON and the prepared pictures from standard input, and writes a line of JSON to standard output.
The one module of the package that imports TensorFlow, and nothing of the package imports it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_FORBIDDEN = ("socket.connect", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")


def main() -> None:
    """Answer one question."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print is no part of the answer
    asked = json.loads(sys.stdin.buffer.readline())
    pictures = np.frombuffer(sys.stdin.buffer.read(), "<f4").reshape(asked["shape"])
    try:
        judge, predict, shape = _OPENERS[asked["format"]](asked["path"])
        rows = [_outputs(predict(_shaped(picture[None], shape))) for picture in pictures]
        found = [row[asked["output"] if len(row) > 1 else 0].tolist() for row in rows]
        json.dump({"judge": judge, "numbers": found}, answer)
    except Exception as error:
        json.dump({"refused": f"{type(error).__name__}: {error}"[:2000]}, answer)
    answer.flush()


def _refuse(event: str, _: object) -> None:
    """Refuse what no computation of classes needs."""
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a model must not do this: {event}")


def _keras(path: str) -> tuple[str, Callable[..., Any], Any]:
    """Open a Keras file; nothing that is needed for training only."""
    import tensorflow as tf

    sys.addaudithook(_refuse)
    keras = tf.keras
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as first:
        try:  # what Keras 2 wrote, Keras 3 does not always read
            keras = importlib.import_module("tf_keras")
        except ImportError:
            raise first from None
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    return (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        lambda x: model(x, training=False),
        model.input_shape,
    )


def _saved_model(path: str) -> tuple[str, Callable[..., Any], Any]:
    """Open the signature of a SavedModel that is for prediction."""
    import tensorflow as tf

    sys.addaudithook(_refuse)
    model = tf.saved_model.load(path)
    known = model.signatures
    signature = known["serving_default"] if "serving_default" in known else next(iter(known.values()))
    ((name, expected),) = signature.structured_input_signature[1].items()
    return f"TensorFlow {tf.__version__}", lambda x: signature(**{name: tf.cast(x, expected.dtype)}), expected.shape


_OPENERS = {"keras-h5": _keras, "keras-v3": _keras, "saved-model": _saved_model}


def _shaped(batch: np.ndarray[Any, Any], shape: Any) -> np.ndarray[Any, Any]:
    """Bring images of shape (1, height, width, channels) into the form that a model takes."""
    sizes = list(shape[0] if isinstance(shape, list) else shape) if shape is not None else []
    if len(sizes) == 3:
        return batch[..., 0]
    channels = batch.shape[-1]
    return np.moveaxis(batch, -1, 1) if len(sizes) == 4 and sizes[1] == channels != sizes[3] else batch


def _outputs(given: Any) -> list[np.ndarray[Any, Any]]:
    """Return all outputs in the order in which the program has them."""
    if isinstance(given, dict):
        given = [given[key] for key in sorted(given)]
    parts = given if isinstance(given, (list, tuple)) else [given]
    return [np.asarray(part, np.float64).ravel() for part in parts]


if __name__ == "__main__":
    main()

"""The golden output of a model: what it says of synthetic pictures, for others to compare theirs with."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import __version__
from napari_webipred.publishing.pictures import RECIPE, as_png, fingerprint, pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard

FILE = "golden-output.json"
_TOLERANCE = 1e-3  # of probabilities; decoders and processors round differently


def golden_files(card: ModelCard, batch: NDArray[np.float32], probabilities: NDArray[np.float32]) -> dict[str, bytes]:
    """Write the pictures, and what the model says of them.

    Parameters
    ----------
    card : ModelCard
    batch : ndarray of float32, shape (pictures, height, width, channels)
        The pictures, prepared for the model.
    probabilities : ndarray of float32, shape (pictures, classes)

    Returns
    -------
    dict of str to bytes
        ``golden-1.png`` and so on, and ``golden-output.json``.
    """
    made = list(pictures())
    files = {f"golden-{number + 1}.png": as_png(number) for number in range(len(made))}
    results = [
        {
            "picture": name,
            "pixels": fingerprint(picture),
            "prepared": f"sha256:{hashlib.sha256(np.ascontiguousarray(image, '<f4').tobytes()).hexdigest()}",
            "probabilities": [float(value) for value in numbers],
        }
        for name, picture, image, numbers in zip(files, made, batch, probabilities, strict=True)
    ]
    document = {
        "pictures": RECIPE,
        "program": f"napari-webipred {__version__}",
        "classes": card.class_names,
        "task": card.task,
        "tolerance": tolerance(probabilities, card.task),
        "results": results,
    }
    return {**files, FILE: (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()}


def self_test(probabilities: NDArray[np.float32], task: str) -> dict[str, Any]:
    """Return the test that a card carries: the first picture, and what the model says of it.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (pictures, classes)
    task : str
        Of the card.
    """
    return {
        "image": f"data:image/png;base64,{b64encode(as_png(0)).decode()}",
        "probabilities": [float(value) for value in probabilities[0]],
        "tolerance": tolerance(probabilities, task),
    }


def tolerance(probabilities: NDArray[np.float32], task: str) -> float:
    """Return how far the numbers may differ elsewhere; values of a regression may be large."""
    if task != "regression":
        return _TOLERANCE
    return min(0.99, _TOLERANCE * max(1.0, float(np.abs(probabilities).max())))

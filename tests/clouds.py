"""Features of images that do not exist: a cloud of points for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clouds(
    n: int, channels: int = 40, classes: int = 3, apart: float = 0.5, seed: int = 0
) -> tuple[NDArray[np.float32], list[str]]:
    """Return features of so many images, and the class of each."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, channels))
    kinds = np.arange(n) % classes
    features = np.maximum(random.normal(size=(n, channels)) + apart * centres[kinds], 0) * 3 + 1
    return features.astype(np.float32), [f"class {kind}" for kind in kinds]


def standardised(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return features with a mean of 0, divided by their standard deviation or, if larger, the median one."""
    values = features.astype(np.float64)
    deviation = values.std(0)
    varying = deviation > 1e-6 * np.abs(values.mean(0))
    scale = np.where(varying, np.maximum(deviation, np.median(deviation[varying])), np.inf)
    return np.asarray((values - values.mean(0)) / scale)

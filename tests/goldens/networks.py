"""Weights and images that follow from a formula, so that goldens of whole networks need no room for them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Bounds of the weights that are no kernels.
_BOUNDS = {
    "gamma": (0.8, 1.2),
    "beta": (-0.3, 0.3),
    "bias": (-0.3, 0.3),
    "moving_mean": (-0.1, 0.1),
    "moving_variance": (0.8, 1.2),
    "mean": (0.3, 0.6),
    "variance": (0.05, 0.1),
}
# NumPy has frozen its numbers. One is seeded for each tensor: making another takes longer than most tensors.
_random = np.random.RandomState()


def weight(name: str, shape: Sequence[int], gain: float) -> NDArray[np.float32]:
    """Return the trained tensor of a name such as ``conv1/kernel``; a kernel multiplies variances by about `gain`."""
    role = name.rsplit("/", 1)[-1]
    if role == "count":
        return np.zeros(shape, np.float32)
    reach = shape[:2] if role == "depthwise_kernel" or (len(shape) == 4 and shape[-1] == 1) else shape[:-1]
    edge = math.sqrt(3 * gain / math.prod(reach))
    _random.seed(zlib.crc32(name.encode()))
    return _random.uniform(*_BOUNDS.get(role, (-edge, edge)), shape).astype(np.float32)


def images(shape: Sequence[int], low: float, high: float) -> NDArray[np.float32]:
    """Return images between two values, smooth on the left and scattered on the right."""
    count, height, width, channels = shape
    levels = np.random.RandomState(zlib.crc32(repr(tuple(shape)).encode())).randint(0, 256, shape)
    ramp = np.linspace(0, 255, height)[None, :, None, None] * np.linspace(0.2, 1, channels)
    ramp = ramp / (1 + np.arange(count))[:, None, None, None]
    left = np.arange(width)[None, None, :, None] < width // 2
    return (low + (high - low) / 255 * np.where(left, np.floor(ramp), levels)).astype(np.float32)

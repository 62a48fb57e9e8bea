"""What a model sees of a plane, and what it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.card import Input, Preprocessing


class Prepared(Struct, frozen=True):
    """What a model sees of a plane.

    Attributes
    ----------
    tensor : ndarray of float32, shape (height, width, channels)
        The model's input.
    intensity_range : tuple of float
        The intensities that became black and white.
    remark : str
        Why the probabilities may mean little; mostly empty.
    reading : str
        How the plane came about, in words; mostly empty.
    pixels : ndarray
        What it was made of: the pixels of the plane or region, as they were read or, of a medical image, displayed.
    black_and_white : tuple of float
        The values of these pixels that became black and white.
    target : Input
        The size and channels that were asked for.
    preprocessing : Preprocessing
        What was done.
    seconds : tuple of float
        How long reading and preparing took.
    """

    tensor: NDArray[np.float32]
    intensity_range: tuple[float, float]
    remark: str
    reading: str
    pixels: NDArray[Any]
    black_and_white: tuple[float, float]
    target: Input
    preprocessing: Preprocessing
    seconds: tuple[float, float] = (0.0, 0.0)

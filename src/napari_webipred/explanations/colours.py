"""Colour maps for maps of classes, made in Oklab so that equal steps of the value look equally large."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 256
# From Oklab (Ottosson, 2020) to the cube roots of the responses of the eye, and from their cubes to linear sRGB.
TO_EYE = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def warm() -> NDArray[np.float32]:
    """Return a map for values from 0 to 1: from violet over red to yellow, ever lighter; sRGB, shape (256, 3)."""
    t = np.linspace(0, 1, STEPS)
    return _colours(0.34 + 0.56 * t, np.interp(t, [0, 0.5, 1], [0.15, 0.21, 0.18]), np.interp(t, [0, 1], [-58, 100]))


@cache
def signed() -> NDArray[np.float32]:
    """Return a map for values from -1 to 1: blue, grey, orange, equally strong at both ends; sRGB, shape (256, 3)."""
    t = np.linspace(-1, 1, STEPS)
    return _colours(0.72 - 0.12 * np.abs(t), 0.17 * np.abs(t) ** 0.7, np.where(t < 0, 252.0, 48.0))


def _colours(light: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return colours of this lightness (0 to 1) and hue (degrees), with as much of the chroma as a screen has."""
    share = np.ones_like(light)
    for _ in range(60):
        angle = np.deg2rad(hue)
        lab = np.stack([light, share * chroma * np.cos(angle), share * chroma * np.sin(angle)], axis=-1)
        rgb = (lab @ TO_EYE.T) ** 3 @ TO_RGB.T
        outside = (rgb < 0).any(axis=-1) | (rgb > 1).any(axis=-1)
        if not outside.any():
            break
        share[outside] *= 0.97
    rgb = rgb.clip(0, 1)
    colours: NDArray[np.float64] = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return colours.astype(np.float32)

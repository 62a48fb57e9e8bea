"""Colours of maps: from nothing to much, and from against to for."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

SHADES = 256
FAINT = 0.35  # of the scale: below, a map over something bright becomes transparent
# From blue (against the class) over black (neither) to red (for it), both sides equally bright.
SIGNED = ((0.60, 0.86, 1.0), (0.16, 0.55, 0.86), (0.02, 0.22, 0.42), (0, 0, 0), (0.42, 0.10, 0.06), (0.87, 0.33, 0.20))
LIGHTEST = (1.0, 0.78, 0.68)


def look(signed: bool, bright: bool) -> dict[str, Any]:
    """Return colormap and blending of a map.

    Parameters
    ----------
    signed : bool
        Whether what speaks against the class is shown, too.
    bright : bool
        Whether the image is bright: adding light to it would not be seen.
    """
    return {"colormap": _colormap(signed, bright), "blending": "translucent" if bright else "additive"}


def limits(scale: float, signed: bool) -> tuple[float, float]:
    """Return the values that have the first and the last colour."""
    return (-scale if signed else 0.0), scale


def shades(signed: bool) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the colours from the lowest to the highest value, RGB from 0 to 1, shape (256, 3)."""
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    places = np.linspace(0, 1, SHADES)
    if not signed:
        return np.asarray(AVAILABLE_COLORMAPS["inferno"].map(places), float)[:, :3]
    points = np.array([*SIGNED, LIGHTEST])
    return np.stack([np.interp(places, np.linspace(0, 1, len(points)), each) for each in points.T], axis=1)


@cache
def _colormap(signed: bool, bright: bool) -> Any:
    from napari.utils.colormaps import Colormap

    colours = np.ones((SHADES, 4))
    colours[:, :3] = shades(signed)
    if bright:
        strength = np.abs(np.linspace(-1 if signed else 0, 1, SHADES))
        colours[:, 3] = np.clip(strength / FAINT, 0, 1)
    name = "for and against" if signed else "inferno"
    return Colormap(colours, name=f"{name}, over bright images" if bright else name, display_name=name)

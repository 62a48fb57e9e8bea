"""Colours of maps: from nothing to much, and from against to for."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from napari_webipred.explanations import colours
from napari_webipred.explanations.colours import STEPS

FAINT = 0.35  # of the scale: below, a map over something bright becomes transparent


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
    """Return the colours from the lowest to the highest value, RGB from 0 to 1, shape (steps, 3)."""
    if signed:
        strength = np.abs(np.linspace(-1, 1, STEPS))
        return np.asarray(colours.signed(), float) * strength[:, None]  # black in the middle, where nothing is added
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    return np.asarray(AVAILABLE_COLORMAPS["inferno"].map(np.linspace(0, 1, STEPS)), float)[:, :3]


@cache
def _colormap(signed: bool, bright: bool) -> Any:
    from napari.utils.colormaps import Colormap

    painted = np.ones((STEPS, 4))
    painted[:, :3] = shades(signed)
    if bright:
        strength = np.abs(np.linspace(-1 if signed else 0, 1, STEPS))
        painted[:, :3] = colours.signed() if signed else painted[:, :3]
        painted[:, 3] = np.clip(strength / FAINT, 0, 1)
    name = "for and against" if signed else "inferno"
    return Colormap(painted, name=f"{name}, over bright images" if bright else name, display_name=name)

"""How a map layer lies over the layer that it explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def transforms_over(layer: Any, factors: tuple[float, float], first: Sequence[float] | None = None) -> dict[str, Any]:
    """Return the transforms of a layer over another one whose pixels are larger.

    Parameters
    ----------
    layer : napari.layers.Layer
        Its pixels have their centres at whole numbers.
    factors : tuple of float
        How many pixels of it, down and across, one of the other layer is.
    first : sequence of float, optional
        Where the centre of the first pixel of the other layer lies in its data; by default both have the same corner.
    """
    scale, centre = np.array(layer.scale, float), np.zeros(layer.ndim)
    scale[-2:] *= factors
    if first is None:
        centre[-2:] = (np.array(factors) - 1) / 2
    else:
        centre[:] = first
    move = np.asarray(layer.data_to_world(centre)) - np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    affine = np.asarray(layer.affine.affine_matrix, float)
    own = np.linalg.solve(affine[:-1, :-1], move)  # as it is before the affine transform of the layer
    found = {
        "scale": scale,
        "translate": np.asarray(layer.translate, float) + own,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": affine,
    }
    return found | {name: getattr(layer, name) for name in ("units", "axis_labels") if hasattr(layer, name)}

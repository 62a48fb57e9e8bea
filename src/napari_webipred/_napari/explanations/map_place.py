"""How the layer of a map lies over the layer that was classified, and what it is called."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Image

from napari_webipred._napari.images.layers import name_of

TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


class Over:
    """Lets a layer move with the one below it, and be called after it.

    Parameters
    ----------
    layer : napari.layers.Image
        It has the name and the transforms already.
    under : napari.layers.Image
        The layer below; held weakly.
    words : str
        What stands before its name in that of the layer.
    transforms : callable
        Returns the transforms of the layer over the one below.
    """

    def __init__(self, layer: Image, under: Image, words: str, transforms: Callable[[Image], dict[str, Any]]) -> None:
        self._layer = layer
        self._under = weakref.ref(under)
        self._words = words
        self._transforms = transforms
        self._given = self._name(under)
        self._named = layer.name
        for event, callback in self._followed(under):
            event.connect(callback)

    @property
    def under(self) -> Image | None:
        """The layer below, if it is still there."""
        return self._under()

    def call(self, words: str) -> None:
        """Let other words stand before the name, unless the user has called the layer something else."""
        self._words = words
        self._rename()

    def place(self, transforms: Callable[[Image], dict[str, Any]]) -> None:
        """Lie over the layer below in another way."""
        self._transforms = transforms
        self._move()

    def release(self) -> None:
        """Stop moving with the layer below."""
        if (under := self.under) is not None:
            for event, callback in self._followed(under):
                event.disconnect(callback)

    def _followed(self, under: Image) -> list[tuple[Any, Callable[..., None]]]:
        events = under.events
        moves = [(getattr(events, name), self._move) for name in TRANSFORMS if hasattr(events, name)]
        return [*moves, (events.name, self._rename)]

    def _name(self, under: Image) -> str:
        return f"{self._words}{name_of(under)}"

    def _rename(self, event: Any = None) -> None:
        under = self.under
        if under is not None and self._layer.name == self._named and self._name(under) != self._given:
            self._layer.name = self._given = self._name(under)
            self._named = self._layer.name  # napari numbers equal names

    def _move(self, event: Any = None) -> None:
        if (under := self.under) is not None:
            for name, value in self._transforms(under).items():
                setattr(self._layer, name, value)


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

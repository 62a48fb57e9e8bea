"""The layer of a heat map over its picture, with an axis of classes before those of the picture."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_webipred._napari.explanations.map_place import Over, transforms_over
from napari_webipred._napari.images.layers import MAP, name_of
from napari_webipred._napari.images.place import leading_lengths
from napari_webipred._napari.regions.region_look import is_bright
from napari_webipred.explanations import colours
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.slides.tile_map import TileMap

CLASS = "class"  # the name of the axis
OPACITY = 0.7
FAINT, STRONG = 0.12, 0.5  # alpha of the lowest probability, and the probability from which on nothing shines through
SHARE = 0.1  # of the time that painting the map may take while it grows


class HeatLayer:
    """An image layer that shows a heat map where its picture is, moves with it, and is called after its class.

    Parameters
    ----------
    under : napari.layers.Image
        The picture; held weakly.
    heat : TileMap
        Its values are shown as they are; `refresh` paints them again.
    index : tuple of int
        The plane of the picture along the axes of its rows.
    axes : tuple of int
        Which axes of the data of the picture these are. Along the others the map is the same everywhere.

    Attributes
    ----------
    layer : napari.layers.Image
    """

    def __init__(self, under: Image, heat: TileMap, index: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self._classes = heat.classes
        self._next = 0.0
        places = dict(zip(axes, index, strict=True))
        words = _words(heat.classes[0])
        transforms = partial(_transforms, heat=heat, places=places)
        bright = is_bright([under])
        self.layer = Image(
            _with_axes(heat.values, leading_lengths(under), places),
            name=f"{words}{name_of(under)}",
            rgb=False,
            multiscale=False,
            contrast_limits=(0, 1),
            interpolation2d="nearest",
            opacity=OPACITY,
            colormap=_colormap(),
            blending="translucent" if bright else "additive",
            metadata={MAP: "map", "classes": heat.classes},
            **transforms(under),
        )
        self._over = Over(self.layer, under, words, transforms)

    def show_class(self, number: int) -> None:
        """Call the layer after the class that is shown, unless the user has called it something else."""
        self._over.call(_words(self._classes[number]))

    def refresh(self, now: bool = False) -> None:
        """Paint the map again, unless it was painted just now and painting takes long."""
        begin = time.monotonic()
        if now or begin >= self._next:
            self.layer.refresh()
            self._next = begin + (time.monotonic() - begin) / SHARE

    def release(self) -> None:
        """Stop moving with the picture."""
        self._over.release()


def _words(name: str) -> str:
    """Return what stands before the name of the picture while a class is shown."""
    return f"{readable(name)} · heat map of "


def _transforms(under: Image, heat: TileMap, places: dict[int, int]) -> dict[str, Any]:
    first = [float(places.get(axis, 0)) for axis in range(under.ndim - 2)]
    return _after_classes(transforms_over(under, heat.scale, (*first, *heat.translate)))


def _with_axes(values: NDArray[np.float32], lengths: tuple[int, ...], places: dict[int, int]) -> NDArray[np.float32]:
    """Return the values, which are not copied, with the leading axes of the picture between class and row."""
    count, rows, columns = values.shape
    alike = values.reshape(count, *(1 for _ in lengths), rows, columns)
    along = (1 if axis in places else length for axis, length in enumerate(lengths))
    return np.broadcast_to(alike, (count, *along, rows, columns))


def _after_classes(transforms: dict[str, Any]) -> dict[str, Any]:
    """Put an axis before those of transforms, along which nothing is moved."""
    ndim = len(transforms["scale"])
    shear = np.asarray(transforms["shear"], float)
    found: dict[str, Any] = {
        "scale": np.concatenate([[1.0], transforms["scale"]]),
        "translate": np.concatenate([[0.0], transforms["translate"]]),
        "rotate": _wider(transforms["rotate"]),
        # Either a matrix, or what is above its diagonal, row by row.
        "shear": _wider(shear) if shear.ndim == 2 else np.concatenate([np.zeros(ndim), shear]),
        "affine": _wider(transforms["affine"]),
    }
    if "axis_labels" in transforms:
        found["axis_labels"] = (CLASS, *transforms["axis_labels"])
    if "units" in transforms:
        found["units"] = ("pixel", *map(str, transforms["units"]))
    return found


def _wider(matrix: Any) -> NDArray[np.float64]:
    wider = np.eye(len(matrix) + 1)
    wider[1:, 1:] = matrix
    return wider


@cache
def _colormap() -> Any:
    """Return colours from violet over red to yellow, through which the picture is seen where little is probable."""
    from napari.utils.colormaps import Colormap

    painted = np.ones((colours.STEPS, 4))
    painted[:, :3] = colours.warm()
    painted[:, 3] = np.interp(np.linspace(0, 1, colours.STEPS), [0, STRONG], [FAINT, 1])
    return Colormap(painted, name="heat", display_name="heat")

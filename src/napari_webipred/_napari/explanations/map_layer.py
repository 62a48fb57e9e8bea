"""The layer of maps over one layer that was classified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from napari.layers import Image

from napari_webipred._napari.explanations.map_array import MapArray
from napari_webipred._napari.explanations.map_colours import limits, look
from napari_webipred._napari.explanations.map_place import Over, transforms_over
from napari_webipred._napari.explanations.row_map import RowMap
from napari_webipred._napari.images.layers import MAP, name_of, shape_of
from napari_webipred._napari.images.place import Target, leading_lengths
from napari_webipred.errors import ImageError
from napari_webipred.names import readable

OPACITY = 0.7


class Look(Struct, frozen=True):
    """What of the maps is shown, and how.

    Attributes
    ----------
    image : tuple of int
        The run and the image that the maps belong to.
    class_index : int
    class_name : str
    scale : float
        The value that has the last colour.
    signed, bright : bool
        See `napari_webipred._napari.explanations.map_colours.look`.
    """

    image: tuple[int, int]
    class_index: int
    class_name: str
    scale: float
    signed: bool
    bright: bool

    @property
    def words(self) -> str:
        """What stands before the name of the layer below in that of the maps."""
        return f"{readable(self.class_name)} · "


class MapLayer:
    """A layer that lies over another one and moves with it.

    Parameters
    ----------
    under : napari.layers.Image
        The layer that was classified; held weakly.
    array : MapArray
    look : Look
    forget : callable
        Is called with the layer when it gets other data.

    Attributes
    ----------
    layer : napari.layers.Image
    look : Look
    hidden : bool
        Whether it was hidden because something else is shown, and not by the user.
    """

    def __init__(self, under: Image, array: MapArray, look: Look, forget: Callable[[Image], None]) -> None:
        self._forget = forget
        self.look = look
        self.hidden = False
        self.layer = Image(
            array,
            name=f"{look.words}{name_of(under)}",
            rgb=False,
            multiscale=False,
            interpolation2d="linear",
            opacity=OPACITY,
            contrast_limits=limits(look.scale, look.signed),
            metadata={MAP: "map"},
            **_colours(look),
            **transforms_over(under, array.factors),
        )
        self._array = array
        self._over = Over(self.layer, under, look.words, partial(transforms_over, factors=array.factors))
        under.events.data.connect(self._drop)

    @property
    def under(self) -> Image | None:
        """The layer that was classified, if it is still there."""
        return self._over.under

    def show(self, array: MapArray, look: Look) -> None:
        """Show other maps, or the same in another way; what the user has changed about the layer stays."""
        before, self.look = self.look, look
        if self._array.shape != array.shape:
            self._over.place(partial(transforms_over, factors=array.factors))
        if not self._array.same(array):
            self._array = self.layer.data = array
        if (before.signed, before.bright) != (look.signed, look.bright):
            for name, value in _colours(look).items():
                setattr(self.layer, name, value)
        if (before.signed, before.scale) != (look.signed, look.scale):
            self.layer.contrast_limits_range = limits(look.scale, look.signed)
            self.layer.contrast_limits = limits(look.scale, look.signed)
        self._over.call(look.words)

    def release(self) -> None:
        """Stop moving with the layer below."""
        self._over.release()
        if (under := self.under) is not None:
            under.events.data.disconnect(self._drop)

    def _drop(self, event: Any = None) -> None:
        if (under := self.under) is not None:
            self._forget(under)


def map_array(layer: Image, target: Target, maps: Sequence[RowMap], class_index: int) -> MapArray:
    """Put the maps of an image where its planes are in a layer.

    Raises
    ------
    ImageError
        The layer has other axes than the image.
    """
    leading = leading_lengths(layer)
    found: dict[tuple[int, ...], list[RowMap]] = {}
    axes: tuple[int, ...] = ()
    for each in maps:
        places = target.places(each.index, leading)
        if each.index and not places:
            raise ImageError(
                f"napari shows {layer.name} with other axes than it was classified with.",
                "Select the layer in step 2, classify it, then explain the new rows.",
            )
        axes = tuple(places)
        found.setdefault(tuple(places.values()), []).append(each)
    height, width = shape_of(layer)[-2:]
    return MapArray(leading, (height, width), axes, found, class_index)


def _colours(look_: Look) -> dict[str, Any]:
    return look(look_.signed, look_.bright)

"""Classes as text and colours of shapes and labels, and the way back to how the user had them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred._napari.regions.region_layer import Drawing
from napari_webipred.class_colours import COLOURS

Step = Callable[[], None]
NO_CLASS = (0.5, 0.5, 0.5, 1.0)
WHITE = 255
FACE = 0.25  # how much of the colour covers the image
# napari colours one shape after the other, in about 25 microseconds each, and the window stands still meanwhile.
MOST_DRESSED = 2_000
TOO_MANY = (
    f"Classes are shown on at most {MOST_DRESSED:,} shapes. The features of the layer and the table hold them all."
)
TEXT = {"size": 12, "anchor": "upper_left"}


class Former(Struct, frozen=True, eq=False):
    """How a Shapes layer looked before."""

    shapes: list[tuple[str, bytes]]
    text: Any
    modes: dict[str, str]
    colours: dict[str, NDArray[np.float32]]


def class_colours(numbers: Sequence[int | None]) -> NDArray[np.float32]:
    """Return the colour of each class, RGBA; grey where there is none."""
    palette = np.array([*map(_rgba, COLOURS), NO_CLASS], np.float32)
    places = [len(COLOURS) if number is None else number % len(COLOURS) for number in numbers]
    return palette[np.array(places, np.intp)]


def former_look(layer: Any, drawing: Drawing) -> Former:
    """Remember how a Shapes layer looks."""
    text = layer.text
    return Former(
        list(drawing.shapes()),
        deepcopy(text.model_dump() if hasattr(text, "model_dump") else text.dict()),
        {kind: str(getattr(layer, f"{kind}_color_mode")) for kind in ("face", "edge")},
        {kind: np.array(getattr(layer, f"{kind}_color")) for kind in ("face", "edge")},
    )


def is_bright(images: Sequence[Any]) -> bool:
    """Tell whether layers look bright on the whole, by what napari shows of them in its list."""
    shown = [pixels[..., :3][pixels[..., 3] > 0] for pixels in (np.asarray(image.thumbnail) for image in images)]
    return bool(shown) and float(np.concatenate(shown).mean()) > WHITE / 2


def text_colour(bright: bool) -> str:
    """Return the colour of texts on something bright or dark."""
    return "black" if bright else "white"


def dress(layer: Any, numbers: Sequence[int | None], texts: Sequence[str], bright: bool) -> list[Step]:
    """Return what gives each shape its class as text and colour, in steps that are short for a few thousand shapes.

    Parameters
    ----------
    layer : napari.layers.Shapes
    numbers : sequence of int or None
        The class of each shape.
    texts : sequence of str
    bright : bool
        Whether what lies below is bright.
    """
    edges = class_colours(numbers)
    faces = edges.copy()
    faces[:, 3] = FACE
    return [
        lambda: setattr(layer, "face_color", faces),
        lambda: setattr(layer, "edge_color", edges),
        lambda: setattr(layer, "text", {"string": list(texts), "color": text_colour(bright), **TEXT}),
    ]


def undress(layer: Any, former: Former, drawing: Drawing) -> list[Step]:
    """Return what gives a Shapes layer its former look; shapes that are new keep theirs."""
    place = {shape: number for number, shape in enumerate(former.shapes)}
    before = [place.get(shape) for shape in drawing.shapes()]

    def colour(kind: str) -> None:
        colours = np.array(getattr(layer, f"{kind}_color"))
        for number, was in enumerate(before):
            if was is not None:
                colours[number] = former.colours[kind][was]
        if len(colours):
            setattr(layer, f"{kind}_color", colours)
        if former.modes[kind] != "direct":
            setattr(layer, f"{kind}_color_mode", former.modes[kind])

    return [
        lambda: colour("face"),
        lambda: colour("edge"),
        lambda: setattr(layer, "text", deepcopy(former.text)),
    ]


def label_colours(numbers: Mapping[int, int | None]) -> Generator[None, None, Any]:
    """Make a colormap of the class of each label; for very many, that takes longer than the window may stand still."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: (*NO_CLASS[:3], FACE), 0: (0, 0, 0, 0)}
    colours.update(zip(numbers, class_colours(list(numbers.values())), strict=True))
    yield
    return DirectLabelColormap(color_dict=colours)


def _rgba(name: str) -> tuple[float, ...]:
    return (*(int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)

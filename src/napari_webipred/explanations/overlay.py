"""A map laid over its image, as a figure with a colour bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_webipred.execution.plane import prepared_plane
from napari_webipred.execution.preview import original
from napari_webipred.explanations.colours import STEPS, signed, warm
from napari_webipred.explanations.explaining import explainer_of
from napari_webipred.imaging.preprocess import LUMA
from napari_webipred.names import readable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.execution.plane import Plane
    from napari_webipred.explanations.explanation import Explanation
    from napari_webipred.model import Model
    from napari_webipred.options import Options

SIDE = 520  # pixels of the longer side of each of the two images
GAP, MARGIN, BAR = 16, 24, 18
INK, PALE, PAPER = (28, 30, 34), (104, 108, 116), (255, 255, 255)
STRONGEST = 0.82  # of the colour, where a map is strongest; the image shows through
METHODS = {"cam": "Class activation map (exact)", "hirescam": "HiResCAM", "occlusion": "Occlusion"}
TARGETS = {"log-odds": "log-odds", "logit": "logit", "output": "output of the model"}


def figure(
    image: NDArray[np.uint8], explanation: Explanation, scale: float, name: str, *, both: bool = False
) -> Image.Image:
    """Draw an image, the same in grey with a map in colours on it, a colour bar and what has to be said.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        The plane or region, in any resolution.
    explanation : Explanation
    scale : float
        The value of the map that has the strongest colour.
    name : str
        Of the image.
    both : bool
        Show also what speaks against the class, in blue. By default only what speaks for it is shown.
    """
    height, width = _fitted(image.shape[0], image.shape[1])
    shown = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
    at = [(np.arange(n) + 0.5) * whole / n for n, whole in zip((height, width), explanation.placing.shape, strict=True)]
    values = explanation.placing.enlarged(explanation.contrast, (at[0], at[1])) / scale
    laid = Image.fromarray(overlay(shown, values, both=both))
    labels = _font(15)
    right = BAR + 12 + int(max(labels.getlength(text) for text in _ticks(scale, both)))
    full = 2 * MARGIN + max(2 * width + GAP, 560) + GAP + right
    body = max(height, 120)  # of the colour bar, too
    canvas = Image.new("RGB", (full, body + 86 + 92), PAPER)
    draw = ImageDraw.Draw(canvas)
    title = f"{explanation.class_name}  {explanation.probability:.3g}"
    _text(draw, (MARGIN, 18), title, 24, INK, full - 2 * MARGIN)
    _text(draw, (MARGIN, 54), name, 15, PALE, full - 2 * MARGIN)
    top = 86
    canvas.paste(Image.fromarray(shown), (MARGIN, top))
    canvas.paste(laid, (MARGIN + width + GAP, top))
    _bar(canvas, (full - MARGIN - right, top), body, scale, both)
    for line, text in enumerate(_said(explanation, values, both)):
        _text(draw, (MARGIN, top + body + 14 + 22 * line), text, 15, INK if line == 2 else PALE, full - 2 * MARGIN)
    return canvas


def laying(model: Model, options: Options) -> Callable[[Plane, str], tuple[NDArray[np.uint8], str]]:
    """Return what lays the map of a class over a plane, and says by which method it was made.

    Parameters
    ----------
    model : Model
    options : Options
        Those that the plane was classified with.

    Returns
    -------
    callable
        Takes a plane and the name of a class; returns uint8 of shape (height, width, 3), at most 1024 pixels a side.
    """
    explainer = explainer_of(model)

    def lay(plane: Plane, class_name: str) -> tuple[NDArray[np.uint8], str]:
        image = original(prepared_plane(plane, model.card, options))
        (found,) = explainer.explain(plane, options, [class_name])
        at = [(np.arange(n) + 0.5) * whole / n for n, whole in zip(image.shape[:2], found.placing.shape, strict=True)]
        values = found.placing.enlarged(found.contrast, (at[0], at[1])) / found.scale
        return overlay(image, values), METHODS[found.method]

    return lay


def overlay(image: NDArray[np.uint8], values: NDArray[np.float32], *, both: bool = False) -> NDArray[np.uint8]:
    """Lay a map over an image in grey.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    values : ndarray of float32, shape (height, width)
        1 has the strongest colour, 0 none; NaN where the model does not see the image, which is shown darker.
    both : bool
        Give negative values colours, too.
    """
    grey = image.astype(np.float32) @ np.array(LUMA, np.float32) / 255
    grey = np.where(np.isnan(values), 0.35 * grey, 0.06 + 0.8 * grey)[..., None]
    colours, strength = _coloured(np.nan_to_num(values), both)
    mixed = grey * (1 - strength[..., None]) + colours * strength[..., None]
    levels: NDArray[np.uint8] = np.rint(255 * mixed.clip(0, 1)).astype(np.uint8)
    return levels


def _coloured(values: NDArray[np.float32], both: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the colours of values and how strongly they cover the image."""
    values = values.clip(-1 if both else 0, 1)
    places = (values + 1) / 2 if both else values
    colours = (signed() if both else warm())[np.rint(places * (STEPS - 1)).astype(np.intp)]
    return colours, STRONGEST * np.abs(values) ** np.float32(0.85)


def _fitted(height: int, width: int) -> tuple[int, int]:
    factor = SIDE / max(height, width)
    return max(round(height * factor), 1), max(round(width * factor), 1)


def _bar(canvas: Image.Image, place: tuple[int, int], height: int, scale: float, both: bool) -> None:
    left, top = place
    values = np.linspace(1, -1 if both else 0, height, dtype=np.float32)[:, None].repeat(BAR, axis=1)
    middle = np.full((height, BAR, 3), 128, np.uint8)
    canvas.paste(Image.fromarray(overlay(middle, values, both=both)), (left, top))
    draw = ImageDraw.Draw(canvas)
    for text, share in zip(_ticks(scale, both), (0, 0.5, 1), strict=True):
        y = top + share * (height - 1)
        draw.line((left + BAR, y, left + BAR + 4, y), INK)
        draw.text((left + BAR + 8, y), text, INK, _font(15), anchor="lm")


def _ticks(scale: float, both: bool) -> list[str]:
    return [f"{value:.3g}" for value in ((scale, 0, -scale) if both else (scale, scale / 2, 0))]


def _said(explanation: Explanation, values: NDArray[np.float32], both: bool) -> list[str]:
    exact = "" if explanation.completeness is None else f" · adds up to the logit within {explanation.completeness:.0e}"
    what = f"{METHODS[explanation.method]} of the {TARGETS[explanation.target]}{exact}"
    found = "Orange speaks for the class, blue against it." if both else "Colour speaks for the class."
    if not both and np.nanmax(values) <= 0:
        found = "Nothing speaks for this class."
    return [what, explanation.remark or found, explanation.caption]


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: tuple[int, int, int], room: int
) -> None:
    """Write one line, cut where there is no room for more."""
    font = _font(size)
    shown = readable(text.replace("\n", " "))
    if isinstance(font, ImageFont.ImageFont):  # Pillow without FreeType has letters of western Europe alone
        shown = shown.encode("latin-1", "replace").decode("latin-1")
    while len(shown) > 1 and font.getlength(shown) > room:
        shown = f"{shown.rstrip('…')[:-2]}…" if not isinstance(font, ImageFont.ImageFont) else shown[:-1]
    draw.text(place, shown, colour, font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

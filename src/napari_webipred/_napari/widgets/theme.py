"""The colours of napari's theme, and readable variants of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor

from napari_webipred._napari.proxy import unwrapped

TEXT_CONTRAST = 4.5  # what WCAG 2 asks of text
SHAPE_CONTRAST = 3.0  # and of bars, frames and other shapes
STEPS = 100


class Theme:
    """Looks colours up when they are needed, so that a change of theme takes effect with the next painting.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer with the theme.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = unwrapped(viewer)
        self._known: dict[tuple[str, str], tuple[int, ...]] = {}  # napari copies the theme whenever it is asked

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """Return a colour of the theme by its name in napari, such as ``"text"``, ``"current"`` or ``"error"``."""
        theme = self._viewer.theme
        if not self._known:
            QTimer.singleShot(0, self._known.clear)  # long enough for a painting of the window
        if (theme, name) not in self._known:
            self._known[theme, name] = getattr(get_theme(theme), name).as_rgb_tuple()[:3]
        return QColor(*self._known[theme, name], round(255 * alpha))

    def readable(self, name: str, on: str, strength: float = 1.0, ratio: float = TEXT_CONTRAST) -> QColor:
        """Return a colour of the theme as it can be read on another one.

        Parameters
        ----------
        name, on : str
            Names of the colour and of its background in napari's theme.
        strength : float
            From 0, the background, to 1, the colour itself; faint texts have less than 1.
        ratio : float
            The least contrast.
        """
        background = self.colour(on)
        return readable(blended(self.colour(name), background, strength), background, ratio)


def blended(colour: QColor, background: QColor, strength: float) -> QColor:
    """Return what a transparent colour looks like on a background: opaque, and fainter the smaller `strength` is."""
    pairs = zip(colour.getRgb()[:3], background.getRgb()[:3], strict=True)
    return QColor(*(round(strength * over + (1 - strength) * under) for over, under in pairs))


def readable(colour: QColor, background: QColor, ratio: float = TEXT_CONTRAST) -> QColor:
    """Return the variant of an opaque colour, as like it as possible, that has this contrast on a background.

    It becomes lighter on a dark background and darker on a light one; hue and saturation stay. White or black has a
    contrast of 4.5 on any background.
    """
    return QColor(*_readable(colour.getRgb()[:3], background.getRgb()[:3], ratio))


@cache
def _readable(rgb: tuple[int, int, int], background: tuple[int, int, int], ratio: float) -> tuple[int, int, int]:
    colour, under = QColor(*rgb), QColor(*background)
    hue, saturation, lightness, _ = colour.getHslF()
    end = 1.0 if contrast(QColor("white"), under) > contrast(QColor("black"), under) else 0.0
    for step in range(STEPS + 1):
        if contrast(colour, under) >= ratio:
            break
        nearer = lightness + (end - lightness) * step / STEPS
        colour = QColor.fromRgb(QColor.fromHslF(max(hue, 0.0), saturation, nearer).rgb())
    red, green, blue, _ = colour.getRgb()
    return red, green, blue


def contrast(colour: QColor, other: QColor) -> float:
    """Return the contrast ratio of two opaque colours, from 1 to 21, as WCAG 2 defines it (section 1.4.3)."""
    darker, lighter = sorted((_luminance(colour), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: QColor) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)

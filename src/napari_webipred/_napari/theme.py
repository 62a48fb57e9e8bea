"""The colours of napari's theme, for what is painted here."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor


class Theme:
    """Looks colours up when they are needed, so that a change of theme counts with the next painting.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose theme counts.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """Return a colour of the theme by its name in napari, such as ``"text"``, ``"current"`` or ``"error"``."""
        red, green, blue = getattr(get_theme(self._viewer.theme), name).as_rgb_tuple()[:3]
        return QColor(red, green, blue, round(255 * alpha))

"""The colours of figures in napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QColor

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme, blended, contrast, readable

if TYPE_CHECKING:
    from napari_webipred.evaluation.figures import Colours

FAINT = 0.35


def figure_colours(theme: Theme) -> Colours:
    """Return the colours of figures: lines are told from the background, and cells from each other."""
    from napari_webipred.evaluation.figures import PAPER, Colours

    background = theme.colour("background")
    text = theme.readable("text", on="background")
    dark = contrast(QColor("white"), background) > contrast(QColor("black"), background)
    lines = tuple(readable(QColor(colour), background, SHAPE_CONTRAST).name() for colour in PAPER.lines)
    return Colours(
        background.name(),
        text.name(),
        blended(text, background, FAINT).name(),
        lines,
        "#8cc7ee" if dark else PAPER.full,
    )

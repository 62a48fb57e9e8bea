"""The look of charts: on the screen in the colours of napari's theme, on paper in dark ones on white."""

from __future__ import annotations

from msgspec import Struct
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme, blended, readable
from napari_webipred.class_colours import COLOURS

# Charts are mirrored by our own code. Without this flag Qt mirrors texts once more, if the whole application is.
ABSOLUTE = Qt.AlignmentFlag.AlignAbsolute.value
FAINT = 0.66
GRID = 0.18
LINES = (*COLOURS, "#000000")  # on a dark background black becomes grey


class Look(Struct, frozen=True):
    """The colours of a chart or plot. All can be told from the background; texts can be read on it."""

    background: QColor
    text: QColor
    faint: QColor  # texts of less importance
    grid: QColor
    bar: QColor
    assigned: QColor  # bars of assigned classes
    frame: QColor  # around what has the keyboard focus
    lines: tuple[QColor, ...]


def screen_look(theme: Theme) -> Look:
    """Return the colours for the panel."""
    return _look(*(theme.colour(name) for name in ("background", "text", "secondary", "current", "highlight")))


def paper_look() -> Look:
    """Return the colours for a paper or a slide."""
    return _look(*map(QColor, ("#ffffff", "#000000", "#8c8c8c", "#0072b2", "#000000")))


def _look(background: QColor, text: QColor, bar: QColor, assigned: QColor, frame: QColor) -> Look:
    def shape(colour: QColor) -> QColor:
        return readable(colour, background, SHAPE_CONTRAST)

    return Look(
        background,
        text=readable(text, background),
        faint=readable(blended(text, background, FAINT), background),
        grid=blended(text, background, GRID),
        bar=shape(bar),
        assigned=shape(assigned),
        frame=shape(frame),
        lines=tuple(shape(QColor(line)) for line in LINES),
    )

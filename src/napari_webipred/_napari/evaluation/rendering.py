"""Figures as pixels or files, drawn by matplotlib in a thread beside the window."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred._napari.evaluation.part import Matrix, Part, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_webipred.evaluation.figures import Colours

INCH = 88  # pixels of the screen
PAPER_INCH = 150
SIDE_BY_SIDE = 300  # pixels that each part needs at least
_drawing = threading.Lock()  # matplotlib reads fonts and formulas with one state for the whole process


class Area(Struct, frozen=True, eq=False):
    """A cell of a matrix, and where it is in a picture, in pixels of the screen."""

    matrix: Matrix
    row: int
    column: int
    left: float
    top: float
    width: float
    height: float


class Picture(Struct, frozen=True, eq=False):
    """A figure as pixels.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (rows, columns, 4)
    width, height : int
        In pixels of the screen, of which each may be several of `pixels`.
    areas : tuple of Area
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    areas: tuple[Area, ...] = ()


def picturing(plot: Plot, variant: str, colours: Colours, width: int, ratio: float) -> Generator[None, None, Picture]:
    """Draw a figure for the screen.

    Parameters
    ----------
    plot : Plot
        One with parts.
    variant : str
    colours : Colours
    width : int
        In pixels of the screen.
    ratio : float
        How many real pixels there are for each.
    """
    assert plot.parts is not None
    yield
    parts = plot.parts(variant)
    yield
    height = _height(parts, width)
    with _drawing:
        figure, drawn = _figure(parts, colours, (width / INCH, height / INCH), round(INCH * ratio), wide(parts, width))
        figure.canvas.draw()
        pixels = np.array(figure.canvas.buffer_rgba())  # type: ignore[attr-defined, unused-ignore]
        areas = [area for part, axes in zip(parts, drawn, strict=True) for area in _areas(part, axes, pixels, ratio)]
    return Picture(pixels, width, height, tuple(areas))


def file_of(parts: Sequence[Part], kind: Literal["png", "svg"], width: int = 520) -> bytes:
    """Draw a figure on white, as the content of a file."""
    from matplotlib import rc_context

    from napari_webipred.evaluation.figures import PAPER

    content = io.BytesIO()
    size = width * (len(parts) if wide(parts, width * len(parts)) else 1), _height(parts, width * len(parts))
    with _drawing, rc_context({"svg.hashsalt": "napari-webipred"}):
        figure, _ = _figure(parts, PAPER, (size[0] / INCH, size[1] / INCH), PAPER_INCH, wide(parts, size[0]))
        metadata = {"png": {"Software": None}, "svg": {"Date": None}}[kind]
        figure.savefig(content, format=kind, dpi=PAPER_INCH, metadata=metadata)
    return content.getvalue()


def wide(parts: Sequence[Part], width: int) -> bool:
    """Tell whether parts fit side by side."""
    return len(parts) > 1 and width >= SIDE_BY_SIDE * len(parts)


def _height(parts: Sequence[Part], width: int) -> int:
    heights = [part.height + 24 * bool(part.title) for part in parts]
    return max(heights) if wide(parts, width) else sum(heights)


def _figure(
    parts: Sequence[Part], colours: Colours, inches: tuple[float, float], dots: int, side_by_side: bool
) -> tuple[Figure, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(inches, dpi=dots, layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor(colours.background)
    shape = (1, len(parts)) if side_by_side else (len(parts), 1)
    ratios = {} if side_by_side else {"height_ratios": [part.height for part in parts]}
    grid = figure.add_gridspec(*shape, **ratios)  # type: ignore[arg-type, unused-ignore]
    drawn = [figure.add_subplot(grid[number]) for number in range(len(parts))]
    for part, axes in zip(parts, drawn, strict=True):
        part.draw(axes, colours)
        if part.title:
            below = axes.get_title()
            title = f"{part.title}\n{below}" if below else part.title
            axes.set_title(title, color=colours.text, fontsize="medium")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a script that the font lacks is drawn as boxes
        figure.draw_without_rendering()
    return figure, drawn


def _areas(part: Part, axes: Any, pixels: NDArray[np.uint8], ratio: float) -> list[Area]:
    """Return where the cells of a matrix are."""
    if part.matrix is None:
        return []
    found = []
    for row in range(len(part.matrix.true)):
        for column in range(len(part.matrix.assigned)):
            ends = axes.transData.transform([(column - 0.5, row - 0.5), (column + 0.5, row + 0.5)])
            (left, above), (right, below) = ends / ratio
            top = len(pixels) / ratio - above
            found.append(Area(part.matrix, row, column, left, top, right - left, above - below))
    return found

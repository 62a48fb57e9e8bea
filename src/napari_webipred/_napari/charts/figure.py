"""A chart or plot as a file or for the clipboard: as pixels (PNG), or as lines and letters (SVG)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct
from qtpy.QtCore import QBuffer, QIODevice, QRect, QSize
from qtpy.QtGui import QColor, QFont, QImage, QPainter
from qtpy.QtSvg import QSvgGenerator

from napari_webipred._napari.chosen_file import write_chosen
from napari_webipred.errors import OptionError
from napari_webipred.results.output import Kind

Format = Literal["PNG", "SVG"]
KINDS = {
    "PNG": Kind("a chart is a PNG image", (".png",), lambda _: False),
    "SVG": Kind("a chart is an SVG drawing", (".svg",), lambda _: False),
}
LETTERS = 13  # pixels
MARGIN = 12
SCALE = 3  # pixels of a PNG file for one of the drawing: 288 dpi
LEAST_SCALE = 2
MOST_PIXELS = 64 * 10**6
INCH = 96  # pixels of the drawing
METRE = 39.37  # inches


class Figure(Struct, frozen=True):
    """What can be painted: its size in pixels, and a function that paints it, which any thread may call."""

    size: QSize
    paint: Callable[[QPainter], None]


def figure_font(font: QFont) -> QFont:
    """Return a font for figures. It is measured in pixels, so that figures look the same on every screen."""
    font = QFont(font)
    font.setPixelSize(LETTERS)
    return font


def png(figure: Figure) -> QImage:
    """Return a figure on white, with two or three pixels for each of its own.

    Raises
    ------
    OptionError
        It would have too many pixels.
    """
    size = _with_margins(figure)
    scale = next((s for s in (SCALE, LEAST_SCALE) if size.width() * size.height() * s * s <= MOST_PIXELS), None)
    if scale is None:
        raise OptionError("The chart is too large for a PNG image.", "Show fewer classes, or choose SVG.")
    image = QImage(size * scale, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.scale(scale, scale)
    _paint(painter, figure)
    painter.end()
    image.setDotsPerMeterX(round(scale * INCH * METRE))
    image.setDotsPerMeterY(round(scale * INCH * METRE))
    return image


def png_bytes(figure: Figure) -> bytes:
    """Return the content of a PNG file."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    png(figure).save(buffer, "PNG")
    return bytes(buffer.data().data())


def svg_bytes(figure: Figure) -> bytes:
    """Return the content of an SVG file."""
    size = _with_margins(figure)
    buffer = QBuffer()
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(size)
    generator.setViewBox(QRect(0, 0, size.width(), size.height()))
    generator.setResolution(INCH)
    generator.setTitle("napari-webipred")
    painter = QPainter(generator)
    _paint(painter, figure)
    painter.end()
    return bytes(buffer.data().data())


def write_figure(path: Path, kind: Format, figure: Figure, inputs: Iterable[str | Path]) -> Generator[None, None, Path]:
    """Write a figure to a file that the user has chosen; return its path.

    Parameters
    ----------
    path : Path
        As the user gave it. The dialog has asked whether a file with this name may be replaced.
    kind : "PNG" or "SVG"
        The format.
    figure : Figure
        What is painted.
    inputs : iterable of path
        Files of the images that are open, which are never replaced.

    Raises
    ------
    OptionError
        A file with the completed name exists, or the file cannot be written.
    """
    yield
    return write_chosen(path, KINDS[kind], lambda: png_bytes(figure) if kind == "PNG" else svg_bytes(figure), inputs)


def _with_margins(figure: Figure) -> QSize:
    return figure.size + QSize(2 * MARGIN, 2 * MARGIN)


def _paint(painter: QPainter, figure: Figure) -> None:
    size = _with_margins(figure)
    painter.fillRect(QRect(0, 0, size.width(), size.height()), QColor("white"))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(MARGIN, MARGIN)
    figure.paint(painter)

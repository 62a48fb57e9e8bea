"""What a chart consists of: bars, a font, colours, and the direction of reading."""

from __future__ import annotations

from functools import cached_property
from heapq import nlargest

from msgspec import Struct
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen

from napari_webipred._napari.charts.bars import Bar, written
from napari_webipred._napari.charts.chart_look import Look

PADDING = 6
MOST_LETTERS = 400  # of a name; more never fit
MEASURED = 30  # names
THIN = 0.5  # of a line is the thickness of a bar
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Sheet(Struct, frozen=True, dict=True):
    """A chart without a size; see `Rows` and `Columns`. Names take at most the share `room` of its width or height."""

    bars: tuple[Bar, ...]
    font: QFont
    look: Look
    mirrored: bool = False
    room: float = 0.42

    @cached_property
    def bold(self) -> QFont:
        """The font of assigned classes."""
        bold = QFont(self.font)
        bold.setBold(True)
        return bold

    @cached_property
    def line(self) -> int:
        """Pixels of a line of text with its gap."""
        return int(QFontMetrics(self.font).height() + PADDING)

    @cached_property
    def widest(self) -> int:
        """Pixels of the widest name: of those with the most letters, as measuring a thousand takes long."""
        advance = QFontMetrics(self.bold).horizontalAdvance
        longest = nlargest(MEASURED, (bar.words[:MOST_LETTERS] for bar in self.bars), key=len)
        return int(max(map(advance, longest), default=0))

    @cached_property
    def value_width(self) -> int:
        """Pixels of a probability."""
        return int(QFontMetrics(self.bold).horizontalAdvance(written(0.0)))

    @cached_property
    def scale_width(self) -> int:
        """Pixels of the widest number of the scale."""
        return int(max(QFontMetrics(self.font).horizontalAdvance(tick_text(value)) for value in TICKS))

    @cached_property
    def has_values(self) -> bool:
        """Whether there are numbers that are not probabilities."""
        return any(bar.value for bar in self.bars)

    def font_of(self, bar: Bar) -> QFont:
        """Return the font of a bar."""
        return self.bold if bar.assigned else self.font

    def threshold_pen(self, bar: Bar) -> QPen:
        """Return the pen for a threshold: that of the user is a line, one of the model card is dotted."""
        return QPen(self.look.text, 2, Qt.PenStyle.DotLine if bar.of_card else Qt.PenStyle.SolidLine)


def tick_text(value: float) -> str:
    """Write a number of the scale; there is space for three of the five."""
    return f"{value:g}" if value in (0.0, 0.5, 1.0) else ""


def paint_check(painter: QPainter, area: QRectF, colour: QColor) -> None:
    """Paint a check mark in the middle of an area. Not every font has one."""
    size = min(area.width(), area.height()) * 0.5
    middle = area.center()
    pen = QPen(colour, max(size / 5, 1.5))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    steps = [(-0.5, 0.0), (-0.15, 0.35), (0.5, -0.4)]
    painter.drawPolyline([middle + QPointF(x * size, y * size) for x, y in steps])

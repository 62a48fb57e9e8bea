"""What a plot consists of, and how it is painted: axes, lines, a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen

from napari_webipred._napari.charts.chart_look import ABSOLUTE, Look
from napari_webipred._napari.charts.plot_geometry import Scale, dashed, envelope, extent_of, pieces, ticks
from napari_webipred._napari.charts.plot_marks import DASHES, paint_mark

PADDING = 6
HEIGHT = 9  # lines of text
SWATCH = 30
BELOW = 4  # pixels between the axis and its numbers
BETWEEN_MARKS = 90.0  # pixels along the axis
NEAR = 3  # pixels between two planes, from which a line has dashes
HIGH = 12  # pixels, from which on a column of a line is a band through which other lines can be seen
BAND = 0.45  # how opaque it is
THICK = 2  # pixels of a line, and of a column of a line with more planes
NARROWEST = 150  # pixels of a column of the legend
PROBABILITIES = (0.0, 1.0)
CENTRE = Qt.AlignmentFlag.AlignCenter.value
MIDDLE = ABSOLUTE | Qt.AlignmentFlag.AlignVCenter.value


class Curve(Struct, frozen=True):
    """The numbers of one class at `planes`, NaN where there are none; `place` gives its colour, dashes and mark."""

    name: str
    planes: range
    values: NDArray[np.float32]
    place: int

    def number(self, plane: int) -> float:
        """Return the number at a plane, NaN if there is none."""
        return float(self.values[self.planes.index(plane)]) if plane in self.planes else math.nan


class PlotSheet(Struct, frozen=True, dict=True):
    """A plot.

    Attributes
    ----------
    axis : str
        The name of the horizontal axis.
    length : int
        How many planes it has.
    curves : tuple of Curve
        What is drawn.
    unit : str or None
        None for probabilities, which are drawn from 0 to 1. The unit of other numbers, which may be empty.
    mirrored : bool
        Whether the axis goes from right to left, as sliders do where people read so.
    """

    axis: str
    length: int
    curves: tuple[Curve, ...]
    font: QFont
    look: Look
    unit: str | None = None
    mirrored: bool = False

    @cached_property
    def line(self) -> int:
        """Pixels of a line of text."""
        return int(QFontMetrics(self.font).height() + 2)

    @cached_property
    def extent(self) -> tuple[float, float]:
        """The range of the vertical axis."""
        return PROBABILITIES if self.unit is None else extent_of([curve.values for curve in self.curves])

    @cached_property
    def levels(self) -> list[float]:
        """The ticks of the vertical axis."""
        return [0.0, 0.5, 1.0] if self.unit is None else ticks(*self.extent, 5)

    @cached_property
    def scale_width(self) -> int:
        """Pixels of the numbers of the vertical axis."""
        advance = QFontMetrics(self.font).horizontalAdvance
        return max((advance(f"{level:g}") for level in self.levels), default=0) + PADDING + 2

    def columns(self, width: int) -> int:
        """Return how many columns the legend has."""
        return min(max(width // NARROWEST, 1), max(len(self.curves), 1))

    def size(self, width: int) -> QSize:
        """Return the size at a width."""
        rows = -(-len(self.curves) // self.columns(width))
        return QSize(width, (HEIGHT + bool(self.unit) + 1 + rows) * self.line + BELOW + 2 * PADDING)

    def area(self, size: QSize) -> QRectF:
        """Return where the lines are."""
        top = PADDING + (self.line if self.unit else 0)
        area = QRectF(self.scale_width, top, size.width() - self.scale_width - 2 * PADDING, HEIGHT * self.line)
        if self.mirrored:
            area.moveLeft(size.width() - area.right())
        return area

    def across(self, size: QSize) -> Scale:
        """Return the scale of the planes."""
        area = self.area(size)
        edges = (area.right(), area.left()) if self.mirrored else (area.left(), area.right())
        return Scale(0, max(self.length - 1, 0), *edges)

    def up(self, size: QSize) -> Scale:
        """Return the scale of the numbers."""
        area = self.area(size)
        return Scale(*self.extent, area.bottom(), area.top())

    def paint(self, painter: QPainter, size: QSize) -> None:
        """Paint axes and lines."""
        painter.setFont(self.font)
        self._paint_levels(painter, size)
        self._paint_planes(painter, size)
        for curve in self.curves:
            self._paint_curve(painter, size, curve)

    def paint_legend(self, painter: QPainter, size: QSize, values: Sequence[str]) -> None:
        """Paint the legend: of each curve its look, its name, and a text such as its number at the chosen plane."""
        painter.setFont(self.font)
        metrics = painter.fontMetrics()
        columns = self.columns(size.width())
        width = size.width() / columns
        top = self.area(size).bottom() + BELOW + self.line + PADDING
        space = max((metrics.horizontalAdvance(value) for value in values), default=0) + PADDING
        for number, (curve, value) in enumerate(zip(self.curves, values, strict=True)):
            cell = QRectF((number % columns) * width, top + number // columns * self.line, width, self.line)
            sample = QRectF(cell.left() + 2, cell.top(), SWATCH - 4, self.line)
            name = QRectF(cell.left() + SWATCH + 2, cell.top(), width - SWATCH - 2 - space - 2 * PADDING, self.line)
            number_area = QRectF(name.right(), cell.top(), space, self.line)
            sample, name, number_area = (self._flipped(area, size) for area in (sample, name, number_area))
            painter.setPen(QPen(self.look.lines[curve.place], THICK))
            x, y = np.array([sample.left(), sample.right()]), np.full(2, sample.center().y())
            painter.drawLines([QLineF(*ends) for ends in dashed(x, y, DASHES[curve.place]).tolist()])
            paint_mark(painter, sample.center(), curve.place, self.look.lines[curve.place])
            painter.setPen(self.look.text)
            near, far = Qt.AlignmentFlag.AlignLeft.value, Qt.AlignmentFlag.AlignRight.value
            near, far = (far, near) if self.mirrored else (near, far)
            shown = metrics.elidedText(curve.name, Qt.TextElideMode.ElideRight, int(name.width()))
            painter.drawText(name, MIDDLE | near, shown)
            painter.drawText(number_area, MIDDLE | far, value)

    def _flipped(self, area: QRectF, size: QSize) -> QRectF:
        if not self.mirrored:
            return area
        return QRectF(size.width() - area.right(), area.top(), area.width(), area.height())

    def _paint_levels(self, painter: QPainter, size: QSize) -> None:
        area, up = self.area(size), self.up(size)
        for level in self.levels:
            y = up.pixel(level)
            painter.setPen(QPen(self.look.grid, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(self.look.faint)
            text = self._flipped(QRectF(0, y - self.line / 2, self.scale_width - PADDING, self.line), size)
            side = Qt.AlignmentFlag.AlignLeft if self.mirrored else Qt.AlignmentFlag.AlignRight
            painter.drawText(text, MIDDLE | side.value, f"{level:g}")
        if self.unit:
            text = QRectF(0, 0, size.width(), self.line)
            side = Qt.AlignmentFlag.AlignRight if self.mirrored else Qt.AlignmentFlag.AlignLeft
            painter.drawText(text, MIDDLE | side.value, self.unit)

    def _paint_planes(self, painter: QPainter, size: QSize) -> None:
        area, across = self.area(size), self.across(size)
        metrics = painter.fontMetrics()
        name = QRectF(0, area.bottom() + BELOW, metrics.horizontalAdvance(self.axis) + PADDING, self.line)
        name.moveRight(area.right() + PADDING)
        name = self._flipped(name, size) if self.mirrored else name
        painter.setPen(self.look.text)
        painter.drawText(name, CENTRE, self.axis)
        widest = metrics.horizontalAdvance(str(self.length)) + 3 * PADDING
        for index in ticks(0, max(self.length - 1, 0), max(int(area.width() // widest), 2), whole=True):
            x = across.pixel(index)
            text = QRectF(x - widest / 2, area.bottom() + BELOW, widest, self.line)
            painter.setPen(QPen(self.look.grid, 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() + 3))
            if not text.intersects(name):
                painter.setPen(self.look.faint)
                painter.drawText(text, CENTRE, f"{index:.0f}")

    def _paint_curve(self, painter: QPainter, size: QSize, curve: Curve) -> None:
        across, up = self.across(size), self.up(size)
        width = self.area(size).width()
        if not len(curve.values):
            return
        colour = self.look.lines[curve.place]
        planes = curve.planes
        if len(planes) <= width / NEAR:
            x = across.pixels(np.arange(planes.start, planes.stop, planes.step, dtype=np.float64))
            y = up.pixels(curve.values.astype(np.float64))
            parts = [dashed(x[a:b], y[a:b], DASHES[curve.place]) for a, b in pieces(y)]
            painter.setPen(QPen(colour, THICK))
            painter.drawLines([QLineF(*ends) for part in parts for ends in part.tolist()])
        else:
            columns = min(max(int(width / THICK), 1), len(curve.values))
            index, low, high = envelope(curve.values, columns)
            x, y = across.pixels(planes.start + planes.step * index), up.pixels((low + high) / 2)
            top, bottom = up.pixels(high) - THICK / 2, up.pixels(low) + THICK / 2
            boxes = np.stack([x - THICK / 2, top, np.full_like(x, THICK), bottom - top], axis=1)
            is_line = bottom - top <= HIGH
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # four times as fast
            for alpha, which in ((BAND, np.isfinite(y) & ~is_line), (1.0, is_line)):
                painter.setBrush(QColor(*colour.getRgb()[:3], round(255 * alpha)))
                painter.drawRects([QRectF(*box) for box in boxes[which].tolist()])
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in self._marked(x, y, curve.place):
            paint_mark(painter, QPointF(x[number], y[number]), curve.place, colour)

    def _marked(self, x: NDArray[np.float64], y: NDArray[np.float64], place: int) -> list[int]:
        """Return which points have a mark: single ones, and some at about equal distances, not those of other lines."""
        marked: list[int] = []
        for first, stop in pieces(y):
            passed = (np.abs(x[first:stop] - x[0]) / BETWEEN_MARKS - place / len(DASHES)) // 1
            marked += [first] if stop == first + 1 else list(first + 1 + np.flatnonzero(np.diff(passed)))
        return marked

"""A histogram on which black and white are moved."""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent, QPainter, QPaintEvent, QPolygonF, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_webipred._napari.intensity.range_handle import FOOT, GRIP, Handle
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme
from napari_webipred.imaging.histogram import Histogram, bars

HEIGHT = 64
STEPS = 200  # of an arrow key, from one end of the histogram to the other
LIMIT = 5  # half the width of the mark of a contrast limit


class RangeSlider(QWidget):
    """A histogram with the range of black and white, whose ends can be moved.

    A value that lies beyond the histogram keeps its place there: an arrow at the edge points to it.

    Signals
    -------
    moved : float, float
        The user has moved black or white.
    """

    moved = Signal(float, float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._histogram: Histogram | None = None
        self.words = ""  # in place of a histogram
        self._view = (0.0, 1.0)
        self._range: tuple[float, float] | None = None
        self._limits: tuple[float, float] | None = None
        self._dragged = 0  # the end that follows the mouse
        self.low = Handle("Black", theme, self)
        self.high = Handle("White", theme, self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(80)
        self.setAccessibleName("Histogram of the intensities")
        for handle, end in ((self.low, 0), (self.high, 1)):
            handle.stepped.connect(lambda steps, end=end: self._move(end, self._value(end) + steps * self._step()))
            handle.sent.connect(lambda side, end=end: self._move(end, self._view[side]))
            handle.dragged.connect(lambda x, end=end: self._move(end, self._value_at(x)))
        self._place()

    def show_histogram(self, histogram: Histogram | None, view: tuple[float, float] | None = None) -> None:
        """Show a histogram, or none; `view` is what its width stands for, from its smallest to its largest value."""
        self._histogram = histogram
        if histogram is not None:
            low, high = view or (histogram.low, histogram.high)
            low, high = min(low, histogram.low), max(high, histogram.high)
            self._view = (low, high) if low < high else (low, low + 1)
        self._place()

    def show_range(self, used: tuple[float, float] | None) -> None:
        """Show which intensities become black and white; None if that is not known."""
        self._range = used
        words = "" if used is None else f"black {used[0]:.6g}, white {used[1]:.6g}"
        self.setAccessibleDescription(words)
        for handle, value in ((self.low, 0), (self.high, 1)):
            handle.setAccessibleDescription("" if used is None else f"{used[value]:.6g}")
        self._place()

    def mark(self, limits: tuple[float, float] | None) -> None:
        """Mark the contrast limits of the layer, or nothing."""
        self._limits = limits
        tip = (
            ""
            if limits is None
            else f"Marks at the top: contrast limits of the layer, {limits[0]:.6g} to {limits[1]:.6g}"
        )
        self.setToolTip(tip)
        self.update()

    @property
    def range(self) -> tuple[float, float] | None:
        """The intensities that are shown as black and white."""
        return self._range

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._place()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Move the nearer end to the mouse, and let it follow."""
        assert event is not None
        if event.button() != Qt.MouseButton.LeftButton or self._range is None:
            return
        x = event.pos().x()
        end = int(abs(x - self._x(self._range[1])) < abs(x - self._x(self._range[0])))
        self._dragged = end
        (self.low, self.high)[end].setFocus()
        self._move(end, self._value_at(x))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.buttons() & Qt.MouseButton.LeftButton and self._range is not None:
            self._move(self._dragged, self._value_at(event.pos().x()))

    def _value(self, end: int) -> float:
        return self._view[end] if self._range is None else self._range[end]

    def _track(self) -> QRectF:
        return QRectF(GRIP / 2, 0, max(self.width() - GRIP, 1), self.height() - FOOT)

    def _x(self, value: float) -> float:
        track, (low, high) = self._track(), self._view
        share = (value - low) / (high - low)
        return float(track.left() + track.width() * min(max(share, 0.0), 1.0))

    def _value_at(self, x: float) -> float:
        track, (low, high) = self._track(), self._view
        return float(low + (high - low) * min(max((x - track.left()) / track.width(), 0.0), 1.0))

    def _step(self) -> float:
        step = (self._view[1] - self._view[0]) / STEPS
        return max(1.0, float(round(step))) if self._whole else step

    @property
    def _whole(self) -> bool:
        return self._histogram is not None and self._histogram.whole

    def _move(self, end: int, value: float) -> None:
        """Give black or white another value, as round as the histogram is wide; black stays below white."""
        if self._range is None:
            return
        digits = 0 if self._whole else 3 - math.floor(math.log10(self._view[1] - self._view[0]))
        value = round(value, digits)
        least = 1.0 if self._whole else 10.0**-digits
        low, high = self._range
        moved = (min(value, high - least), high) if end == 0 else (low, max(value, low + least))
        if moved != self._range and moved[0] < moved[1]:
            self.show_range(moved)
            self.moved.emit(*moved)

    def _place(self) -> None:
        """Put the handles where the values are."""
        for end, handle in enumerate((self.low, self.high)):
            handle.setVisible(self._histogram is not None and self._range is not None)
            if self._range is None:
                continue
            value = self._range[end]
            handle.beyond = int(value > self._view[1]) - int(value < self._view[0])
            handle.setGeometry(round(self._x(value) - GRIP / 2), 0, GRIP, self.height())
            handle.update()
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter, track = QPainter(self), self._track()
        painter.fillRect(track, self._theme.colour("foreground"))
        if self._histogram is None:
            painter.setPen(self._theme.readable("text", on="foreground", strength=0.66))
            painter.drawText(track, Qt.AlignmentFlag.AlignCenter.value, self.words)
            return
        if self._range is not None:
            left, right = map(self._x, self._range)
            painter.fillRect(QRectF(left, 0, right - left, track.height()), self._theme.colour("current", 0.45))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.readable("text", on="foreground", strength=0.75, ratio=SHAPE_CONTRAST))
        painter.drawPolygon(self._outline(self._histogram, track))
        if self._limits is not None:
            painter.setBrush(self._theme.readable("warning", on="foreground", ratio=SHAPE_CONTRAST))
            for limit in self._limits:
                x = self._x(limit)
                painter.drawPolygon(QPolygonF([QPointF(x - LIMIT, 0), QPointF(x + LIMIT, 0), QPointF(x, 1.6 * LIMIT)]))

    def _outline(self, histogram: Histogram, track: QRectF) -> QPolygonF:
        """Return the histogram as steps; the square root of the counts shows small peaks, too."""
        heights = np.sqrt(bars(histogram, self._view, max(int(track.width() // 2), 1)))
        heights *= (track.height() - 2) / max(heights.max(), 1.0)
        columns = len(heights)
        points = [QPointF(track.left(), track.bottom())]
        for number, height in enumerate(heights.tolist()):
            y = track.bottom() - height
            points += [QPointF(track.left() + number / columns * track.width(), y)]
            points += [QPointF(track.left() + (number + 1) / columns * track.width(), y)]
        return QPolygonF([*points, QPointF(track.right(), track.bottom())])

"""Bars that lie: a class per row, its name before the bar and its number behind it."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPen

from napari_webipred._napari.charts.chart_look import ABSOLUTE
from napari_webipred._napari.charts.chart_sheet import PADDING, THIN, TICKS, Sheet, paint_check, tick_text

PAPER_WIDTH = 480  # pixels of a figure, without the names
MIDDLE = ABSOLUTE | Qt.AlignmentFlag.AlignVCenter.value
LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft.value, Qt.AlignmentFlag.AlignRight.value


class Rows:
    """Where the parts of lying bars are, and how they are painted.

    Parameters
    ----------
    sheet : Sheet
        What is painted.
    size : QSize
        The whole area in pixels.
    """

    def __init__(self, sheet: Sheet, size: QSize) -> None:
        self._sheet = sheet
        self._width = size.width()
        line = sheet.line
        mark = line * 0.7 if any(bar.assigned for bar in sheet.bars) else 0
        self._names = min(sheet.widest + PADDING, int(self._width * sheet.room))
        values = sheet.value_width + PADDING
        left = self._names + mark + PADDING
        self._track = QRectF(left, 0, max(self._width - left - values - PADDING, 0), line)
        self._values = values

    @staticmethod
    def size(sheet: Sheet) -> QSize:
        """Return the least width and the height."""
        return QSize(160, (len(sheet.bars) + 1) * sheet.line)

    @staticmethod
    def paper_size(sheet: Sheet) -> QSize:
        """Return a size at which names are not cut off, unless they are very long."""
        return QSize(min(PAPER_WIDTH + sheet.widest, 3 * PAPER_WIDTH), Rows.size(sheet).height())

    def area(self, number: int) -> QRectF:
        """Return the row of a bar."""
        return QRectF(0, number * self._sheet.line, self._width, self._sheet.line)

    def at(self, place: QPointF) -> int:
        """Return the number of the bar at a place; it may be one that is not there."""
        return int(place.y() // self._sheet.line)

    def paint(self, painter: QPainter, exposed: QRectF) -> None:
        """Paint the bars of an area."""
        sheet = self._sheet
        if not sheet.has_values:
            self._paint_scale(painter)
        first, last = int(exposed.top()) // sheet.line, int(exposed.bottom()) // sheet.line
        for number in range(max(first, 0), min(last + 1, len(sheet.bars))):
            self._paint_bar(painter, number)

    def _paint_bar(self, painter: QPainter, number: int) -> None:
        sheet, bar, track = self._sheet, self._sheet.bars[number], self._track
        top = number * sheet.line
        font = sheet.font_of(bar)
        painter.setFont(font)
        painter.setPen(sheet.look.text if bar.assigned else sheet.look.faint)
        name = painter.fontMetrics().elidedText(bar.words, Qt.TextElideMode.ElideRight, int(self._names))
        self._text(painter, QRectF(0, top, self._names, sheet.line), name, at_end=True)
        if bar.value:
            self._text(painter, QRectF(track.left(), top, track.width() + self._values, sheet.line), bar.shown)
            return
        self._text(painter, QRectF(track.right() + PADDING, top, self._values, sheet.line), bar.shown)
        if bar.assigned:
            mark = QRectF(self._names + PADDING / 2, top, sheet.line * 0.7, sheet.line)
            paint_check(painter, self._mirrored(mark), sheet.look.text)
        thick = sheet.line * THIN
        length = track.width() * min(max(bar.probability, 0.0), 1.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(sheet.look.assigned if bar.assigned else sheet.look.bar)
        shape = self._mirrored(QRectF(track.left(), top + (sheet.line - thick) / 2, length, thick))
        painter.drawRoundedRect(shape, 2, 2)
        if bar.threshold is not None:
            x = self._mirrored(QRectF(track.left() + bar.threshold * track.width(), top, 0, sheet.line)).left()
            painter.setPen(sheet.threshold_pen(bar))
            painter.drawLine(QPointF(x, top), QPointF(x, top + sheet.line))

    def _paint_scale(self, painter: QPainter) -> None:
        sheet, track = self._sheet, self._track
        bottom = len(sheet.bars) * sheet.line
        painter.setFont(sheet.font)
        close = track.width() / 2 < sheet.scale_width + PADDING
        for value in TICKS:
            x = self._mirrored(QRectF(track.left() + value * track.width(), 0, 0, 1)).left()
            painter.setPen(QPen(sheet.look.grid, 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
            if value == 0.5 and close:
                continue
            painter.setPen(sheet.look.faint)
            area = QRectF(x - 24, bottom, 48, sheet.line)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter.value, tick_text(value))

    def _text(self, painter: QPainter, area: QRectF, text: str, at_end: bool = False) -> None:
        side = RIGHT if at_end != self._sheet.mirrored else LEFT
        painter.drawText(self._mirrored(area), MIDDLE | side, text)

    def _mirrored(self, area: QRectF) -> QRectF:
        """Return an area as it is where people read from right to left."""
        if not self._sheet.mirrored:
            return area
        return QRectF(self._width - area.right(), area.top(), area.width(), area.height())

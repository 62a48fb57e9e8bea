"""Bars that stand: a class per column, its number above the bar and its name below it."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPen

from napari_webipred._napari.charts.chart_look import ABSOLUTE
from napari_webipred._napari.charts.chart_sheet import PADDING, THIN, TICKS, Sheet, paint_check, tick_text

HEIGHT = 12  # lines
PAPER_HEIGHT = 280  # pixels of a figure, without the names
WIDEST = 90  # pixels of a column
CENTRE = Qt.AlignmentFlag.AlignCenter.value
MIDDLE = ABSOLUTE | Qt.AlignmentFlag.AlignVCenter.value


class Columns:
    """Where the parts of standing bars are, and how they are painted.

    Parameters
    ----------
    sheet : Sheet
        What is painted; all its numbers are probabilities.
    size : QSize
        The whole area in pixels.
    """

    def __init__(self, sheet: Sheet, size: QSize) -> None:
        self._sheet = sheet
        self._width = size.width()
        self._scale = sheet.scale_width + PADDING + 2
        count = max(len(sheet.bars), 1)
        self._column = min(max((self._width - self._scale - PADDING) / count, sheet.line), WIDEST)
        self._upright = sheet.widest + PADDING > self._column
        names = min(sheet.widest + PADDING, size.height() * sheet.room) if self._upright else sheet.line
        self._turned = sheet.value_width + 2 > self._column
        above = sheet.value_width + PADDING if self._turned else sheet.line
        marks = sheet.line * 0.8 if any(bar.assigned for bar in sheet.bars) else 0
        top = above + PADDING
        bottom = size.height() - names - marks - PADDING
        self._track = QRectF(self._scale, top, count * self._column, max(bottom - top, 0))
        self._names, self._marks, self._above = names, marks, above

    @staticmethod
    def size(sheet: Sheet) -> QSize:
        """Return the least width and the height."""
        return QSize(int(sheet.scale_width + 2 * PADDING + len(sheet.bars) * sheet.line), HEIGHT * sheet.line)

    @staticmethod
    def paper_size(sheet: Sheet) -> QSize:
        """Return a size at which names are not cut off, unless they are very long."""
        width = sheet.scale_width + 2 * PADDING + len(sheet.bars) * 2 * sheet.line
        return QSize(int(max(width, PAPER_HEIGHT)), min(PAPER_HEIGHT + sheet.widest, 3 * PAPER_HEIGHT))

    def area(self, number: int) -> QRectF:
        """Return the column of a bar, with its name."""
        bottom = self._track.bottom() + self._marks + self._names + PADDING
        return self._mirrored(QRectF(self._track.left() + number * self._column, 0, self._column, bottom))

    def at(self, place: QPointF) -> int:
        """Return the number of the bar at a place; it may be one that is not there."""
        x = self._width - place.x() if self._sheet.mirrored else place.x()
        return int((x - self._track.left()) // self._column)

    def paint(self, painter: QPainter, exposed: QRectF) -> None:
        """Paint the bars of an area."""
        self._paint_scale(painter)
        for number in range(len(self._sheet.bars)):
            if self.area(number).intersects(exposed):
                self._paint_bar(painter, number)

    def _paint_bar(self, painter: QPainter, number: int) -> None:
        sheet, bar, track = self._sheet, self._sheet.bars[number], self._track
        area = self.area(number)
        middle = area.center().x()
        length = track.height() * min(max(bar.probability, 0.0), 1.0)
        thick = min(self._column * THIN, 2 * sheet.line)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(sheet.look.assigned if bar.assigned else sheet.look.bar)
        painter.drawRoundedRect(QRectF(middle - thick / 2, track.bottom() - length, thick, length), 2, 2)
        y = track.bottom() - (bar.threshold or 0.0) * track.height()
        if bar.threshold is not None:
            painter.setPen(sheet.threshold_pen(bar))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setFont(sheet.font_of(bar))
        painter.setPen(sheet.look.text if bar.assigned else sheet.look.faint)
        above = QRectF(area.left(), track.bottom() - length - self._above, self._column, self._above)
        number_area = self._number(above)
        if bar.threshold is not None and number_area.top() - 2 < y < number_area.bottom() + 2:
            painter.fillRect(number_area, sheet.look.background)
        if self._turned:
            _paint_turned(painter, above, bar.shown, at_end=False)
        else:
            painter.drawText(above, CENTRE, bar.shown)
        below = QRectF(area.left(), track.bottom() + self._marks + PADDING / 2, self._column, self._names)
        if self._upright:
            room = int(self._names)
            name = painter.fontMetrics().elidedText(bar.words, Qt.TextElideMode.ElideRight, room)
            _paint_turned(painter, below, name, at_end=True)
        else:
            painter.drawText(below, CENTRE, bar.words)
        if bar.assigned:
            mark = QRectF(middle - sheet.line * 0.35, track.bottom() + 1, sheet.line * 0.7, self._marks)
            paint_check(painter, mark, sheet.look.text)

    def _number(self, above: QRectF) -> QRectF:
        """Return the place of a number in the area above its bar."""
        sheet = self._sheet
        width, height = (
            (sheet.line - PADDING, self._above) if self._turned else (sheet.value_width, sheet.line - PADDING)
        )
        return QRectF(above.center().x() - width / 2, above.bottom() - height - 2, width, height)

    def _paint_scale(self, painter: QPainter) -> None:
        sheet, track = self._sheet, self._track
        painter.setFont(sheet.font)
        lines = self._mirrored(track)
        for value in TICKS:
            y = track.bottom() - value * track.height()
            painter.setPen(QPen(sheet.look.grid, 1))
            painter.drawLine(QPointF(lines.left(), y), QPointF(lines.right(), y))
            painter.setPen(sheet.look.faint)
            area = self._mirrored(QRectF(0, y - sheet.line / 2, self._scale - PADDING, sheet.line))
            side = Qt.AlignmentFlag.AlignLeft if sheet.mirrored else Qt.AlignmentFlag.AlignRight
            painter.drawText(area, MIDDLE | side.value, tick_text(value))

    def _mirrored(self, area: QRectF) -> QRectF:
        """Return an area as it is where people read from right to left."""
        if not self._sheet.mirrored:
            return area
        return QRectF(self._width - area.right(), area.top(), area.width(), area.height())


def _paint_turned(painter: QPainter, area: QRectF, text: str, at_end: bool) -> None:
    """Paint a text that runs upwards, and ends at the upper edge of its area or begins at the lower one."""
    painter.save()
    painter.translate(area.center().x(), area.bottom())
    painter.rotate(-90)
    side = Qt.AlignmentFlag.AlignRight if at_end else Qt.AlignmentFlag.AlignLeft
    turned = QRectF(0, -area.width() / 2, area.height(), area.width())
    painter.drawText(turned, MIDDLE | side.value | Qt.TextFlag.TextDontClip.value, text)
    painter.restore()

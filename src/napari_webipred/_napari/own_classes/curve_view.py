"""A learning curve: how good heads are that were fitted to fewer pictures."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

LINES = 6  # lines of text high
MARK = 3.0
MUTED = 0.66
TICKS = (0.0, 0.5, 1.0)
ABSOLUTE = Qt.AlignmentFlag.AlignAbsolute.value


class CurveView(QWidget):
    """Paints a point for each number of pictures, and the line through them."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._points: list[tuple[int, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def points(self) -> list[tuple[int, float]]:
        """How many pictures, and the share of others that were right."""
        return list(self._points)

    def show_points(self, points: list[tuple[int, float]]) -> None:
        """Show these points, the fewest pictures first."""
        self._points = points
        words = "; ".join(f"{count} images: {score:.0%}" for count, score in points)
        self.setAccessibleName("Learning curve")
        self.setAccessibleDescription(words)
        self.setToolTip(f"Right of images that were held out, by how many the model learned from. {words}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, LINES * (self.fontMetrics().height() + 2))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self._points:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        faint = self._theme.readable("text", "background", MUTED)
        self._paint_axes(painter, area)
        line = self._theme.readable("current", "background", ratio=SHAPE_CONTRAST)
        places = [self._place(area, *point) for point in self._points]
        painter.setPen(QPen(line, 2))
        painter.drawPolyline(QPolygonF(places))
        painter.setBrush(line)
        for place in places:
            painter.drawEllipse(place, MARK, MARK)
        painter.setPen(faint)
        end = -math.inf
        for (count, _), place in zip(reversed(self._points), reversed(places), strict=True):
            width = painter.fontMetrics().horizontalAdvance(f"{count:,}") + 8
            left = min(max(place.x() - width / 2, area.left() - width / 2), self.width() - width)
            if end == -math.inf or left + width <= end:
                box = QRectF(left, area.bottom() + 4, width, self.fontMetrics().height())
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter.value, f"{count:,}")
                end = left

    def _paint_axes(self, painter: QPainter, area: QRectF) -> None:
        faint = self._theme.readable("text", "background", MUTED)
        height = self.fontMetrics().height()
        for tick in TICKS:
            y = area.bottom() - tick * area.height()
            painter.setPen(QPen(self._theme.colour("text", 0.2), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(faint)
            box = QRectF(0, y - height / 2, area.left() - 6, height)
            painter.drawText(box, ABSOLUTE | Qt.AlignmentFlag.AlignRight.value, f"{tick:.0%}")

    def _area(self) -> QRectF:
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance("100%") + 8
        return QRectF(left, metrics.height() / 2, self.width() - left - 12, self.height() - 1.5 * metrics.height() - 6)

    def _place(self, area: QRectF, count: int, score: float) -> QPointF:
        """Return where a point is: numbers of pictures are doubled from one to the next, and evenly apart."""
        first, last = self._points[0][0], self._points[-1][0]
        span = math.log(last / first) if last > first else 0.0
        along = math.log(count / first) / span if span else 0.5
        return QPointF(area.left() + along * area.width(), area.bottom() - score * area.height())

"""How lines of a plot are told apart other than by their colour: dashes, and marks on them."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

RADIUS = 3.5
# Pixels of dashes and gaps; none for a line without gaps.
DASHES: tuple[tuple[float, ...], ...] = 2 * ((), (8, 4), (2, 3), (12, 4, 2, 4))
# Corners of a mark and its angle; a mark of the second half of the lines is hollow.
CORNERS = ((0, 0.0), (4, 45.0), (3, -90.0), (4, 0.0))


def paint_mark(painter: QPainter, place: QPointF, number: int, colour: QColor) -> None:
    """Paint the mark of a line: a disc, square, triangle or diamond, filled or hollow."""
    corners, angle = CORNERS[number % len(CORNERS)]
    painter.save()
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush if number >= len(CORNERS) else colour)
    if corners:
        angles = [math.radians(angle + 360 * corner / corners) for corner in range(corners)]
        points = [place + QPointF(math.cos(each), math.sin(each)) * (RADIUS + 0.8) for each in angles]
        painter.drawPolygon(QPolygonF(points))
    else:
        painter.drawEllipse(place, RADIUS, RADIUS)
    painter.restore()

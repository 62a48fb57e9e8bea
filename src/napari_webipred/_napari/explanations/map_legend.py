"""The colours of a map with their values."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_webipred._napari.explanations.map_colours import limits, shades

WIDTH, HIGH, GAP = 60, 10, 6
STOPS = 16


class MapLegend(QWidget):
    """A strip of all colours between the values of the first and the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._low, self._high = "", ""
        self._signed = False
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setRetainSizeWhenHidden(True)  # the buttons beside it stay where they are
        self.setSizePolicy(policy)
        self.setAccessibleName("Colours of the map")

    def show_scale(self, scale: float, signed: bool) -> None:
        """Show the colours up to this value."""
        low, high = limits(scale, signed)
        self._low, self._high, self._signed = (f"{low:.2g}".replace("-", "−"), f"{high:.2g}", signed)
        what = "Log-odds or logit that each place adds, on average"
        self.setToolTip(f"{what}: from {self._low} to {self._high}")
        self.setAccessibleDescription(f"From {self._low} to {self._high}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH * 2, self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(WIDTH, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, height = self.fontMetrics(), self.height()
        first, last = (metrics.horizontalAdvance(text) + GAP for text in (self._low, self._high))
        strip = QRectF(first, (height - HIGH) / 2, self.width() - first - last, HIGH)
        if strip.width() <= 0:
            return
        gradient = QLinearGradient(strip.topLeft(), strip.topRight())
        colours = shades(self._signed)
        for stop in range(STOPS + 1):
            gradient.setColorAt(stop / STOPS, QColor.fromRgbF(*map(float, colours[stop * (len(colours) - 1) // STOPS])))
        text = self.palette().windowText().color()
        painter.setPen(text)
        middle = Qt.AlignmentFlag.AlignVCenter.value
        painter.drawText(QRectF(0, 0, first, height), middle, self._low)
        painter.drawText(QRectF(strip.right() + GAP, 0, last, height), middle, self._high)
        painter.setPen(QPen(text, 0.5))
        painter.setBrush(gradient)
        painter.drawRoundedRect(strip, 2, 2)

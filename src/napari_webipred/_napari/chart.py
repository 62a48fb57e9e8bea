"""The probabilities of one image as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QFont, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_webipred._napari.about import is_code
from napari_webipred._napari.label import tip
from napari_webipred._napari.theme import SHAPE_CONTRAST, Theme

Order = Literal["model", "descending", "ascending"]
PADDING = 6
MOST_LETTERS = 400  # of a name; more never fit
BAR = 0.5
VALUE = "0.000"
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One class: its name, its label, its probability and whether it is assigned to the image.

    A number that is not a probability has a text that is shown instead of a bar, such as ``63.2 years``.
    """

    name: str
    label: str
    probability: float
    assigned: bool
    value: str = ""

    @property
    def words(self) -> str:
        """The name, and the label if the name is a code."""
        return f"{self.name} · {self.label}" if is_code(self.name, self.label) else self.name

    @property
    def explained(self) -> str:
        """The tool tip."""
        return f"{self.label or self.name}: {self.shown if self.value else f'{self.probability:.6g}'}"

    @property
    def shown(self) -> str:
        """The number as it is written."""
        return self.value or f"{self.probability:.3f}"


def ordered(bars: Sequence[Bar], order: Order) -> list[Bar]:
    """Sort bars; equal ones keep the order of the model."""
    if order == "model":
        return list(bars)
    sign = -1 if order == "descending" else 1
    return sorted(bars, key=lambda bar: sign * bar.probability)


class Chart(QWidget):
    """Horizontal bars on a scale from 0 to 1, as high as its classes need."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bars: list[Bar] = []
        self._widest: int | None = None  # pixels of the widest name; measured once, which takes long for a thousand
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Probabilities of the selected row")

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Draw these bars from top to bottom."""
        self._bars = list(bars)
        self._widest = None
        self.setAccessibleDescription("; ".join(f"{bar.words} {bar.shown}" for bar in bars))
        self.updateGeometry()
        self.update()

    @property
    def bars(self) -> list[Bar]:
        """The bars as they are drawn."""
        return list(self._bars)

    def line_height(self) -> int:
        """Pixels of one bar with its gap."""
        return int(self.fontMetrics().height() + PADDING)

    def sizeHint(self) -> QSize:
        return QSize(240, (len(self._bars) + 1) * self.line_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self._bars:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bold = QFont(self.font())
        bold.setBold(True)
        painter.setFont(bold)
        metrics = painter.fontMetrics()
        most = int(self.width() * 0.42)
        if self._widest is None:
            self._widest = max(metrics.horizontalAdvance(bar.words[:MOST_LETTERS]) for bar in self._bars)
        names = min(self._widest + PADDING, most)
        values = metrics.horizontalAdvance(VALUE) + PADDING
        track = QRectF(names + PADDING, 0, self.width() - names - values - 2 * PADDING, self.line_height())
        if not any(bar.value for bar in self._bars):
            self._paint_scale(painter, track)
        exposed = event.rect() if event is not None else self.rect()
        first, last = exposed.top() // self.line_height(), exposed.bottom() // self.line_height()
        for number, bar in enumerate(self._bars[first : last + 1], first):
            top = number * self.line_height()
            painter.setFont(bold if bar.assigned else self.font())
            painter.setPen(self._theme.readable("text", "background", 1.0 if bar.assigned else 0.8))
            middle = Qt.AlignmentFlag.AlignVCenter.value
            name = painter.fontMetrics().elidedText(bar.words, Qt.TextElideMode.ElideRight, names)
            area = QRectF(0, top, names, self.line_height())
            painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight.value, name)
            if bar.value:
                area = QRectF(track.left(), top, track.width() + values, self.line_height())
                painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft.value, bar.shown)
                continue
            area = QRectF(track.right() + PADDING, top, values, self.line_height())
            painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft.value, bar.shown)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(
                self._theme.readable("current" if bar.assigned else "secondary", "background", ratio=SHAPE_CONTRAST)
            )
            thick = self.line_height() * BAR
            length = track.width() * min(max(bar.probability, 0.0), 1.0)
            painter.drawRoundedRect(QRectF(track.left(), top + (self.line_height() - thick) / 2, length, thick), 2, 2)

    def _paint_scale(self, painter: QPainter, track: QRectF) -> None:
        bottom = len(self._bars) * self.line_height()
        painter.save()
        painter.setFont(self.font())
        for value in TICKS:
            x = track.left() + value * track.width()
            painter.setPen(QPen(self._theme.colour("text", 0.18), 1))
            painter.drawLine(int(x), 0, int(x), bottom)
            painter.setPen(self._theme.readable("text", "background", 0.6))
            area = QRectF(x - 24, bottom, 48, self.line_height())
            if value in (0.0, 0.5, 1.0):
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter.value, f"{value:g}")
        painter.restore()

    def event(self, event: QEvent | None) -> bool:
        """Show the whole name and number of the bar under the mouse; measure the names again in another font."""
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._widest = None
        if event is not None and event.type() == QEvent.Type.ToolTip:
            assert isinstance(event, QHelpEvent)
            number = event.pos().y() // self.line_height()
            if 0 <= number < len(self._bars):
                bar = self._bars[number]
                QToolTip.showText(event.globalPos(), tip(bar.explained), self)
                return True
        return bool(super().event(event))

"""The probabilities of a stack along one of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QEvent, QPointF, QSize, Qt, Signal
from qtpy.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_webipred._napari.charts.bars import written
from napari_webipred._napari.charts.chart_look import Look, paper_look, screen_look
from napari_webipred._napari.charts.figure import Figure, figure_font
from napari_webipred._napari.charts.plot_marks import RADIUS
from napari_webipred._napari.charts.plot_sheet import Curve, PlotSheet
from napari_webipred._napari.widgets.theme import Theme

PAGES = 10  # of the whole axis
LEAST = 160  # pixels
PAPER_WIDTH = 640


class Plot(QWidget):
    """Lines along an axis, and a marker at the plane that the viewer shows. A click, a drag or an arrow key moves it.

    Signals
    -------
    moved : int
        The user has moved the marker to this plane.
    """

    moved = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._axis, self._length = "", 0
        self._unit: str | None = None
        self._curves: tuple[Curve, ...] = ()
        self._index = 0
        self._measured: PlotSheet | None = None
        self._painted: QPixmap | None = None
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_curves(self, axis: str, length: int, curves: Sequence[Curve], unit: str | None = None) -> None:
        """Draw these lines; for the arguments see `PlotSheet`."""
        taller = len(curves) != len(self._curves) or bool(unit) != bool(self._unit)
        self._axis, self._length, self._unit = axis, length, unit
        self._curves = tuple(curves)
        self._draw_again()
        if taller:
            self.updateGeometry()
        what = "Values" if unit is not None else "Probabilities"
        self.setAccessibleName(f"{what} along {axis}, {length} planes")
        self._describe()

    def show_index(self, index: int) -> None:
        """Move the marker to a plane."""
        if index != self._index:
            self._index = index
            self._describe()
            self.update()

    @property
    def index(self) -> int:
        """The plane of the marker."""
        return self._index

    @property
    def curves(self) -> list[Curve]:
        """The lines as they are drawn."""
        return list(self._curves)

    def sheet(self, font: QFont, look: Look) -> PlotSheet:
        """Return the plot as it would be in another font and other colours."""
        mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        return PlotSheet(self._axis, self._length, self._curves, font, look, self._unit, mirrored)

    def figure(self) -> Figure:
        """Return the plot as it is on paper: on white, with the names of the lines and without the marker."""
        sheet = self.sheet(figure_font(self.font()), paper_look())
        size = sheet.size(PAPER_WIDTH)

        def paint(painter: QPainter) -> None:
            sheet.paint(painter, size)
            sheet.paint_legend(painter, size, [""] * len(sheet.curves))

        return Figure(size, paint)

    def readings(self) -> list[str]:
        """Return the number of each line at the marker; a dash where there is none."""
        return [_reading(curve, self._index, self._unit) for curve in self._curves]

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return int(self._sheet().size(width).height())

    def sizeHint(self) -> QSize:
        return self._sheet().size(max(self.width(), LEAST))

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST, self.heightForWidth(max(self.width(), LEAST)))

    def _sheet(self) -> PlotSheet:
        if self._measured is None:
            self._measured = self.sheet(self.font(), screen_look(self._theme))
        return self._measured

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self._length:
            return
        look = screen_look(self._theme)
        if look != self._sheet().look:
            self._draw_again()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._picture())
        sheet, size = self._sheet(), self.size()
        area, x = sheet.area(size), sheet.across(size).pixel(self._index)
        painter.setPen(QPen(look.text, 1.5))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        for curve in self._curves:
            number = curve.number(self._index)
            if math.isfinite(number):
                painter.setBrush(look.lines[curve.place])
                painter.drawEllipse(QPointF(x, sheet.up(size).pixel(number)), RADIUS, RADIUS)
        sheet.paint_legend(painter, size, self.readings())
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.frame, 1))
            painter.drawRect(area.adjusted(-1, -1, 1, 1))

    def _picture(self) -> QPixmap:
        """Return axes and lines, which are painted once and kept while only the marker moves."""
        ratio = self.devicePixelRatioF()
        pixels = self.size() * ratio
        if self._painted is None or self._painted.size() != pixels:
            self._painted = QPixmap(pixels)
            self._painted.setDevicePixelRatio(ratio)
            self._painted.fill(Qt.GlobalColor.transparent)
            painter = QPainter(self._painted)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._sheet().paint(painter, self.size())
            painter.end()
        return self._painted

    def _draw_again(self) -> None:
        self._measured = self._painted = None
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self.updateGeometry()

    def event(self, event: QEvent | None) -> bool:
        """Paint again in another font, style or direction."""
        if event is not None and event.type() in PAINTED_AGAIN:
            self._draw_again()
        return bool(super().event(event))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.button() == Qt.MouseButton.LeftButton:
            self._move_to_pixel(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._move_to_pixel(event.position().x())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        page = max(self._length // PAGES, 1)
        onward = -1 if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else 1
        steps = {
            Qt.Key.Key_Left: -onward,
            Qt.Key.Key_Right: onward,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -self._length,
            Qt.Key.Key_End: self._length,
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
            return
        self._move_to(self._index + step)

    def _move_to_pixel(self, x: float) -> None:
        self._move_to(round(self._sheet().across(self.size()).number(x)))

    def _move_to(self, index: int) -> None:
        index = min(max(index, 0), self._length - 1)
        if index != self._index:
            self.show_index(index)
            self.moved.emit(index)

    def _describe(self) -> None:
        texts = [f"{curve.name} {text}" for curve, text in zip(self._curves, self.readings(), strict=True)]
        self.setAccessibleDescription(f"{self._axis} {self._index}: {'; '.join(texts)}")


def _reading(curve: Curve, index: int, unit: str | None) -> str:
    number = curve.number(index)
    if not math.isfinite(number):
        return "–"
    return written(number) if unit is None else f"{number:.6g}"


PAINTED_AGAIN = {QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.LayoutDirectionChange}

"""The probabilities of one image as bars."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from qtpy.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QFocusEvent, QFont, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_webipred._napari.charts.bars import Bar
from napari_webipred._napari.charts.chart_columns import Columns
from napari_webipred._napari.charts.chart_look import Look, paper_look, screen_look
from napari_webipred._napari.charts.chart_rows import Rows
from napari_webipred._napari.charts.chart_sheet import Sheet
from napari_webipred._napari.charts.figure import Figure, figure_font
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.theme import Theme

PAGE = 9  # bars
PAPER_ROOM = 0.7  # for names
STEPS = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_PageUp: -PAGE,
    Qt.Key.Key_PageDown: PAGE,
    Qt.Key.Key_Home: -(10**9),
    Qt.Key.Key_End: 10**9,
}


class Chart(QWidget):
    """Bars on a scale from 0 to 1, as many as are given. Arrow keys go from bar to bar.

    Attributes
    ----------
    marked : int or None
        The class of which something is shown elsewhere; its bar has a frame.

    Signals
    -------
    current_moved : QRect
        The keyboard has chosen the bar in this area.
    class_chosen : int
        The user has chosen the bar of this class.
    """

    current_moved = Signal(QRect)
    class_chosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bars: tuple[Bar, ...] = ()
        self._measured: Sheet | None = None
        self._vertical = False
        self._current = 0
        self.marked: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Probabilities of the selected row")

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Draw these bars, from top to bottom or in the direction of reading. The chosen class stays chosen."""
        before = self.current
        self._bars = tuple(bars)
        self._measured = None
        places = {bar.index: number for number, bar in enumerate(bars)}
        self._current = places.get(before.index, 0) if before is not None else 0
        self._describe()
        self.updateGeometry()
        self.update()

    def set_vertical(self, vertical: bool) -> None:
        """Let the bars stand instead of lie. Numbers that are not probabilities have no bars and always lie."""
        self._vertical = vertical
        self.updateGeometry()
        self.update()

    def mark(self, index: int | None) -> None:
        """Mark the bar of a class."""
        if index != self.marked:
            self.marked = index
            self.update()

    @property
    def bars(self) -> list[Bar]:
        """The bars as they are drawn."""
        return list(self._bars)

    @property
    def current(self) -> Bar | None:
        """The bar that the keyboard has chosen."""
        return self._bars[self._current] if self._current < len(self._bars) else None

    @property
    def vertical(self) -> bool:
        """Whether the bars stand."""
        return self._vertical and not self.has_values

    @property
    def has_values(self) -> bool:
        """Whether there are numbers that are not probabilities."""
        return any(bar.value for bar in self._bars)

    def figure(self) -> Figure:
        """Return the chart as it is on paper: on white, and wide enough for all names."""
        sheet = replace(self.sheet(figure_font(self.font()), paper_look()), room=PAPER_ROOM)
        kind = Columns if self.vertical else Rows
        size = kind.paper_size(sheet)
        return Figure(size, lambda painter: kind(sheet, size).paint(painter, QRectF(QPointF(0, 0), size.toSizeF())))

    def line_height(self) -> int:
        """Pixels of one bar with its gap, if bars lie."""
        return self._sheet().line

    def sheet(self, font: QFont, look: Look) -> Sheet:
        """Return the chart as it would be in another font and other colours."""
        return Sheet(self._bars, font, look, self.layoutDirection() == Qt.LayoutDirection.RightToLeft)

    def sizeHint(self) -> QSize:
        least = self.minimumSizeHint()
        return QSize(max(240, least.width()), least.height())

    def minimumSizeHint(self) -> QSize:
        return (Columns if self.vertical else Rows).size(self._sheet())

    def _sheet(self) -> Sheet:
        if self._measured is None:
            self._measured = self.sheet(self.font(), screen_look(self._theme))
        return self._measured

    def _drawn(self) -> Rows | Columns:
        return (Columns if self.vertical else Rows)(self._sheet(), self.size())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self._bars:
            return
        look = screen_look(self._theme)
        if look != self._sheet().look:
            self._measured = None
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        drawn = self._drawn()
        drawn.paint(painter, QRectF(event.rect() if event is not None else self.rect()))
        for number, bar in enumerate(self._bars):
            if bar.index == self.marked:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(self._theme.colour("text", 0.5), 1, Qt.PenStyle.DotLine))
                painter.drawRoundedRect(drawn.area(number).adjusted(2.5, 0.5, -2.5, -0.5), 3, 3)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.frame, 1))
            painter.drawRoundedRect(drawn.area(self._current).adjusted(2.5, 0.5, -2.5, -0.5), 3, 3)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        step = STEPS.get(Qt.Key(event.key()))
        if step is None or not self._bars or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
            return
        sideways = event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right)
        if sideways and self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            step = -step
        self._choose(self._current + step)
        bar, area = self._bars[self._current], self._drawn().area(self._current).toAlignedRect()
        QToolTip.showText(self.mapToGlobal(area.center()), tip(bar.explained), self)
        self.current_moved.emit(area)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        number = self._drawn().at(event.position())
        if 0 <= number < len(self._bars):
            self._choose(number)
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        super().focusInEvent(event)
        self._describe()

    def event(self, event: QEvent | None) -> bool:
        """Show the whole name and number of the bar under the mouse; measure the names again in another font."""
        if event is not None and event.type() in MEASURED_AGAIN:
            self._measured = None
        if event is not None and event.type() == QEvent.Type.ToolTip:
            assert isinstance(event, QHelpEvent)
            number = self._drawn().at(QPointF(event.pos()))
            if 0 <= number < len(self._bars):
                QToolTip.showText(event.globalPos(), tip(self._bars[number].explained), self)
                return True
        return bool(super().event(event))

    def _choose(self, number: int) -> None:
        self._current = min(max(number, 0), len(self._bars) - 1)
        self._describe()
        self.update()
        self.class_chosen.emit(self._bars[self._current].index)

    def _describe(self) -> None:
        """Tell screen readers the chosen bar, and all bars while nobody uses the keyboard here."""
        if self.hasFocus() and self.current is not None:
            self.setAccessibleDescription(
                f"{self.current.explained}. Bar {self._current + 1} of {len(self._bars)}. Arrow keys go to the others."
            )
        else:
            self.setAccessibleDescription("; ".join(f"{bar.words} {bar.shown}" for bar in self._bars))


MEASURED_AGAIN = {QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.LayoutDirectionChange}

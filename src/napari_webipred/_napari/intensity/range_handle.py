"""A handle that is moved along a range slider."""

from __future__ import annotations

from qtpy.QtCore import QLineF, QPointF, Qt, Signal
from qtpy.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.widgets.theme import Theme

GRIP = 12  # pixels: as wide as a handle is
FOOT = 12  # and as high
PAGE = 10  # steps
KEYS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_PageDown: -PAGE,
    Qt.Key.Key_PageUp: PAGE,
}


class Handle(QWidget):
    """Black or white on the histogram; moved with the mouse, or with the arrow keys when it has the focus.

    Signals
    -------
    stepped : int
        A key was pressed, for so many steps.
    sent : int
        To an end of the histogram: 0 or 1.
    dragged : float
        The mouse has moved it to this place in its parent.
    """

    stepped = Signal(int)
    sent = Signal(int)
    dragged = Signal(float)

    def __init__(self, name: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.beyond = 0  # -1 or 1 if its value is left or right of what is shown
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}. Drag it, or press the arrow keys")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        if event.key() in KEYS:
            self.stepped.emit(KEYS[Qt.Key(event.key())])
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.sent.emit(int(event.key() == Qt.Key.Key_End))
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        self.setFocus()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(self.mapToParent(event.pos()).x())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, bottom, top = self.width() / 2, self.height() - 1.0, self.height() - FOOT + 1.0
        if self.hasFocus():
            painter.setPen(self._theme.readable("text", on="background"))
            painter.setBrush(self._theme.colour("background"))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        line = QLineF(middle, 0, middle, top)
        painter.setPen(QPen(self._theme.colour("background"), 4))  # so that the line is seen on bars and beside them
        painter.drawLine(line)
        painter.setPen(QPen(self._theme.readable("text", on="background"), 1.5))
        painter.drawLine(line)
        painter.setBrush(painter.pen().color())
        half = GRIP / 2 - 1
        if self.beyond:
            tip = QPointF(middle + self.beyond * half, (top + bottom) / 2)
            back = middle - self.beyond * half
            painter.drawPolygon(QPolygonF([tip, QPointF(back, top), QPointF(back, bottom)]))
        else:
            painter.drawPolygon(
                QPolygonF([QPointF(middle, top), QPointF(middle + half, bottom), QPointF(middle - half, bottom)])
            )

"""A figure in the window, whose cells can be pointed at and chosen."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from qtpy.QtGui import QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_webipred._napari.evaluation.rendering import Area, Picture
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
CHOOSING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
CLICK = "Click to select their rows in the table."
DRAWING = "Drawing…"
EMPTY = 120  # pixels while the first figure is drawn


class FigureView(QWidget):
    """Shows a picture.

    Signals
    -------
    resized
        The figure is to be drawn for another width.
    chosen : Area
        The user has clicked a cell of a matrix, or pressed Return on it.
    """

    resized = Signal()
    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.picture: Picture | None = None
        self._image = QImage()
        self.current: Area | None = None
        self._width = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(EMPTY)
        self.setMouseTracking(True)

    def show_picture(self, picture: Picture | None) -> None:
        """Show a figure, or nothing."""
        self.picture, self.current = picture, None
        if picture is None:
            self._image = QImage()
        else:
            height, width = picture.pixels.shape[:2]
            self._image = QImage(picture.pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
            self._image = self._image.copy()  # which owns its pixels
            self._image.setDevicePixelRatio(width / picture.width)
            self.setFixedHeight(picture.height)
        has_cells = picture is not None and bool(picture.areas)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if has_cells else Qt.FocusPolicy.NoFocus)
        self.update()

    def reserve(self, height: int) -> None:
        """Take the height of a figure that is still to be shown."""
        self.setFixedHeight(height)

    def area_at(self, place: QPoint) -> Area | None:
        """Return the cell below a place."""
        for area in self.picture.areas if self.picture else ():
            if _rectangle(area).contains(place.x(), place.y()):
                return area
        return None

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if self.width() != self._width:
            self._width = self.width()
            self.resized.emit()

    def event(self, event: QEvent | None) -> bool:
        """Say what a cell holds."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            area = self.area_at(event.pos())
            words = f"{described(area)} {CLICK if area.matrix.own else ''}" if area else ""
            QToolTip.showText(event.globalPos(), tip(words.strip()), self)
            return True
        return bool(super().event(event))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            area = self.area_at(event.pos())
            clickable = area is not None and area.matrix.own
            self.setCursor(Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(self.area_at(event.pos()))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        key = Qt.Key(event.key())
        own = [area for area in self.picture.areas if area.matrix.own] if self.picture else []
        if key in CHOOSING and self.current is not None:
            self._choose(self.current)
        elif key in STEPS and own:
            down, right = STEPS[key]
            row, column = (self.current.row + down, self.current.column + right) if self.current else (0, 0)
            self._point_at(next((a for a in own if (a.row, a.column) == (row, column)), self.current))
        else:
            super().keyPressEvent(event)

    def _choose(self, area: Area | None) -> None:
        if area is not None and area.matrix.own:
            self._point_at(area)
            self.chosen.emit(area)

    def _point_at(self, area: Area | None) -> None:
        self.current = area
        self.setAccessibleDescription(described(area) if area else "")
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.setPen(self._theme.readable("text", on="background"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter.value, DRAWING)
        else:
            painter.drawImage(QPoint(0, 0), self._image)
        if self.current is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            frame = self._theme.readable("warning", on="background", ratio=SHAPE_CONTRAST)
            painter.setPen(QPen(frame, 3))
            painter.drawRect(_rectangle(self.current).adjusted(1.5, 1.5, -1.5, -1.5))
        elif self.hasFocus():
            frame = self._theme.readable("highlight", on="background", ratio=SHAPE_CONTRAST)
            painter.setPen(QPen(frame, 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))


def described(area: Area) -> str:
    """Say what a cell holds."""
    matrix = area.matrix
    count = matrix.counts[area.row][area.column]
    images, names = f"{count:,} image{'s' * (count != 1)}", (matrix.true[area.row], matrix.assigned[area.column])
    if matrix.sides:
        return f"{images}: {matrix.sides[0]} says {names[0]}, {matrix.sides[1]} says {names[1]}."
    return f"{images} of {names[0]}, assigned {names[1]}."


def _rectangle(area: Area) -> QRectF:
    return QRectF(area.left, area.top, area.width, area.height)

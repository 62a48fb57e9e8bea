"""Buttons with space around their text."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QPushButton, QWidget

from napari_webipred._napari.widgets.theme import Theme

HEIGHT = 32
SPACE = 14
NARROWEST = 160  # pixels of the text of the main button, which ends in an ellipsis then


class Button(QPushButton):
    """An ordinary button: Return in a dialog presses the default button, never this one."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setAutoDefault(False)

    def sizeHint(self) -> QSize:
        size = super().sizeHint()
        return QSize(size.width() + SPACE, size.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class MainButton(Button):
    """The button for the next thing to do, in the theme's strongest colour."""

    def __init__(self, text: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._theme = theme
        self.setDefault(True)
        font = self.font()
        font.setBold(True)
        self.setFont(font)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self.sizeHint().width(), NARROWEST), HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self.isEnabled():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strength = 0.7 if self.isDown() else 0.85 if self.underMouse() else 1.0
        edge = self._theme.colour("text") if self.hasFocus() else self._theme.colour("current")
        painter.setPen(QPen(edge, 1))
        painter.setBrush(self._theme.colour("current", strength))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.setPen(self._theme.readable("text", on="current"))
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width() - 2)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter.value, text)

"""Buttons with space around their text."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QDialogButtonBox,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QWidget,
)

from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapped_text import broken

HEIGHT = 32
SPACE = 14
NARROWEST = 240  # pixels of a button, whose words are broken into lines then
NARROWEST_MAIN = 160  # pixels of the main button, whose words end in an ellipsis then


class Button(QPushButton):
    """An ordinary button: Return in a dialog presses the default button, never this one.

    Its words are broken into lines where a narrow panel has no space for them, as with a large font.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(self._width, self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        size = self.sizeHint()
        return QSize(min(size.width(), NARROWEST), size.height())

    def hasHeightForWidth(self) -> bool:
        return self._width > NARROWEST

    def heightForWidth(self, width: int) -> int:
        more = self._in_lines(width).count("\n") if self.hasHeightForWidth() else 0
        return int(super().sizeHint().height() + more * self.fontMetrics().lineSpacing())

    @property
    def _width(self) -> int:
        """How wide it is with its words in one line."""
        return int(super().sizeHint().width() + SPACE)

    def _in_lines(self, width: int) -> str:
        """Return the words as they are shown in a button of this width."""
        shown = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic.value, self.text()).width()
        around = super().sizeHint().width() - shown
        return broken(self.text(), width - around, self.fontMetrics().horizontalAdvance)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if self.hasHeightForWidth():
            self.updateGeometry()  # layouts give it no more height than its hint

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self.hasHeightForWidth():
            super().paintEvent(event)
            return
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = self._in_lines(self.width())
        QStylePainter(self).drawControl(QStyle.ControlElement.CE_PushButton, option)


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
        size = super().sizeHint()
        return QSize(size.width(), max(size.height(), HEIGHT))

    def minimumSizeHint(self) -> QSize:
        size = self.sizeHint()
        return QSize(min(size.width(), NARROWEST_MAIN), size.height())

    def hasHeightForWidth(self) -> bool:
        return False

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


# A style sheet for what makes buttons such as Cancel, to which some desktops give icons. It counts when they are made.
WITHOUT_ICONS = "QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }"


def dialog_buttons(buttons: QDialogButtonBox.StandardButton) -> QDialogButtonBox:
    """Make the buttons of a dialog."""
    box = QDialogButtonBox()
    box.setStyleSheet(WITHOUT_ICONS)
    box.setStandardButtons(buttons)
    return box

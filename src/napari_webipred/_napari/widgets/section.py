"""A step of the panel: a header that folds what is below it."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QFont, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

FIRST = 1000  # a stretch that takes the height that is there before what is below gets any
BADGE = 20
GAP = 8


class Header(QAbstractButton):
    """Number and title of a step, what was chosen in it, and an arrow.

    Parameters
    ----------
    number : str
        The text of the badge, which is filled once the step is complete.
    title : str
        Name of the step.
    """

    def __init__(self, number: str, title: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number = number
        self._theme = theme
        self._summary = ""
        self._complete = False
        self.setText(title)
        self.setCheckable(True)
        self.setChecked(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Show or hide this step")
        self.setAccessibleName(f"{number} {title}".strip())

    def summarise(self, summary: str, complete: bool) -> None:
        """Show what was chosen, and whether the step is complete."""
        if (summary, complete) == (self._summary, self._complete):
            return  # painting it costs more than all else that is done for new rows
        self._summary, self._complete = summary, complete
        self.setAccessibleDescription(summary)
        self.update()

    @property
    def summary(self) -> str:
        """What was chosen in this step."""
        return self._summary

    def sizeHint(self) -> QSize:
        return QSize(120, self._badge + 8)

    @property
    def _badge(self) -> int:
        """The size of the circle around the number."""
        return max(BADGE, int(self.fontMetrics().height()) + 2)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setLayoutDirection(self.layoutDirection())  # a painter has that of the program
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        text = self._theme.readable("text", on="background")
        if self.underMouse() or self.hasFocus():
            frame = self._theme.readable("highlight", on="foreground", ratio=SHAPE_CONTRAST)
            painter.setPen(QPen(frame, 1) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("foreground"))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        left = 2.0
        bold = QFont(self.font())
        bold.setBold(True)
        painter.setFont(bold)
        if self._number:
            size = self._badge
            badge = self._mirrored(QRectF(left, (area.height() - size) / 2, size, size))
            painter.setPen(QPen(self._theme.colour("current" if self._complete else "secondary"), 1.5))
            painter.setBrush(self._theme.colour("current" if self._complete else "background"))
            painter.drawEllipse(badge.adjusted(1, 1, -1, -1))
            painter.setPen(self._theme.readable("text", on="current" if self._complete else "background"))
            painter.drawText(badge, Qt.AlignmentFlag.AlignCenter.value, self._number)
            left += size + GAP
        painter.setPen(text)
        right = area.right() - 22
        width = min(painter.fontMetrics().horizontalAdvance(self.text()) + 2, right - left)
        title = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(width))
        middle = Qt.AlignmentFlag.AlignVCenter.value
        painter.drawText(self._mirrored(QRectF(left, 0, width, area.height())), middle, title)
        left += width + GAP
        painter.setFont(self.font())
        painter.setPen(self._theme.readable("text", "background", 0.66))
        elided = painter.fontMetrics().elidedText(self._summary, Qt.TextElideMode.ElideRight, int(right - left))
        rest = self._mirrored(QRectF(left, 0, right - left, area.height()))
        painter.drawText(rest, middle | Qt.AlignmentFlag.AlignRight.value, elided)
        self._paint_arrow(painter, self._mirrored(QRectF(area.right() - 10, area.center().y(), 0, 0)).topLeft())

    def _mirrored(self, area: QRectF) -> QRectF:
        """Return where a part of the header is in a window whose language may be written from right to left."""
        left = self.width() - area.right() if self.isRightToLeft() else area.left()
        return QRectF(left, area.top(), area.width(), area.height())

    def _paint_arrow(self, painter: QPainter, centre: QPointF) -> None:
        across, along = QPointF(4, 0), QPointF(0, 2)
        if not self.isChecked():
            across, along = QPointF(0, 4), QPointF(-2 if self.isRightToLeft() else 2, 0)
        painter.setPen(QPen(self._theme.colour("text", 0.8), 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF([centre - across - along, centre + along, centre + across - along]))


class Section(QWidget):
    """A header with a body; clicking the header folds the body away.

    Parameters
    ----------
    number, title : str
        See `Header`.
    body : QWidget or None
        What the header belongs to; None if it is made later.
    """

    def __init__(
        self, number: str, title: str, body: QWidget | None, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.header = Header(number, title, theme)
        self.body: QWidget | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        if body is not None:
            self.fill(body)

    def fill(self, body: QWidget) -> None:
        """Show this below the header."""
        self.body = body
        self.layout().addWidget(body, 1)
        body.setVisible(self.header.isChecked())  # outside a window, it would become one
        self.header.toggled.connect(body.setVisible)

"""An image, as large as there is space, and a frame around a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALLEST = 96
LARGEST = 420  # pixels of a side on the screen
MARGIN = 2.0


class Picture(QAbstractButton):
    """Shows an image with all its pixels where it is enlarged, and smoothly where it is made smaller; can be clicked.

    Parameters
    ----------
    name : str
        What it is, for screen readers.
    """

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._image: QImage | None = None
        self._area = QRectF()  # of the image in its own pixels
        self._frame: QRectF | None = None
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumWidth(SMALLEST)

    @property
    def empty(self) -> bool:
        """Whether no image is shown."""
        return self._image is None

    def show_image(
        self, image: NDArray[np.uint8], size: tuple[int, int], frame: tuple[int, int, int, int] | None = None
    ) -> None:
        """Show an image.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, contiguous.
        size : tuple of int
            (height, width) of the whole image, of which some pixels may be left out.
        frame : tuple of int, optional
            (top, left, bottom, right) of the part with a frame, in pixels of the whole image. Where it reaches beyond
            the image, nothing is drawn but the frame.
        """
        height, width = image.shape[:2]
        shown = QImage(image.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._image = shown.copy()  # Qt does not keep the bytes
        self._area = QRectF(0, 0, size[1], size[0])
        self._frame = None
        if frame is not None:
            top, left, bottom, right = frame
            self._frame = QRectF(left, top, right - left, bottom - top)
        self.setAccessibleDescription(f"{size[1]} × {size[0]} pixels")
        self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._image = None
        self.setAccessibleDescription("")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, self.heightForWidth(160))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        whole = self._whole()
        if whole.isEmpty():
            return min(width, LARGEST)
        return int(min(max(width * whole.height() / whole.width(), SMALLEST), width, LARGEST))

    def _whole(self) -> QRectF:
        return self._area if self._frame is None else self._area.united(self._frame)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image is None:
            painter.setPen(QPen(self._theme.readable("secondary", on="background", ratio=1.5), 1, Qt.PenStyle.DashLine))
            painter.drawRect(QRectF(self.rect()).adjusted(2.5, 2.5, -2.5, -2.5))  # inside the frame of the focus
        else:
            self._paint_image(painter, self._image)
        if self.hasFocus():
            painter.setPen(QPen(self._theme.readable("highlight", on="background", ratio=SHAPE_CONTRAST), 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_image(self, painter: QPainter, image: QImage) -> None:
        whole, space = self._whole(), QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        scale = min(space.width() / whole.width(), space.height() / whole.height())
        left = space.left() + (space.width() - scale * whole.width()) / 2 - scale * whole.left()
        top = space.top() + (space.height() - scale * whole.height()) / 2 - scale * whole.top()

        def placed(part: QRectF) -> QRectF:
            return QRectF(
                left + scale * part.left(), top + scale * part.top(), scale * part.width(), scale * part.height()
            )

        target = placed(self._area)
        smaller = target.width() * self.devicePixelRatioF() < image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
        painter.drawImage(target, image, QRectF(image.rect()))
        if self._frame is not None and self._frame != self._area:
            painter.setPen(QPen(self._theme.colour("background"), 3))
            painter.drawRect(placed(self._frame))
            frame = self._theme.readable("warning", on="background", ratio=SHAPE_CONTRAST)
            painter.setPen(QPen(frame, 1.5, Qt.PenStyle.DashLine))
            painter.drawRect(placed(self._frame))

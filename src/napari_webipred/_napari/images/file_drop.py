"""Files and folders that are dropped on the panel."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, Signal
from qtpy.QtGui import QDropEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

WORDS = "Drop image files and folders to classify them"
NOT_HERE = "Only files and folders on this machine can be added."
NOT_HERE_HINT = "Save the image on this machine first."
MOVES = (QEvent.Type.DragEnter, QEvent.Type.DragMove)


class FileDrop(QObject):
    """Takes files and folders that are dropped on a widget, and shows while they are over it that it would.

    Signals
    -------
    dropped : list of Path
        Files and folders on this machine.
    refused : str, str
        What was dropped is something else: a message and a hint.
    """

    dropped = Signal(list)
    refused = Signal(str, str)

    def __init__(self, target: QWidget, theme: Theme) -> None:
        super().__init__(target)
        self._target = target
        self.sign = DropSign(theme, target)
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QDropEvent) and event.type() in (*MOVES, QEvent.Type.Drop):
            data = event.mimeData()
            if not (data.hasUrls() or data.hasText()):
                return False  # such as a layer that is moved in napari's list
            event.setDropAction(Qt.DropAction.CopyAction)  # nobody's file is moved
            event.accept()
            if event.type() == QEvent.Type.Drop:
                self._take(data)
            elif local_paths(data):
                self.sign.cover()
            return True
        if event is not None and event.type() == QEvent.Type.DragLeave:
            self.sign.hide()
            return True
        return False

    def _take(self, data: QMimeData) -> None:
        self.sign.hide()
        paths = local_paths(data)
        if paths:
            self.dropped.emit(paths)
        else:
            self.refused.emit(NOT_HERE, NOT_HERE_HINT)


class DropSign(QWidget):
    """A frame over a widget that says what a drop would do."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self) -> None:
        """Lie over the whole widget."""
        self.setGeometry(self.parentWidget().rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(self._theme.colour("background", 0.85))
        frame = self._theme.readable("current", "background", ratio=SHAPE_CONTRAST)
        painter.setPen(QPen(frame, 2, Qt.PenStyle.DashLine))
        area = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        painter.drawRoundedRect(area, 6, 6)
        painter.setPen(self._theme.readable("text", "background"))
        flags = Qt.AlignmentFlag.AlignCenter.value | Qt.TextFlag.TextWordWrap.value
        painter.drawText(area.adjusted(12, 12, -12, -12), flags, WORDS)


def local_paths(data: QMimeData) -> list[Path]:
    """Return the files and folders on this machine that are dropped; none if there is anything else among them."""
    urls = data.urls()
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths if len(paths) == len(urls) else []

"""The Delete key in a list."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget


class DeleteKey(QObject):
    """Calls a function when Delete is pressed in a widget; shortcuts of the window with that key are ignored there.

    Parameters
    ----------
    view : QWidget
        A list or a chart.
    action : callable
        Is called without arguments.
    """

    def __init__(self, view: QWidget, action: Callable[[], None]) -> None:
        super().__init__(view)
        self._action = action
        view.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Delete:
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            self._action()
        return True

"""A question before the user closes napari's window with unsaved rows."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget


class ClosingWindow(QObject):
    """Watches the window in which a widget is docked, and asks before unsaved rows are lost.

    A script that calls ``viewer.close()`` is not asked: it goes on at once and could not wait for the answer.

    Parameters
    ----------
    widget : QWidget
        What is docked.
    would_lose : callable
        Whether something would be lost.
    ask : callable
        Asks the user, and calls the function that it is given when the window may be closed.
    """

    def __init__(
        self, widget: QWidget, would_lose: Callable[[], bool], ask: Callable[[Callable[[], None]], None]
    ) -> None:
        super().__init__(widget)
        self._widget = widget
        self._would_lose = would_lose
        self._ask = ask
        # Weak, because the window holds the viewer, which must not be kept alive.
        self._watched: weakref.ref[QMainWindow] | None = None

    def follow(self) -> None:
        """Find the window again: the widget was put into a dock or taken out of it."""
        self._leave()
        window = main_window(self._widget)
        if window is not None:
            window.installEventFilter(self)
            self._watched = weakref.ref(window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Close or not isinstance(watched, QMainWindow):
            return False
        if not (_is_shown(watched) and self._would_lose()):
            return False
        event.ignore()
        self._ask(self._close)
        return True

    def _close(self) -> None:
        if (window := self._leave()) is not None:
            window.close()

    def _leave(self) -> QMainWindow | None:
        """Watch the window no more; return it."""
        window = self._watched() if self._watched is not None else None
        self._watched = None
        if window is not None:
            window.removeEventFilter(self)
        return window


def _is_shown(window: QMainWindow) -> bool:
    """Whether the viewer can still be seen: ``viewer.close()`` hides it before it closes the window."""
    centre = window.centralWidget()
    inside = [] if centre is None else centre.children()
    return any(isinstance(child, QWidget) and child.isVisible() for child in inside)


def main_window(widget: QWidget | None) -> QMainWindow | None:
    """Return the window in which a widget is docked; None if it is in none."""
    while widget is not None and not isinstance(widget, QMainWindow):
        widget = widget.parentWidget()
    return widget

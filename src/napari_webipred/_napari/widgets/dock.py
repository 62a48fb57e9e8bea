"""What a widget does in a dock beside the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


class InDock(QObject):
    """Lets a widget follow the viewer only while it is in a dock, and leaves space for other docks beside it.

    Parameters
    ----------
    inside : QWidget
        What is in the dock.
    listen : callable
        Takes whether the widget is to follow the viewer from now on; napari takes it out of the dock that is closed.
    share : float
        Of the height of the window.

    Attributes
    ----------
    listening : bool
        Whether the widget follows the viewer.
    """

    def __init__(self, inside: QWidget, listen: Callable[[bool], None], share: float) -> None:
        super().__init__(inside)
        self._inside = inside
        self._listen = listen
        self.listening = False
        self._share = share
        self._placed = False
        inside.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self.listen(self._inside.parent() is not None)
        if event is not None and event.type() == QEvent.Type.Show and not self._placed:
            self._placed = True
            QTimer.singleShot(0, lambda: share_height(self._inside, self._share))
        return False

    def listen(self, listening: bool) -> None:
        """Let the widget follow the viewer or leave it, if it does not do so already."""
        if listening is not self.listening:
            self.listening = listening
            self._listen(listening)


def set_connected(pairs: Iterable[tuple[Any, Callable[..., Any]]], connected: bool) -> None:
    """Connect signals of Qt or napari, each with what it calls, or disconnect them."""
    for signal, called in pairs:
        (signal.connect if connected else signal.disconnect)(called)


def share_height(inside: QWidget, share: float) -> None:
    """Leave space for the docks above and below, such as the panel.

    Parameters
    ----------
    inside : QWidget
        What is in the dock.
    share : float
        Of the height of the window.
    """
    dock, window = inside.parent(), inside.window()
    if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow) or dock.isFloating():
        return
    area = window.dockWidgetArea(dock)
    docks = [each for each in window.findChildren(QDockWidget) if window.dockWidgetArea(each) == area]
    others = [each for each in docks if each.isVisible() and not each.isFloating() and each is not dock]
    if others:
        left = round((1 - share) * window.height() / len(others))
        heights = [left] * len(others) + [round(share * window.height())]
        window.resizeDocks([*others, dock], heights, Qt.Orientation.Vertical)

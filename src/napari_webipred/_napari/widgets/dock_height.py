"""How high a dock is beside others."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


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

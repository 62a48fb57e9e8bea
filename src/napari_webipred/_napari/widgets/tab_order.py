"""The order in which Tab goes through controls, of which some are made later than others."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QScrollArea, QWidget


def tab_after(before: QWidget, widget: QWidget) -> None:
    """Let Tab go from a control, or the last one in a widget, to the first in another one in the same window.

    Without it, Tab comes last to what was made last.
    """
    place = [before, *_controls(before)][-1]
    for each in _controls(widget):
        QWidget.setTabOrder(place, each)
        place = each


def _controls(widget: QWidget) -> list[QWidget]:
    """Return what can have the keyboard in a widget, in the order of its layouts.

    They are not looked for with `nextInFocusChain`: with PySide, a window that was gone through so outlives its end.
    """
    if isinstance(widget, QScrollArea):
        return _with_controls(widget.widget())
    layout = widget.layout()
    return [] if layout is None else _laid_out(layout)


def _with_controls(widget: QWidget | None) -> list[QWidget]:
    if widget is None:
        return []
    takes_keys = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.focusProxy() is None
    return [widget, *_controls(widget)] if takes_keys else _controls(widget)


def _laid_out(layout: QLayout) -> list[QWidget]:
    found: list[QWidget] = []
    for item in map(layout.itemAt, range(layout.count())):
        within = item.layout()
        found += _with_controls(item.widget()) if within is None else _laid_out(within)
    return found

"""The order in which Tab goes through controls, of which some are made later than others."""

from __future__ import annotations

from itertools import pairwise

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QDockWidget, QLayout, QScrollArea, QWidget


def tab_in_place(widget: QWidget) -> None:
    """Let Tab go through a widget where it is laid out; without it, Tab comes last to what was made last."""
    own, inside = _with_controls(widget), widget
    while own and (outer := inside.parentWidget()) is not None and not isinstance(inside, QDockWidget):
        inside = outer
        controls = _controls(inside)
        if (place := controls.index(own[0])) > 0:
            _chain(controls[place - 1 :][: len(own) + 1])
            return
    if own:  # nothing comes before
        _chain(_controls(inside))


def _chain(controls: list[QWidget]) -> None:
    for before, after in pairwise(controls):
        QWidget.setTabOrder(before, after)


def _controls(widget: QWidget) -> list[QWidget]:
    """Return what can have the keyboard in a widget, in the order of its layouts, or else of its children.

    They are not looked for with `nextInFocusChain`: with PySide, a window that was gone through so outlives its end.
    """
    if isinstance(widget, QScrollArea):
        return _with_controls(widget.widget())
    layout = widget.layout()
    return [found for child in widget.children() for found in _of_child(child)] if layout is None else _laid_out(layout)


def _of_child(child: QObject) -> list[QWidget]:
    return _with_controls(child) if isinstance(child, QWidget) and not child.isWindow() else []


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

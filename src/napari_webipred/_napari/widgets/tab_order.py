"""The order in which Tab goes through controls, of which some are made later than others."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget


def tab_after(before: QWidget, widget: QWidget) -> None:
    """Let Tab go from a control, or the last one in a widget, to the first in another one in the same window.

    Without it, Tab comes last to what was made last.
    """
    place = [before, *_controls(before)][-1]
    for each in _controls(widget):
        QWidget.setTabOrder(place, each)
        place = each


def _controls(widget: QWidget) -> list[QWidget]:
    """Return what can have the keyboard in a widget, in the order of Tab; Qt moves nothing else in that order."""
    found, each = [], widget.nextInFocusChain()
    while each is not None and each is not widget:
        if widget.isAncestorOf(each) and each.focusPolicy() != Qt.FocusPolicy.NoFocus and each.focusProxy() is None:
            found.append(each)
        each = each.nextInFocusChain()
    return found

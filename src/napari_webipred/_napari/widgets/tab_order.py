"""The order in which Tab goes through controls, of which some are made later than others."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget


def tab_after(before: QWidget, widget: QWidget) -> None:
    """Let Tab go from the last control in one widget to the first in another one; both are in the same window.

    Without it, Tab comes last to what was made last.
    """
    place = _chain(before)[-1]
    for each in _chain(widget):
        QWidget.setTabOrder(place, each)
        place = each


def _chain(widget: QWidget) -> list[QWidget]:
    """Return a widget and what is in it, in the order of Tab."""
    found, each = [widget], widget.nextInFocusChain()
    while each is not None and each is not widget:
        if widget.isAncestorOf(each):
            found.append(each)
        each = each.nextInFocusChain()
    return found

"""A column whose parts are put into the window when they are first shown."""

from __future__ import annotations

import atexit
from collections.abc import Collection, Sequence
from contextlib import suppress
from weakref import WeakSet

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.wheel import WheelGuard

SPACING = 5


class Column(QVBoxLayout):
    """Parts below each other, most of which are hidden at first.

    Qt looks up the styles of all widgets in a window, also of those that are hidden, which takes longer than making
    them. Until a part is first shown, it is in no window.

    Parameters
    ----------
    inside : QWidget
        Without a layout.
    parts : sequence of QWidget
        From top to bottom. Whether one is shown is said to the column, from the first time on.
    at_left : collection of QWidget, optional
        Parts that are only as wide as they need to be.
    """

    def __init__(self, inside: QWidget, parts: Sequence[QWidget], at_left: Collection[QWidget] = ()) -> None:
        super().__init__(inside)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(SPACING)
        self._parts = parts
        self._at_left = at_left
        self._aside = QWidget()  # Qt deletes what is in it together with the column
        inside.destroyed.connect(self._aside.deleteLater)
        _columns.add(self)
        for part in parts:
            part.setParent(self._aside)

    def show(self, part: QWidget, shown: bool = True) -> None:
        """Show or hide a part."""
        if shown and self.indexOf(part) < 0:
            self._place(part)
        part.setVisible(shown)

    def place_all(self) -> None:
        """Put all parts into the window, as hidden as they are."""
        for part in self._parts:
            if self.indexOf(part) < 0:
                part.hide()
                self._place(part)

    def _place(self, part: QWidget) -> None:
        above = [other for other in self._parts[: self._parts.index(part)] if self.indexOf(other) >= 0]
        place = self.indexOf(above[-1]) + 1 if above else 0
        alignment = Qt.AlignmentFlag.AlignLeft if part in self._at_left else Qt.AlignmentFlag(0)
        self.insertWidget(place, part, 0, alignment)
        tab_in_place(part)
        WheelGuard(part)

    def take_back(self) -> None:
        """Give what is in no window to the window, which deletes it."""
        with suppress(RuntimeError):  # Qt has deleted it already
            self._aside.setParent(self.parentWidget())


_columns: WeakSet[Column] = WeakSet()


@atexit.register
def _take_back() -> None:
    """Leave no widget behind that Python would delete after Qt's application: Qt crashes then."""
    for column in list(_columns):
        column.take_back()

"""A menu of what can be explained, and of how maps are looked at."""

from __future__ import annotations

from qtpy.QtCore import QPoint
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu

from napari_webipred._napari.widgets.button import Button


class ExplainMenu(Button):
    """A button that opens the menu.

    Parameters
    ----------
    signed, alone : bool
        How maps are looked at now; see `Maps`.
    """

    def __init__(self, *, signed: bool, alone: bool) -> None:
        super().__init__("⋯")
        self.setToolTip("Explain more rows, check maps, and change how they are shown")
        self.setAccessibleName("Menu of maps")
        self.actions_menu = QMenu(self)
        self.actions_menu.setToolTipsVisible(True)
        self.selected = self._add("Explain the selected rows", "Make the maps of the rows selected in the table")
        self.run = self._add("Explain all rows of the run", "Make the maps of all rows of the run of this row")
        self.actions_menu.addSeparator()
        self.check = self._add(
            "Check with occlusion",
            "Cover one part of the image after the other, and compare. About 200 predictions",
        )
        self.occlusion = self._add("Explain by occlusion", "Make the maps of the selected rows by occlusion instead")
        self.actions_menu.addSeparator()
        self.signed = self._add(
            "Show what speaks against the class", "Orange speaks for the class, blue against it", True
        )
        self.alone = self._add(
            "Limits of this image only", "Else all images and classes of the run have the same limits", True
        )
        self.signed.setChecked(signed)
        self.alone.setChecked(alone)
        self.actions_menu.addSeparator()
        self.keep = self._add("Keep this map", "Leave this layer as it is; the next class comes as another layer")
        self.remove = self._add("Remove the maps", "Forget the maps of all rows, and remove their layers")
        self.clicked.connect(lambda: self.actions_menu.popup(self.mapToGlobal(QPoint(0, self.height()))))

    def _add(self, words: str, tip: str, checkable: bool = False) -> QAction:
        action = self.actions_menu.addAction(words)
        action.setToolTip(tip)
        action.setCheckable(checkable)
        return action

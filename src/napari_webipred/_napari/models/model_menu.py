"""The context menu of the list of models, and its keys: F2 renames a model of the user's own, Delete removes one."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, QPoint, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QListView, QMenu

from napari_webipred._napari.models.entry import Entry, megabytes
from napari_webipred._napari.widgets.delete_key import DeleteKey
from napari_webipred._napari.widgets.question import Answer, ask, ask_for_text
from napari_webipred._napari.widgets.two_line_list import ITEM
from napari_webipred.names import readable

LONGEST = 80  # characters of a name in a question, which is as wide as its longest word
LONGEST_NAME = 200  # characters that the user can give


class ModelMenu(QObject):
    """Renames the user's own models, publishes and removes models; asks before a downloaded model is deleted.

    Signals
    -------
    agreed : Entry
        The user wants this model removed.
    renamed : Entry, str
        The user calls this model so from now on.
    publishing : Entry
        The user wants to publish this model.
    """

    agreed = Signal(object)
    renamed = Signal(object, str)
    publishing = Signal(object)

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view
        self.menu = QMenu(view)
        self.rename = self.menu.addAction("Rename…")
        self.rename.triggered.connect(lambda: self._ask_for_name(self._entry))
        self.publish = self.menu.addAction("Publish…")
        self.publish.triggered.connect(lambda: self.publishing.emit(self._entry))
        self.remove = self.menu.addAction("")
        self.remove.triggered.connect(self._on_remove)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        self.key = DeleteKey(view, lambda: self._ask_to_remove(view.currentIndex().data(ITEM)))
        shortcut = QShortcut(QKeySequence(Qt.Key.Key_F2), view)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(lambda: self._ask_for_name(view.currentIndex().data(ITEM)))
        self._entry: Entry | None = None

    def _on_menu(self, place: QPoint) -> None:
        self._entry = self._view.indexAt(place).data(ITEM)
        if self._entry is not None and (self._entry.here or is_removable(self._entry)):
            self.remove.setText("Remove from the list" if self._entry.is_local else "Remove from this machine…")
            self.remove.setVisible(is_removable(self._entry))
            self.rename.setVisible(self._entry.is_local)
            self.publish.setVisible(self._entry.here and not self._entry.gone and not self._entry.refused)
            self.menu.popup(self._view.viewport().mapToGlobal(place))

    def _ask_for_name(self, entry: Entry | None) -> None:
        if entry is None or not entry.is_local:
            return
        ask_for_text(
            self._view,
            "Rename model",
            "Name in the list; empty for its own name:",
            lambda name: self.renamed.emit(entry, name),
            readable(entry.name, LONGEST_NAME),
        )

    def _on_remove(self) -> None:
        self._ask_to_remove(self._entry)

    def _ask_to_remove(self, entry: Entry | None) -> None:
        if entry is None or not is_removable(entry):
            return
        if entry.is_local:
            self.agreed.emit(entry)
            return
        size = f" ({megabytes(entry.size)})" if entry.size else ""
        again = f"You can download it again{size}."
        if entry.card.is_unpublished:
            again = "It cannot be downloaded again: keep the bundle that it came in."
        ask(
            self._view,
            "Remove model",
            f"Remove “{readable(entry.name, LONGEST)}” from this machine?",
            f"Its files and settings are deleted. {again}",
            [Answer("Remove", lambda: self.agreed.emit(entry), destroys=True)],
        )


def is_removable(entry: Entry) -> bool:
    """Whether a model can be removed: not if it is part of the program or not on this machine."""
    downloaded = entry.here and any(weights.source.type != "builtin" for weights in entry.card.weights)
    return isinstance(entry.reference, Path) or downloaded

"""The context menu of the list of images, and its keys."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QListView, QMenu

from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.images import Item
from napari_webipred._napari.images.merged_layers import MergedLayers
from napari_webipred._napari.widgets.delete_key import DeleteKey
from napari_webipred._napari.widgets.two_line_list import ITEM

EDIT_KEYS = (Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class ImageMenu(QObject):
    """Asks for what can be done with the selected entries.

    Signals
    -------
    edit, merge, split, open, remove
        The user wants to do this with the selected entries.
    """

    edit = Signal()
    merge = Signal()
    split = Signal()
    open = Signal()
    remove = Signal()

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view
        self.menu = QMenu(view)
        self.edit_action = self.menu.addAction("Edit how it is read…\tF2")
        self.merge_action = self.menu.addAction("Merge as one image")
        self.split_action = self.menu.addAction("Split into layers")
        self.open_action = self.menu.addAction("Open in napari")
        self.remove_action = self.menu.addAction("Remove from the list\tDel")
        for action, signal in (
            (self.edit_action, self.edit),
            (self.merge_action, self.merge),
            (self.split_action, self.split),
            (self.open_action, self.open),
            (self.remove_action, self.remove),
        ):
            action.triggered.connect(signal)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        view.installEventFilter(self)
        self.key = DeleteKey(view, self.remove.emit)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Edit with F2 and Enter; Ctrl+Enter classifies."""
        if not isinstance(event, QKeyEvent) or event.key() not in EDIT_KEYS:
            return False
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or event.type() != QEvent.Type.KeyPress:
            return False
        self.edit.emit()
        return True

    def _on_menu(self, place: QPoint) -> None:
        index = self._view.indexAt(place)
        if not index.isValid():
            return
        items = self.prepare(index.data(ITEM))
        if items:
            self.menu.popup(self._view.viewport().mapToGlobal(place))

    def prepare(self, clicked: Item) -> list[Item]:
        """Show what can be done with the selected entries, or with the clicked one if it is not among them."""
        items = self.selected()
        if not any(clicked is item for item in items):
            row = [self._view.model().index(i, 0) for i in range(self._view.model().rowCount())]
            index = next(each for each in row if each.data(ITEM) is clicked)
            self._view.setCurrentIndex(index)
            items = [clicked]
        files = [item for item in items if isinstance(item, ImageFiles)]
        merged = [item for item in items if isinstance(item, MergedLayers)]
        self.edit_action.setVisible(not files)
        self.merge_action.setVisible(len(items) > 1 and not files and not merged)
        self.split_action.setVisible(bool(merged) and len(merged) == len(items))
        self.open_action.setVisible(len(files) == len(items) == 1 and len(files[0].sources) == 1)
        self.remove_action.setVisible(len(files) == len(items))
        return items

    def selected(self) -> list[Item]:
        """Return the selected entries in the order of the list."""
        rows = sorted(index.row() for index in self._view.selectionModel().selectedIndexes())
        return [self._view.model().index(row, 0).data(ITEM) for row in rows]

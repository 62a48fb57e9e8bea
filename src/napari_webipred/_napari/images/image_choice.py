"""The list of images, as the value of the form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QCheckBox, QWidget

from napari_webipred._napari.images.file_buttons import FileButtons
from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.image_item import called, description, shape_of_item, sources_of
from napari_webipred._napari.images.image_list import ImageList
from napari_webipred._napari.images.image_menu import ImageMenu
from napari_webipred._napari.images.images import Images, Item
from napari_webipred._napari.images.merged_layers import MergedLayers, fault_of_merging
from napari_webipred._napari.images.understanding_form import UnderstandingForm
from napari_webipred._napari.pacs.archive_images import ArchiveImages
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.column import Column
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import list_view, show_rows
from napari_webipred._napari.widgets.two_line_list import ITEM
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.names import readable

HINT = (
    "No image is open yet. Drop image files onto the viewer to open them, or onto this panel to classify them without "
    "opening them."
)
SAMPLES = "Or try the samples: File > Open Sample > napari-webipred."
MOST_VISIBLE = 3


class ImageChoice(QWidget):
    """A list of the images to tick: layers of the viewer, several layers as one, files and folders.

    Signals
    -------
    value_changed : list of Item
        Entries came, went, were ticked or are read in another way.
    open_requested : Target, tuple of int
        The user wants to see this plane of a file in napari.
    """

    value_changed = Signal(object)
    open_requested = Signal(object, tuple)

    def __init__(self, viewer: Any, images: Images, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = images
        self.layers = ImageList(viewer, images, self)
        self.all = QCheckBox("All")
        self.all.setAccessibleName("All images")
        self.all.setToolTip("Select all images, or none")
        self._most_visible = MOST_VISIBLE
        self.list = list_view(theme, "Images", MOST_VISIBLE)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setModel(self.layers)
        self.menu = ImageMenu(self.list)
        self.hint = MutedLabel(f"{HINT} {SAMPLES}")
        self.editor = UnderstandingForm(images)
        self.file_buttons = FileButtons(self.all)
        self.merge = Button("Merge as one image")
        self.merge.setToolTip("Classify the selected layers as the channels of one image, in the colours they show")
        self.message = Message(theme)
        parts = [self.hint, self.file_buttons, self.list, self.editor, self.merge]
        self._column = Column(self, parts, at_left=[self.merge])
        self._column.show(self.file_buttons)
        self._column.addWidget(self.message)
        self.all.clicked.connect(self._on_all)
        self.layers.changed.connect(self._on_layers)
        self.list.itemDelegate().acted.connect(self._on_edit_clicked)
        self.list.selectionModel().selectionChanged.connect(self._on_selected)
        self.menu.edit.connect(self.edit)
        self.menu.merge.connect(self.merge_selected)
        self.menu.split.connect(self.split_selected)
        self.merge.clicked.connect(self.merge_selected)
        self.menu.open.connect(self._on_open)
        self.menu.remove.connect(self.remove_selected)
        self.list.doubleClicked.connect(self._on_open)
        self.file_buttons.chosen.connect(self.add)
        self.archive = ArchiveImages(viewer, images, theme, self)
        self.file_buttons.archive_requested.connect(self.archive.show)
        self.editor.closed.connect(self._close_editor)
        self._show_layers()

    def value(self) -> list[Item]:
        """Return the ticked entries."""
        return self.layers.ticked()

    def set_value(self, chosen: Sequence[Any]) -> None:
        """Tick these images and no others; paths of files and folders are added to the list.

        Raises
        ------
        OptionError
            One of them is not an image layer of this viewer, or cannot be classified.
        """
        if isinstance(chosen, str) or not isinstance(chosen, Sequence):
            raise OptionError(f"{chosen!r} is not a list of layers.", self._possible())
        given = [unwrapped(each) for each in chosen]
        paths = {i: Path(each) for i, each in enumerate(given) if _is_path(each)}
        self._check([each for i, each in enumerate(given) if i not in paths])
        added = dict(zip(paths, self.images.add(paths.values()), strict=True)) if paths else {}
        self.images.tick_only([added.get(i, each) for i, each in enumerate(given)], self.layers.items)

    def _check(self, items: Sequence[Any]) -> None:
        for item in items:
            if not any(item is other for other in self.layers.items):
                raise OptionError(f"{_quoted(item)} is not an image layer of this viewer.", self._possible())
            words, usable = description(item, self.images, self.layers.planes)
            if not usable:
                raise OptionError(f"{_quoted(item)} cannot be classified: {words}", self._possible())

    def mention_samples(self, mentioned: bool) -> None:
        """Say where the samples are, unless a button beside opens them."""
        self.hint.setText(f"{HINT} {SAMPLES}" if mentioned else HINT)

    def reset_choices(self) -> None:
        """Read the layers of the viewer again."""
        self.layers.refresh()

    def edit(self) -> None:
        """Let the user say how the selected images are read: those that have the same shape as the current one."""
        items = self._editable()
        if items:
            self.editor.show_items(items)
            self._column.show(self.editor)
            self.editor.focus_first()

    def merge_selected(self) -> None:
        """Make one image of the selected layers."""
        layers = [item for item in self.menu.selected() if not isinstance(item, (MergedLayers, ImageFiles))]
        self.message.clear()
        try:
            merged = self.images.merge(layers)
        except WebIPredError as error:
            self.message.show_error(error)
            return
        self.list.setCurrentIndex(self.layers.index(self.layers.items.index(merged)))

    def split_selected(self) -> None:
        """Make the selected merged layers images of their own again."""
        for item in self.menu.selected():
            if isinstance(item, MergedLayers):
                self.images.split(item)

    def add(self, paths: Sequence[Path]) -> None:
        """Add files and folders to the list, ticked."""
        self.message.clear()
        self.images.add(paths)

    def remove_selected(self) -> None:
        """Remove the selected files and folders from the list."""
        self.images.remove([item for item in self.menu.selected() if isinstance(item, ImageFiles)])

    def _on_open(self) -> None:
        """Open the selected file in napari; of a folder, the rows of the results open its images."""
        index = self.list.currentIndex()
        item = index.data(ITEM) if index.isValid() else None
        if not isinstance(item, ImageFiles) or not item.sources:
            return
        if len(item.sources) > 1:
            note = f"{readable(item.name)} has {len(item.sources):,} images."
            self.message.show_note(note, "To open one of them, double-click its row in the results.")
            return
        ((target, source),) = sources_of(item, self.images, "all", None)
        self.open_requested.emit(target, next(source.indices()))

    def _editable(self) -> list[Item]:
        current = self.list.currentIndex().data(ITEM) if self.list.currentIndex().isValid() else None
        if current is None or isinstance(current, ImageFiles) or not self.layers.is_usable(current):
            return []
        others = [
            item
            for item in self.menu.selected()
            if item is not current
            and type(item) is type(current)
            and self.layers.is_usable(item)
            and shape_of_item(item) == shape_of_item(current)
        ]
        return [current, *others]

    def _on_edit_clicked(self, index: QModelIndex) -> None:
        if not self.list.selectionModel().isSelected(index):
            self.list.setCurrentIndex(index)
        self.edit()

    def _on_selected(self) -> None:
        items = self._editable()
        if not self.editor.isHidden() and items:
            self.editor.show_items(items)
        self._show_merge()

    def _close_editor(self) -> None:
        self.editor.hide()
        self.list.setFocus()

    def show_rows(self, most: int) -> None:
        """Show so many images at most without scrolling."""
        self._most_visible = most
        self._show_layers()

    def _possible(self) -> str:
        names = ", ".join(_quoted(item) for item in self.layers.usable())
        return f"Choose from these layers: {names}." if names else "Open an image first."

    def _on_all(self) -> None:
        usable = self.layers.usable()
        self.layers.tick(usable if len(self.layers.ticked()) < len(usable) else [])

    def _on_layers(self) -> None:
        self._show_layers()
        self.value_changed.emit(self.value())

    def _show_layers(self) -> None:
        usable, ticked, rows = self.layers.usable(), self.layers.ticked(), self.layers.rowCount()
        self._column.show(self.hint, rows == 0)
        self._column.show(self.list, rows > 0)
        self.all.setVisible(rows > 0)
        if not ticked:
            self.all.setCheckState(Qt.CheckState.Unchecked)
        else:
            every = len(ticked) == len(usable)
            self.all.setCheckState(Qt.CheckState.Checked if every else Qt.CheckState.PartiallyChecked)
        show_rows(self.list, min(rows, self._most_visible))
        if not self.editor.isHidden():
            gone = not any(self.editor.items[0] is item for item in usable)
            self.editor.hide() if gone else self.editor.refresh()
        self._show_merge()

    def _show_merge(self) -> None:
        items = self.menu.selected()
        layers = [item for item in items if not isinstance(item, (MergedLayers, ImageFiles))]
        self._column.show(self.merge, len(layers) == len(items) > 1 and fault_of_merging(layers) is None)


def _is_path(item: Any) -> bool:
    """Whether somebody gives a file or folder that there is."""
    return isinstance(item, (str, Path)) and Path(item).exists()


def _quoted(item: Any) -> str:
    if isinstance(item, (MergedLayers, ImageFiles)) or hasattr(item, "name"):
        return f"“{readable(called(item))}”"
    return repr(item)

"""The images of a viewer, and what the user has chosen about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.image_files import Found, ImageFiles
from napari_webipred._napari.images.merged_layers import MergedLayers, fault_of_merging
from napari_webipred._napari.images.understanding import BY_ITSELF, Understanding

if TYPE_CHECKING:
    from napari_webipred.imaging.source import Source

Item: TypeAlias = Image | MergedLayers | ImageFiles  # an entry of the list


class Images(QObject):
    """Files and merged layers beside the plain layers; which are ticked, and how each is understood.

    It lives as long as the viewer, so that closing the panel loses nothing. Layers are held weakly.

    Signals
    -------
    changed
        There are other entries, or the user has chosen something else about them.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.merged: list[MergedLayers] = []
        self.files: list[ImageFiles] = []
        self._unticked: WeakSet[Any] = WeakSet()
        self._opened: WeakValueDictionary[Path, Any] = WeakValueDictionary()
        self._understandings: WeakKeyDictionary[Any, Understanding] = WeakKeyDictionary()

    def entries(self, layers: Sequence[Image]) -> list[Item]:
        """Return the entries of a viewer with these layers: merged layers stand where the first of them does."""
        self._forget_layers_that_are_gone(layers)
        entries: list[Item] = []
        for layer in layers:
            merged = next((each for each in self.merged if any(layer is other for other in each.layers)), None)
            if merged is None:
                entries.append(layer)
            elif merged not in entries:
                entries.append(merged)
        return [*entries, *self.files]

    def _forget_layers_that_are_gone(self, layers: Sequence[Image]) -> None:
        for merged in self.merged:
            merged.keep(layers)
        self.merged = [merged for merged in self.merged if len(merged.layers) > 1]

    def is_ticked(self, item: Item) -> bool:
        """Whether an entry is to be classified."""
        return item not in self._unticked

    def tick(self, items: Iterable[Item], ticked: bool = True) -> None:
        """Tick these entries, or untick them."""
        for item in items:
            (self._unticked.discard if ticked else self._unticked.add)(item)
        self.changed.emit()

    def tick_only(self, items: Iterable[Item], entries: Iterable[Item]) -> None:
        """Tick these of the entries and no others."""
        chosen = list(items)
        for entry in entries:
            ticked = any(entry is item for item in chosen)
            (self._unticked.discard if ticked else self._unticked.add)(entry)
        self.changed.emit()

    def understanding(self, item: Item) -> Understanding:
        """Return what the user has chosen about the axes of an entry."""
        return self._understandings.get(item, BY_ITSELF)

    def understand(self, items: Iterable[Item], understanding: Understanding) -> None:
        """Note what the user has chosen about the axes of these entries."""
        for item in items:
            self._understandings[item] = understanding
        self.changed.emit()

    def merge(self, layers: Sequence[Image]) -> MergedLayers:
        """Make one image of several layers.

        Raises
        ------
        OptionError
            They cannot be merged.
        """
        fault = fault_of_merging(layers)
        if fault is not None:
            raise fault
        merged = MergedLayers(layers)
        for other in self.merged:
            other.keep([layer for layer in other.layers if not any(layer is one for one in layers)])
        self.merged.append(merged)
        self.changed.emit()
        return merged

    def split(self, merged: MergedLayers) -> None:
        """Let merged layers be images of their own again."""
        self.merged.remove(merged)
        self.changed.emit()

    def add(self, paths: Iterable[Path]) -> list[ImageFiles]:
        """Add files and folders; those that are there already are left as they are."""
        entries = []
        for path in paths:
            entry = next((each for each in self.files if each.path == path), None)
            if entry is None:
                entry = ImageFiles(path)
                entry.changed.connect(self.changed)
                self.files.append(entry)
            entries.append(entry)
        self.changed.emit()
        return entries

    def add_known(self, path: Path, sources: Sequence[Source]) -> ImageFiles:
        """Add a folder whose images are known."""
        paths = tuple(each.location if isinstance(each.location, Path) else path / each.name for each in sources)
        entry = ImageFiles(path, Found(paths, tuple(sources), 0))
        entry.changed.connect(self.changed)
        self.files.append(entry)
        self.changed.emit()
        return entry

    def note_opened(self, path: Path, layer: Image) -> None:
        """Note in which layer a file is open."""
        self._opened[path] = layer

    def opened(self, path: Path) -> list[Image]:
        """Return the layer in which a file is open, if it is."""
        layer = self._opened.get(path)
        return [] if layer is None else [layer]

    def remove(self, files: Iterable[ImageFiles]) -> None:
        """Remove files and folders from the list; they stay on the disk."""
        for entry in files:
            entry.forget()
            entry.changed.disconnect(self.changed)
            self.files.remove(entry)
        self.changed.emit()

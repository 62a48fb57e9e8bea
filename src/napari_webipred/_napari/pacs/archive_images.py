"""What becomes of images that were taken from an archive: entries of the list, or layers."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_webipred._napari.images.images import Images
from napari_webipred._napari.pacs.retrieved import retrieved_of
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.theme import Theme

if TYPE_CHECKING:
    from napari_webipred._napari.images.dicom_layers import LayerData
    from napari_webipred._napari.pacs.archive_dialog import ArchiveDialog
    from napari_webipred._napari.pacs.work import Taken


class ArchiveImages(QObject):
    """Opens the dialog, once, and takes what it has retrieved.

    The images stay in their folder as long as something needs them: layers read their planes when they are shown.
    """

    def __init__(self, viewer: Any, images: Images, theme: Theme, parent: Any) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._images = images
        self._theme = theme
        self._parent = parent
        self.dialog: ArchiveDialog | None = None

    def show(self) -> None:
        """Show the dialog beside the window, which stays usable; what was found before is still there."""
        if self.dialog is None:
            from napari_webipred._napari.pacs.archive_dialog import ArchiveDialog

            self.dialog = ArchiveDialog(self._theme, self._parent)
            self.dialog.taken.connect(self._on_taken)
        self.dialog.show()
        self.dialog.raise_()

    def _on_taken(self, taken: Taken, as_layers: bool) -> None:
        retrieved = retrieved_of(self._viewer)
        usable = [source for _, sources in taken.folders for source in sources if source.reader != "unreadable"]
        if as_layers:
            retrieved.keep(taken.made, layers_come=True)
            task = Task(_layers(usable), self)
            task.done.connect(partial(self._add_layers, taken.made))
            task.failed.connect(partial(self._on_failed, taken.made))
            task.start()
            return
        for path, sources in taken.folders:
            self._images.add_known(path, sources)
        retrieved.keep(taken.made, layers_come=False)

    def _add_layers(self, folder: Path, layers: list[LayerData]) -> None:
        for data, options, _ in layers:
            unwrapped(self._viewer.add_image(data, **options))
        retrieved_of(self._viewer).layers_have_come(folder)

    def _on_failed(self, folder: Path, error: Exception) -> None:
        retrieved_of(self._viewer).layers_have_come(folder)
        if self.dialog is not None:
            self.dialog.message.show_error(error)


def _layers(sources: list[Any]) -> Generator[None, None, list[LayerData]]:
    """Describe layers, which reads a plane of some."""
    from napari_webipred._napari.images.dicom_layers import layer_data

    found = []
    for source in sources:
        found.append(layer_data(source))
        yield
    return found

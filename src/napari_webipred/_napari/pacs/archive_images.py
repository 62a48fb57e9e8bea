"""What becomes of images that were taken from an archive: entries of the list, or layers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_webipred._napari.images.images import Images
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.theme import Theme

if TYPE_CHECKING:
    from napari_webipred._napari.images.dicom_layers import LayerData
    from napari_webipred._napari.pacs.archive_dialog import ArchiveDialog
    from napari_webipred._napari.pacs.work import Taken


class ArchiveImages(QObject):
    """Opens the dialog, once, and takes what it has retrieved.

    The images stay in their folder until napari is closed: layers read their planes when they are shown.
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
        for path, sources in taken.folders:
            usable = [source for source in sources if source.reader != "unreadable"]
            if not as_layers:
                self._images.add_known(path, sources)
            elif usable:
                task = Task(_layers(usable), self)
                task.done.connect(self._add_layers)
                task.failed.connect(self._on_failed)
                task.start()

    def _add_layers(self, layers: list[LayerData]) -> None:
        for data, options, _ in layers:
            unwrapped(self._viewer.add_image(data, **options))

    def _on_failed(self, error: Exception) -> None:
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

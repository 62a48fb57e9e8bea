"""Images that were retrieved from archives, which are deleted as soon as nothing needs them."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession, session_of


class Retrieved(QObject):
    """Knows the folders of a viewer's images, and deletes each when it is needed no longer.

    It is needed as long as it is in the list of images, a layer shows one of its images, images are being classified,
    or there are rows of its files. At the end of the program all of them are deleted. It lives as long as the viewer,
    also when the panel is closed.
    """

    def __init__(self, viewer: Any, session: ViewerSession) -> None:
        super().__init__(session)
        self._viewer = weakref.ref(unwrapped(viewer))  # whose session holds this
        self._session = session
        self._kept: dict[Path, bool] = {}  # whether layers of it are still to come
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._delete_unneeded)
        for signal in (session.rows_changed, session.run_ended, session.model_changed, session.images.changed):
            signal.connect(self._later.start)
        viewer.layers.events.removed.connect(self._on_removed)

    def _on_removed(self, event: Any) -> None:
        self._later.start()  # napari has not yet let go of the layer

    def keep(self, folder: Path, *, layers_come: bool) -> None:
        """Note a folder of images, of which layers are still to come."""
        self._kept[folder] = layers_come
        self._later.start()

    def layers_have_come(self, folder: Path) -> None:
        """Note that all layers of a folder are there that will be."""
        self._kept[folder] = False
        self._later.start()

    def _delete_unneeded(self) -> None:
        if self._session.running or self._session.waiting or not self._kept:
            return
        unneeded = [folder for folder, come in self._kept.items() if not come and not self._needs(folder)]
        for folder in unneeded:
            del self._kept[folder]
        if unneeded:
            Task(_deleting(unneeded)).start()

    def _needs(self, folder: Path) -> bool:
        session = self._session
        if any(entry.path.is_relative_to(folder) for entry in session.images.files):
            return True
        viewer = self._viewer()
        if viewer is not None and any(_shows(layer, folder) for layer in map(unwrapped, viewer.layers)):
            return True
        table = session.table
        runs = set(table.run_numbers[table.numbers].tolist())
        return any(_lies_in(target.source, folder) for run in runs for target in session.maps.sources.targets(run))


def retrieved_of(viewer: Any) -> Retrieved:
    """Return what knows the retrieved images of a viewer."""
    session = session_of(viewer)
    return session.findChild(Retrieved) or Retrieved(viewer, session)


def _shows(layer: Any, folder: Path) -> bool:
    """Tell whether a layer, also a copy of one, reads its pixels from a folder."""
    path, data = layer.source.path, getattr(layer, "data", None)
    opened = path is not None and Path(path).is_relative_to(folder)
    return opened or _lies_in(getattr(data, "source", None), folder)


def _lies_in(source: Any, folder: Path) -> bool:
    location = getattr(source, "location", None)
    return isinstance(location, Path) and location.is_relative_to(folder)


def _deleting(folders: list[Path]) -> Generator[None, None, None]:
    from napari_webipred.pacs import folder

    for each in folders:
        folder.delete(each)
        yield

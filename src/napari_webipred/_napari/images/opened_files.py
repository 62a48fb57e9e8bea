"""Files of the list, and of rows, that the user wants to see in napari."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.images import Images
from napari_webipred._napari.images.layer_input import file_again
from napari_webipred._napari.images.place import Target, show
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.task import Task
from napari_webipred.errors import OptionError
from napari_webipred.imaging.source import Index, Source
from napari_webipred.limits import OPENED_BYTES
from napari_webipred.results.inputs import ImageInput


class OpenedFiles(QObject):
    """Opens files as layers: as napari does, or with the readers of this program where napari has none.

    Signals
    -------
    failed : Exception
        A file cannot be opened.
    """

    failed = Signal(object)

    def __init__(self, viewer: Any, images: Images, places: RowPlaces, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._places = places
        self._images = images
        self._reading: set[Path] = set()

    def show(self, target: Target, index: Index, image: ImageInput | None = None) -> None:
        """Show a plane of a file; a file that is open already is not opened again.

        Parameters
        ----------
        target : Target
        index : tuple of int
            The plane.
        image : ImageInput, optional
            How the file was read, if the target does not know it: it comes from a session.
        """
        if target.path is None or target.path in self._reading:
            return
        if target.source is None:
            if image is not None:
                self._describe(target, index, image)
        elif not any(layer in map(unwrapped, self._viewer.layers) for layer in target.layers):
            if target.source.reader == "dicom":
                self._attach(target, index, self._by_header(target.source))
                return
            try:
                self._attach(target, index, self._by_napari(target.path))
            except Exception:  # whatever reader it was, there is still ours
                self._read(target, index)
        else:
            show(self._viewer, target, target.source.position(index))

    def _describe(self, target: Target, index: Index, image: ImageInput) -> None:
        """Describe a file again, and show it then."""
        assert target.path is not None
        self._start(_described(image), target.path, lambda source: self._on_described(target, index, source))

    def _on_described(self, target: Target, index: Index, source: Source) -> None:
        assert target.path is not None
        self._reading.discard(target.path)
        target.source = source
        self.show(target, index)

    def _by_napari(self, path: Path) -> Any:
        """Open a file with the reader that the user prefers in napari, or with napari's own one of several."""
        from napari.errors import MultipleReaderError

        try:
            layers = self._viewer.open(str(path), plugin=None)
        except MultipleReaderError:
            layers = self._viewer.open(str(path), plugin="napari")
        return next(layer for layer in map(unwrapped, layers) if isinstance(layer, Image))

    def _by_header(self, source: Source) -> Any:
        """Open a DICOM file or series, each plane of which is read when it is shown."""
        from napari_webipred._napari.images.dicom_layers import layer_data

        data, options, _ = layer_data(source)
        return unwrapped(self._viewer.add_image(data, **options))

    def _read(self, target: Target, index: Index) -> None:
        path, source = target.path, target.source
        assert path is not None
        assert source is not None
        self._start(pixels_of(source, index), path, lambda pixels: self._on_read(target, index, pixels))

    def _start(self, work: Generator[None, None, Any], path: Path, then: Callable[[Any], None]) -> None:
        """Read a file beside the window; meanwhile, it is not read again."""
        self._reading.add(path)
        task = Task(work, self)
        task.done.connect(then)
        task.failed.connect(lambda error: self._on_failed(path, error))
        task.cancelled.connect(lambda: self._reading.discard(path))
        task.start()

    def _on_read(self, target: Target, index: Index, pixels: Any) -> None:
        assert target.path is not None
        self._reading.discard(target.path)
        rgb = pixels.ndim - 2 > len(target.source.axes) if pixels.ndim > 2 and target.source is not None else False
        layer = unwrapped(self._viewer.add_image(pixels, name=target.path.name, rgb=rgb))
        self._attach(target, index, layer)

    def _on_failed(self, path: Path, error: Exception) -> None:
        self._reading.discard(path)
        self.failed.emit(error)

    def _attach(self, target: Target, index: Index, layer: Any) -> None:
        """Let the rows find the layer; it is not ticked, as its file is in the list already."""
        assert target.source is not None
        assert target.path is not None
        target.take(layer)
        self._places.open(target.path, layer)
        self._images.note_opened(target.path, layer)
        self._images.tick([layer], ticked=False)
        show(self._viewer, target, target.source.position(index))


def _described(image: ImageInput) -> Generator[None, None, Source]:
    """Describe a file as it was read before.

    Raises
    ------
    WebIPredError
        It is gone, it is another one, or it is not known how it was read.
    """
    yield
    source = file_again(image)
    if source is None:
        raise OptionError(f"It is not known how {image.name} was read.", "Open the file, and classify it again.")
    return source


def pixels_of(source: Source, index: Index) -> Generator[None, None, Any]:
    """Read all planes of a file, or only one if they are too many for the memory."""
    from napari_webipred.imaging.readers import read

    first = read(source, index)
    count = int(np.prod(source.shape, dtype=np.int64))
    if count == 1 or first.nbytes * count > OPENED_BYTES:
        return first
    planes = []
    for each in np.ndindex(*source.shape):
        planes.append(read(source, each))
        yield
    return np.stack(planes).reshape(*source.shape, *first.shape)

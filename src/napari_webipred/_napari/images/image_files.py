"""Image files and folders that are classified without being opened as layers."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import final

from msgspec import Struct
from msgspec.structs import replace
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.images.understanding import Axis, Planes, in_words, taken
from napari_webipred._napari.task import Task
from napari_webipred.errors import WebIPredError
from napari_webipred.imaging.source import Source
from napari_webipred.limits import FILES_IN_A_FOLDER
from napari_webipred.names import escape, visible


class Found(Struct, frozen=True):
    """The images of a file or folder with their paths, and how many other files are in the folder."""

    paths: tuple[Path, ...]
    sources: tuple[Source, ...]
    left_out: int


@final
class ImageFiles(QObject):
    """A file, or a folder with all images in it and below; they are found in a background thread.

    Parameters
    ----------
    path : Path
    known : Found, optional
        What is there, if that is known already.

    Attributes
    ----------
    paths, sources : tuple of Path and of Source
        The images that are found; empty before.
    finding : bool
        Whether they are being found.
    error : Exception or None
        Why there are none.

    Signals
    -------
    changed
        More images are found, or all, or the search has failed.
    """

    changed = Signal()

    def __init__(self, path: Path, known: Found | None = None) -> None:
        super().__init__()
        self.path = path
        self.paths: tuple[Path, ...] = ()
        self.sources: tuple[Source, ...] = ()
        self._counts: dict[str, tuple[int, int]] = {}
        self.error: Exception | None = None
        self._left_out = 0
        self._counted = 0
        self._task: Task | None = None
        self.finding = known is None
        if known is not None:
            self.paths, self.sources = known.paths, known.sources
            return
        self._task = Task(found_in(path))
        self._task.events.connect(self._on_counted)
        self._task.done.connect(self._on_found)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    @property
    def name(self) -> str:
        """What the entry is called: the name of the file or folder, without the folders above it."""
        return visible(self.path.name or str(self.path))

    @property
    def longest_axes(self) -> list[Axis]:
        """The leading axes of the image that has the most planes."""
        return _axes(max(self.sources, key=len)) if self.sources else []

    def forget(self) -> None:
        """Stop looking for images."""
        if self._task is not None:
            self._task.cancel()

    def taken(self, planes: Planes) -> list[Source]:
        """Return the images with the planes that are chosen for all stacks; nobody sees a current one of a file."""
        return [_with_planes(source, planes) for source in self.sources]

    def counts(self, planes: Planes) -> tuple[int, int]:
        """Count the images and the planes that are classified of them."""
        key = repr(planes)
        if key not in self._counts or not self.sources:
            self._counts = {key: (len(self.sources), sum(map(len, self.taken(planes))))}
        return self._counts[key]

    def summary(self, planes: Planes) -> tuple[str, bool]:
        """Describe what was found, or why nothing can be classified; and return whether something can."""
        if self.finding:
            return f"finding images… {self._counted or ''}".rstrip(), False
        if self.error is not None:
            message = self.error.message if isinstance(self.error, WebIPredError) else str(self.error)
            return message, False
        count = len(self.sources)
        if count == 1 and self._left_out == 0:
            return _describe_one(self.sources[0], planes)
        others = f" · {self._left_out} other file{'s' * (self._left_out != 1)} left out" if self._left_out else ""
        return f"folder · {count} image{'s' * (count != 1)}{others}", count > 0

    def _on_counted(self, counts: list[int]) -> None:
        self._counted = counts[-1]
        self.changed.emit()

    def _on_found(self, found: Found) -> None:
        self.paths, self.sources, self._left_out = found.paths, found.sources, found.left_out
        self.finding = False
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error, self.finding = error, False
        self.changed.emit()


def found_in(path: Path) -> Generator[int, None, Found]:
    """Find the images of a file or folder and read their headers; yield how many have been read."""
    from napari_webipred.imaging.files import find_images
    from napari_webipred.imaging.series import collected

    images, left_out = find_images([path], at_most=FILES_IN_A_FOLDER)
    found = yield from collected(images, lambda image: escape(str(image.relative_to(path.parent))))
    paths, sources = zip(*found.sources, strict=True) if found.sources else ((), ())
    return Found(paths, sources, len(left_out) + len(found.left_out))


def _with_planes(source: Source, planes: Planes) -> Source:
    if not isinstance(planes, slice) or not source.axes:
        return source
    places = taken(_axes(source), planes, None)
    if all(place == range(length) for place, length in zip(places.values(), source.shape, strict=True)):
        return source
    return replace(source, planes=tuple(places.values()))


def _axes(source: Source) -> list[Axis]:
    pairs = zip(source.axes, source.shape, strict=True)
    return [Axis(name, length, "stack", range(length)) for name, length in pairs]


def _describe_one(source: Source, planes: Planes) -> tuple[str, bool]:
    if source.reader == "unreadable":
        _, message, _ = source.details
        return str(message), False
    words = in_words(_axes(source), "all" if planes == "current" else planes)
    return " · ".join(("file", *(words or ["1 image"]))), True

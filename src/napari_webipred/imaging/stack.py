"""The planes of a source as one array that reads each plane when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.source import Index, Source

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


class LazyStack:
    """Looks like an array and keeps one plane in memory, the latest.

    Parameters
    ----------
    source : Source
        With leading axes, or none.
    plane : tuple of int
        Shape of a plane.
    dtype : type
        Of its values; planes are converted to it.
    on_unread : callable, optional
        Called once for each plane that cannot be read, which is blank then: a viewer that meets an error while it shows
        a layer for the first time is left without it. Otherwise the error is raised.

    Attributes
    ----------
    source : Source
        `napari_webipred.imaging.planes.array_source` takes it rather than the values.
    shape, dtype, ndim, size
        As of an array.
    """

    def __init__(
        self,
        source: Source,
        plane: tuple[int, ...],
        dtype: DTypeLike,
        on_unread: Callable[[ImageError], None] | None = None,
    ) -> None:
        self.source = source
        self._of_plane = plane
        self._on_unread = on_unread
        self._unread: set[Index] = set()
        self.shape = (*source.shape, *plane)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=np.int64))
        self._lock = Lock()
        self._latest: tuple[Index, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        found = self[...]
        return found if dtype is None else found.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        parts = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in parts):
            at = next(i for i, part in enumerate(parts) if part is Ellipsis)
            parts = (*parts[:at], *[slice(None)] * (self.ndim - len(parts) + 1), *parts[at + 1 :])
        return self._part((), parts)

    def _part(self, index: Index, parts: tuple[Any, ...]) -> NDArray[Any]:
        """Return a part of what lies at the beginning of an index."""
        if len(index) == len(self.source.axes):
            found: NDArray[Any] = self._plane(index)[parts]
            return found
        place, rest = parts[0] if parts else slice(None), parts[1:]
        places = np.arange(self.shape[len(index)])[place]
        if np.ndim(places) == 0:
            return self._part((*index, int(places)), rest)
        if not len(places):
            empty: NDArray[Any] = np.empty((0, *self.shape[len(index) + 1 :]), self.dtype)[(slice(None), *rest)]
            return empty
        return np.stack([self._part((*index, int(each)), rest) for each in places])

    def _plane(self, index: Index) -> NDArray[Any]:
        with self._lock:
            if self._latest is None or self._latest[0] != index:
                self._latest = None  # so that there are not two in memory
                self._latest = index, self._read(index)
            return self._latest[1]

    def _read(self, index: Index) -> NDArray[Any]:
        try:
            return read(self.source, index).astype(self.dtype, copy=False)
        except ImageError as error:
            if self._on_unread is None:
                raise
            if index not in self._unread:
                self._unread.add(index)
                self._on_unread(error)
            return np.zeros(self._of_plane, self.dtype)

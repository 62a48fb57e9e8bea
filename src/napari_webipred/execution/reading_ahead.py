"""Files are read before their turn comes, so that nobody waits for a slow disk or network while there is work to do."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Condition

from napari_webipred import limits
from napari_webipred.execution.plane import Plane
from napari_webipred.imaging.handle import READ_ONLY
from napari_webipred.imaging.unopened import UNOPENED
from napari_webipred.workers import Workers

AHEAD = 64 * 2**20  # bytes of files that are read and not yet classified
_FILES = 64  # that are announced
_READERS = 4  # of which most wait, mostly
_PIECE = 2**20  # bytes


class ReadingAhead:
    """Lets a few threads read files that come next.

    What they read is dropped: the system keeps it in memory that nobody else needs, and reading it again takes no time.

    Parameters
    ----------
    most : int
        How many bytes of files may be read whose turn has not come. One file is always read.
    read : callable
        Reads so many bytes of a file at most.
    """

    def __init__(self, most: int = AHEAD, read: Callable[[Path, int], None] | None = None) -> None:
        self._most = most
        self._read = read or read_and_drop
        self._changed = Condition()
        self._sizes: dict[int, int] = {}  # of files that are read, by the number of their plane
        self._asking: set[int] = set()  # planes whose files are announced and wait for room
        self._passed = -1  # the plane whose turn it is
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many bytes are read and not yet classified."""
        return sum(self._sizes.values())

    def following(self, planes: Iterable[Plane]) -> Generator[Plane, None, None]:
        """Yield planes, and let files be read that nobody has looked into and that come after them."""
        pool: Workers[None] | None = None
        waiting: deque[tuple[int, Plane]] = deque()
        try:
            for number, plane in enumerate(planes):
                waiting.append((number, plane))
                location = plane.source.location
                if plane.source.reader == UNOPENED and isinstance(location, Path):
                    pool = pool or Workers(_READERS, "napari-webipred-reading")
                    with self._changed:
                        self._asking.add(number)
                    pool.submit(self._ahead, number, location)
                if len(waiting) > _FILES:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            if pool is not None:
                pool.close(limits.PATIENCE)

    def _next(self, waiting: deque[tuple[int, Plane]]) -> Plane:
        number, plane = waiting.popleft()
        with self._changed:
            self._passed = number
            self._sizes.pop(number, None)
            self._changed.notify_all()
        return plane

    def _ahead(self, number: int, path: Path) -> None:
        """Read a file when there is room for it, unless its turn has come."""
        size = self._size(number, path)
        if self._is_admitted(number, size) and size is not None:
            with suppress(OSError):  # whoever classifies it will say what is wrong with it
                self._read(path, size)

    def _size(self, number: int, path: Path) -> int | None:
        """Return how many bytes of a file are to be read; None if none are."""
        if number <= self._passed:
            return None
        try:
            status = path.stat()
        except OSError:
            return None
        return min(status.st_size, self._most) if stat.S_ISREG(status.st_mode) else None  # a pipe could wait for ever

    def _is_admitted(self, number: int, size: int | None) -> bool:
        """Wait until there is room for a file, those before it first; False if there is none, or its turn has come."""

        def is_over() -> bool:
            return size is None or self._closed or number <= self._passed

        def has_room() -> bool:
            return number == min(self._asking) and (not self._sizes or self.in_use + (size or 0) <= self._most)

        with self._changed:
            self._changed.wait_for(lambda: is_over() or has_room())
            self._asking.remove(number)
            self._changed.notify_all()
            if size is None or is_over():
                return False
            self._sizes[number] = size
            return True


def read_and_drop(path: Path, size: int) -> None:
    """Read so many bytes of a file at most."""
    descriptor = os.open(path, READ_ONLY)
    try:
        while size > 0 and (piece := os.read(descriptor, min(size, _PIECE))):
            size -= len(piece)
    finally:
        os.close(descriptor)

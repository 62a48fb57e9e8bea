"""A file that stays open from when it is described until it is read: opening files takes long on network drives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


# Opening a pipe would else wait for ever, and Windows would change the ends of lines.
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Handle:
    """Keeps the latest file open, and with it what Pillow has understood of it.

    Attributes
    ----------
    image : ImageFile, optional
        The image in the file, if nothing of it is decoded yet.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self.image: ImageFile | None = None

    def file(self, path: Path) -> IO[bytes]:
        """Return the open file."""
        if self._file is None or self._path != path:
            self.close()
            self._path, self._file = path, path.open("rb")
        self._file.seek(0)
        return self._file

    def taken(self, path: Path) -> ImageFile | None:
        """Return the image in a file, once, if the file was described last."""
        image, self.image = self.image, None
        return image if self._path == path else None

    def close(self) -> None:
        """Close the file, if one is open."""
        self.image = None
        if self._file is not None:
            self._file.close()
            self._file = None


_handle: ContextVar[Handle | None] = ContextVar("handle", default=None)


def handle() -> Handle | None:
    """Return the handle that this thread works with."""
    return _handle.get()


@contextmanager
def one_opening() -> Iterator[None]:
    """Let this thread open each file once within the block, as long as no other file comes in between."""
    mine = Handle()
    token = _handle.set(mine)
    try:
        yield
    finally:
        _handle.reset(token)
        mine.close()


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read it from its beginning; within `one_opening` it stays open."""
    if (mine := handle()) is not None:
        yield mine.file(path)
        return
    with path.open("rb") as file:
        yield file

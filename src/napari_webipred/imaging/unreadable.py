"""What is known to be no readable image: it becomes a row with an error, like any image that cannot be read."""

from __future__ import annotations

from typing import NoReturn

from napari_webipred.errors import ImageError, WebIPredError
from napari_webipred.imaging.reader import Reader
from napari_webipred.imaging.source import Index, Source


def unreadable(name: str, error: WebIPredError) -> Source:
    """Describe an image of which it is known already that it cannot be read: reading it raises `error` anew."""
    return Source(name, READER.id, None, details=(type(error), error.message, error.hint))


def reason(error: Exception) -> WebIPredError:
    """Say for the user why an image could not be read: arrays may compute themselves when read, and fail in any way."""
    if isinstance(error, WebIPredError):
        return error
    if isinstance(error, MemoryError):
        return ImageError("The image does not fit into memory.")
    return ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")


def check(source: Source) -> None:
    """Raise what is wrong with an image if it is known already that it cannot be read.

    Raises
    ------
    WebIPredError
        What reading it would raise.
    """
    if source.reader == READER.id:
        _fail(source, ())


def _fail(source: Source, index: Index) -> NoReturn:
    kind, message, hint = source.details
    raise kind(message, hint)


READER = Reader("unreadable", _fail)

"""What is known of one way to read images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.imaging.header import Header
from napari_webipred.imaging.source import Index, Source


def no_memory(source: Source, index: Index) -> int:
    """Say that reading a plane takes no memory, because its pixels are in memory already."""
    return 0


def no_header(source: Source, index: Index) -> Header | None:
    """Say that a plane has no header of a medical file."""
    return None


def unknown(head: bytes) -> bool:
    """Say that the first bytes of a file do not show that it holds one plane."""
    return False


class FileFormat(Struct, frozen=True):
    """How the files of a reader are recognised and described.

    Attributes
    ----------
    names : tuple of str
        What people call the formats.
    suffixes : frozenset of str
        Which files of a folder are images, in lower case: ``{".tif", ".tiff"}``. The content decides how they are read.
    recognises : callable
        Takes the path and the first bytes (`napari_webipred.imaging.readers.HEAD` of them or more; none of a folder)
        and tells whether the file is of this format.
    describe : callable
        Takes the path and the name of the source and returns the Source. It reads no pixels. It may raise anything;
        the user is told that the file is damaged.
    priority : int
        Formats with a larger number are asked first.
    folder_suffixes : frozenset of str
        Which folders are one image each, such as ``{".zarr"}``.
    is_single : callable
        Takes the first bytes of a file of this format and tells whether they show that it holds one plane. Where they
        do not, only `describe` knows.
    """

    names: tuple[str, ...]
    suffixes: frozenset[str]
    recognises: Callable[[str | Path, bytes], bool]
    describe: Callable[[Path, str], Source]
    priority: int = 0
    folder_suffixes: frozenset[str] = frozenset()
    is_single: Callable[[bytes], bool] = unknown


class Reader(Struct, frozen=True):
    """One way to read images.

    Attributes
    ----------
    id : str
        What sources name it by; see `napari_webipred.imaging.source.Source.reader`.
    read : callable
        Takes a Source and the index of a plane and returns its pixels, shape (height, width) or
        (height, width, channels): 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Of any boolean, integer or real type; may be
        a view that must not be written to. Several threads may call it at the same time. Raises ImageError when the
        plane cannot be read.
    memory : callable
        Takes the same and returns how many bytes of memory reading the plane takes at most, as far as can be said
        without reading it: 0 where the pixels are in memory already.
    files : FileFormat, optional
        The files that it reads.
    header : callable
        Takes the same and returns what the file says of the plane, if it is a medical one. Reads nothing.
    """

    id: str
    read: Callable[[Source, Index], NDArray[Any]]
    memory: Callable[[Source, Index], int] = no_memory
    files: FileFormat | None = None
    header: Callable[[Source, Index], Header | None] = no_header

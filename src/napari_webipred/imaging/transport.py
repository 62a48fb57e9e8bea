"""Planes as another process reads them, maybe on another computer: by the paths of files, or else by their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.imaging import planes, unreadable
from napari_webipred.imaging.dicom import reader as dicom
from napari_webipred.imaging.memory import image_memory
from napari_webipred.imaging.planes import ArrayLayout
from napari_webipred.imaging.pyramid import Pyramid
from napari_webipred.imaging.readers import memory_needed, read
from napari_webipred.imaging.source import Index, Source


class OnePlane(Struct, frozen=True, eq=False):
    """Stands for an array of which only one plane is here; whatever is asked for, it is that one."""

    pixels: NDArray[Any]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return self.pixels


def portable(places: Iterable[tuple[Source, Index]]) -> list[Source]:
    """Describe planes so that another process can read them, which may work in another folder.

    Parameters
    ----------
    places : iterable of (Source, Index)
        Which planes.

    Returns
    -------
    list of Source
        One for each plane, of the same name and axes; other planes cannot be read from it. Of files it has the absolute
        paths. Of everything else, such as arrays, it has the pixels of the plane, which are read here; if that fails,
        reading it raises the error. Planes of the same file share theirs, so that a decoder can go on from one to the
        next.
    """
    known: dict[tuple[int, Index | None], Source] = {}
    found = []
    for source, index in places:
        shared = of_files(source) and source.reader != dicom.READER.id
        key = id(source), None if shared else index
        if key not in known:
            known[key] = _portable(source, index)
        found.append(known[key])
    return found


def _portable(source: Source, index: Index) -> Source:
    alone = replace(source, planes=None, regions=None)
    if of_files(source):
        return _absolute(alone, index)
    try:
        with image_memory.reserved(memory_needed(source, index)):
            pixels = read(source, index)
    except Exception as error:
        why = unreadable.reason(error)
        return replace(alone, reader=unreadable.READER.id, location=None, details=(type(why), why.message, why.hint))
    where = OnePlane(pixels) if index else pixels
    return replace(alone, reader=planes.READER.id, location=where, details=ArrayLayout(None, 0))


def of_files(source: Source) -> bool:
    """Tell whether all pixels of a source come from files."""
    where = source.location
    if isinstance(where, Pyramid):  # the path of its file is absolute
        return isinstance(where.location, Path)
    parts = where if isinstance(where, tuple) else (where,)
    return all(of_files(part) if isinstance(part, Source) else part is None or isinstance(part, Path) for part in parts)


def _absolute(source: Source, index: Index | None = None) -> Source:
    """Spell out all paths; of a stack of DICOM files only what is known of one plane is kept, if one is given."""
    where = source.location
    if isinstance(where, Source):
        return replace(source, location=_absolute(where))
    if isinstance(where, tuple):
        return replace(source, location=tuple(map(_absolute, where)))
    if where is None or isinstance(where, Pyramid):
        return source
    details = dicom.absolute(source, index) if source.reader == dicom.READER.id else source.details
    return replace(source, location=where.absolute(), details=details)

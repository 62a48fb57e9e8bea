"""Parts of large pictures, from files and arrays; and the sources that they make.

A tile of a picture is a plane of a `Source` like any other: its reader is ``"window"``, its location the `Pyramid`, and
its index the row and column of the tile. So every executor can classify tiles, also in another process, which opens the
file itself: the pixels of files never travel.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred.imaging.pyramid import Pyramid, at_index
from napari_webipred.imaging.reader import FileFormat, Reader
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.stored import Box, Stored, Windows
from napari_webipred.imaging.tiling import Tiling

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPEN_AT_MOST = 16  # planes of levels that stay open
BLOCKS_BESIDE = 4  # blocks in memory while the window of a whole level is put together

_open: OrderedDict[Any, tuple[Windows, Pyramid]] = OrderedDict()
_lock = Lock()


class Tiled(Struct, frozen=True):
    """What the reader of tiles needs to know.

    Attributes
    ----------
    level : int
    plane : tuple of int
        Of the picture, along its leading axes.
    tiling : Tiling
        Where the tiles lie in the level.
    budget : int
        Bytes of stored blocks that are kept.
    """

    level: int
    plane: Index
    tiling: Tiling
    budget: int


def _stored(pyramid: Pyramid, level: int, plane: Index) -> Stored:
    """Open a plane of a level; what reads such pictures is imported with the first one."""
    from napari_webipred.imaging import array_levels, tiff_levels, zarr_folder

    openers = {"array": array_levels.opened, "tiff": tiff_levels.opened, "zarr": zarr_folder.opened}
    return openers[pyramid.kind](pyramid, level, at_index(pyramid, plane))


def windows(pyramid: Pyramid, level: int, plane: Index, budget: int = 0) -> Windows:
    """Open a plane of a level, or find it open.

    Raises
    ------
    ImageError
        There is no such plane, or the file has changed since it was described.
    """
    where = pyramid.location
    key = (pyramid.kind, where if isinstance(where, Path) else id(pyramid), pyramid.stamp, level, plane)
    with _lock:
        found = _open.get(key)
        if found is None:
            stored = _stored(pyramid, level, plane)
            found = Windows(stored, budget), pyramid  # its id belongs to it as long as it is kept here
            _open[key] = found
            while len(_open) > OPEN_AT_MOST:
                _open.popitem(last=False)
        _open.move_to_end(key)
        found[0].budget = max(found[0].budget, budget)
        return found[0]


def forget() -> None:
    """Close all levels, and forget their blocks."""
    with _lock:
        _open.clear()


def window(pyramid: Pyramid, level: int, plane: Index, box: Box, budget: int = 0) -> NDArray[Any]:
    """Read a part of a level.

    Parameters
    ----------
    pyramid : Pyramid
    level : int
    plane : tuple of int
    box : tuple of int
        (top, left, bottom, right) in pixels of the level, within it.
    budget : int
        Bytes of blocks that are kept for the next windows.

    Returns
    -------
    ndarray, shape (height, width) or (height, width, channels)
        It must not be written to.
    """
    return windows(pyramid, level, plane, budget).window(box)


def whole(pyramid: Pyramid, reader: str) -> Source:
    """Make a source whose planes are whole, in the level that fits.

    Raises
    ------
    ImageError
        Each level is far too large.
    """
    level = pyramid.level_for_one_image()
    return Source(
        pyramid.name,
        reader,
        pyramid.location,
        pyramid.axes,
        pyramid.shape,
        reading=pyramid.words(level),
        details=(pyramid, level),
    )


def _read_whole(source: Source, index: Index) -> NDArray[Any]:
    pyramid, level = source.details
    stored = _stored(pyramid, level, index)
    return Windows(stored, 0).window((0, 0, *pyramid.levels[level].shape))


def _memory_of_whole(source: Source, index: Index) -> int:
    pyramid, level = source.details
    found = pyramid.levels[level]
    return int(pyramid.bytes_of(*found.shape) + BLOCKS_BESIDE * pyramid.bytes_of(*found.block))


def _read_tile(source: Source, index: Index) -> NDArray[Any]:
    tiled: Tiled = source.details
    return window(source.location, tiled.level, tiled.plane, tiled.tiling.box(index), tiled.budget)


def _memory_of_tile(source: Source, index: Index) -> int:
    tiled: Tiled = source.details
    return int(source.location.bytes_of(*tiled.tiling.size))


def _is_zarr(path: str | Path, head: bytes) -> bool:
    if head:
        return False
    from napari_webipred.imaging.zarr_folder import is_zarr

    return is_zarr(Path(path))


def _describe_zarr(path: Path, name: str) -> Source:
    from napari_webipred.imaging.zarr_folder import describe

    return whole(describe(path, name), ZARR.id)


ZARR = Reader(
    "zarr",
    _read_whole,
    _memory_of_whole,
    FileFormat(
        names=("OME-Zarr",),
        suffixes=frozenset(),
        recognises=_is_zarr,
        describe=_describe_zarr,
        folder_suffixes=frozenset({".zarr"}),
    ),
)
SLIDE = Reader("slide", _read_whole, _memory_of_whole)
TILE = Reader("window", _read_tile, _memory_of_tile)

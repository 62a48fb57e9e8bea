"""A picture that is read in parts, from the level that fits: as plain data."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct

from napari_webipred import limits
from napari_webipred.errors import ImageError
from napari_webipred.imaging.source import Index

ROUNDING = 1.01  # files tell the size of their pixels with few digits


class Level(Struct, frozen=True):
    """One of the sizes in which a picture is stored.

    All levels show the same part of the world, so their outer edges coincide, not the centres of their first pixels.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    factor : tuple of float
        Full-size pixels along a pixel of this level, down and across; 1 at the full size.
    block : tuple of int
        Rows and columns of the largest block that has to be read at a time.
    """

    shape: tuple[int, int]
    factor: tuple[float, float]
    block: tuple[int, int]


class Pyramid(Struct, frozen=True, eq=False, weakref=True):
    """A picture, described without reading its pixels; `napari_webipred.imaging.windows.window` reads parts of it.

    It can be pickled if its location can. That of a file is its path: another process opens it anew.

    Attributes
    ----------
    name : str
        What the user calls it.
    kind : str
        How it is read: ``"array"``, ``"tiff"`` or ``"zarr"``.
    location : Path or tuple of arrays
        The absolute path of the file or folder, or an array for each level.
    levels : tuple of Level
        The full size first.
    dtype : str
        Of the pixels, as NumPy writes it.
    channels : int
        3 or 4 with colours, which are the last axis of what is read; 0 if it is grey, without such an axis.
    axes, shape : tuple
        Names and lengths of the leading axes; a plane along them is read at a time.
    pixel_size : tuple of float, optional
        Micrometres along a full-size pixel, down and across, if the file says so.
    stamp : tuple of int
        Changes if the file does.
    intensity_range : tuple of float, optional
        The intensities that it shows as black and white itself, such as the contrast limits of a layer.
    settled : bool
        Whether that range counts whatever the user asks for, who was asked when the pixels were read.
    details : Any
        What the opener needs.
    """

    name: str
    kind: str
    location: Any
    levels: tuple[Level, ...]
    dtype: str
    channels: int = 0
    axes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    pixel_size: tuple[float, float] | None = None
    stamp: tuple[int, ...] = ()
    intensity_range: tuple[float, float] | None = None
    settled: bool = False
    details: Any = None

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel."""
        return np.dtype(self.dtype).itemsize * max(self.channels, 1)

    def bytes_of(self, rows: int, columns: int) -> int:
        """Bytes of so many pixels."""
        return rows * columns * self.pixel_bytes

    def level_for_one_image(self) -> int:
        """Choose the level for a picture that is classified as a whole: the finest of at most `limits.LEVEL_PIXELS`.

        Raises
        ------
        ImageError
            Each level is far too large.
        """
        for number, level in enumerate(self.levels):
            if prod(level.shape) <= limits.LEVEL_PIXELS:
                return number
        rows, columns = self.levels[-1].shape
        if self.bytes_of(rows, columns) > limits.PAGE_AT_MOST:
            raise ImageError(
                f"The picture has {columns}x{rows} pixels, and there is no smaller level of it in the file.",
                "Classify it tile by tile, as a heat map.",
            )
        return len(self.levels) - 1

    def level_for(self, size: float, needed: float) -> int:
        """Choose the coarsest level in which a tile still has enough pixels; the full size if it never has.

        Parameters
        ----------
        size : float
            Full-size pixels along the tile.
        needed : float
            Pixels that it should have.
        """
        return max((n for n, level in enumerate(self.levels) if size / max(level.factor) >= needed), default=0)

    def level_at(self, resolution: float) -> int:
        """Choose the coarsest level that is no coarser than a resolution, given in full-size pixels along a pixel."""
        return max((n for n, level in enumerate(self.levels) if max(level.factor) <= resolution * ROUNDING), default=0)

    def words(self, level: int) -> str:
        """Say which level was read, for a table or a record; nothing of a picture that has only one."""
        if len(self.levels) == 1:
            return ""
        factor = self.levels[level].factor[0]
        smaller = f", {factor:.4g} times smaller than the full size" if level else ", the full size"
        return f"level {level} of 0 to {len(self.levels) - 1}{smaller}"


def levels_of(
    shapes: list[tuple[int, int]], blocks: list[tuple[int, int]], name: str = "The picture"
) -> tuple[Level, ...]:
    """Make levels of their shapes, the full size first.

    Raises
    ------
    ImageError
        They do not shrink, or a block of one is too large to be read.
    """
    full = shapes[0]
    for finer, coarser in pairwise(shapes):
        if prod(coarser) >= prod(finer) or any(a > b for a, b in zip(coarser, finer, strict=True)):
            raise ImageError(
                f"{name} has levels that do not shrink: after {finer[1]}x{finer[0]} comes {coarser[1]}x{coarser[0]}.",
                "Give them as images of their own.",
            )
    return tuple(
        Level(shape, (_factor(full[0], shape[0]), _factor(full[1], shape[1])), block)
        for shape, block in zip(shapes, blocks, strict=True)
    )


def check_block(pyramid: Pyramid) -> Pyramid:
    """Refuse a picture of which no part can be read without reading far too much.

    Raises
    ------
    ImageError
        A block is larger than `limits.BLOCK_AT_MOST`.
    """
    for level in pyramid.levels:
        size = pyramid.bytes_of(*(min(pair) for pair in zip(level.block, level.shape, strict=True)))
        if size > limits.BLOCK_AT_MOST:
            raise ImageError(
                f"The picture is stored in blocks of {level.block[1]}x{level.block[0]} pixels, "
                f"{limits.amount(size)} each.",
                "Save it with tiles of a few hundred pixels, or scale it down first.",
            )
    return pyramid


def at_index(pyramid: Pyramid, index: Index) -> Index:
    """Return the index of a plane; ImageError if there is no such plane."""
    if len(index) != len(pyramid.shape) or any(not 0 <= i < n for i, n in zip(index, pyramid.shape, strict=True)):
        raise ImageError(f"{pyramid.name} has no plane {index}: its planes have the shape {pyramid.shape}.")
    return index


def _factor(full: int, length: int) -> float:
    """Return how many times smaller a level is; a whole number where rounding has made it look like none."""
    whole = round(full / length)
    return float(whole) if abs(full / whole - length) < 1 else full / length

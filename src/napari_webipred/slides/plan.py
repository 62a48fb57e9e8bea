"""Which tiles of a picture are classified, in which level, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.outline import within_at
from napari_webipred.imaging.region import Region, polygon, regions_of
from napari_webipred.imaging.tiling import Steps, Tiling, steps_along

if TYPE_CHECKING:
    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.slides.request import Request

KEPT_BLOCKS = 12 * 2**20  # bytes of stored blocks; a strip of tiles is as wide as goes with them


class Plan(Struct, frozen=True, eq=False):
    """Where the tiles of a map lie.

    Attributes
    ----------
    level : int
    factor : tuple of float
        Full-size pixels along a pixel of the level.
    tiling : Tiling
        In pixels of the level.
    chosen : ndarray of bool, shape (rows, columns) of the tiles
        Which tiles are part of the region.
    strip : int
        How many columns of tiles are gone through at a time.
    budget : int
        Bytes of stored blocks that are kept meanwhile.
    """

    level: int
    factor: tuple[float, float]
    tiling: Tiling
    chosen: NDArray[np.bool_]
    strip: int
    budget: int

    @property
    def scale(self) -> tuple[float, float]:
        """Full-size pixels along a cell of the map, down and across."""
        return self.tiling.down.step * self.factor[0], self.tiling.across.step * self.factor[1]

    @property
    def translate(self) -> tuple[float, float]:
        """Where the centre of the first cell lies, in full-size pixels whose centres are whole numbers."""
        down, across = (
            factor * (steps.begin + steps.step / 2) - 0.5
            for factor, steps in zip(self.factor, (self.tiling.down, self.tiling.across), strict=True)
        )
        return down, across

    def full_box(self, index: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return the edges of a tile, (top, left, bottom, right), in full-size pixels from the upper left corner."""
        return full_box(self.tiling, self.factor, index)


def full_box(tiling: Tiling, factor: tuple[float, float], index: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the edges of a tile, (top, left, bottom, right), in full-size pixels from the upper left corner.

    Parameters
    ----------
    tiling : Tiling
        In pixels of a level.
    factor : tuple of float
        Full-size pixels along a pixel of the level.
    index : tuple of int
        Row and column of the tile.
    """
    top, left, bottom, right = tiling.box(index)
    down, across = factor
    return top * down, left * across, bottom * down, right * across


def plan_of(pyramid: Pyramid, request: Request, model_size: tuple[int, int]) -> Plan:
    """Lay tiles over a picture.

    Parameters
    ----------
    pyramid : Pyramid
    request : Request
    model_size : tuple of int
        Height and width of the model's input.

    Raises
    ------
    OptionError
        There is no such level, the picture does not say how large its pixels are, or there are too many tiles.
    ImageError
        The region lies beside the picture.
    """
    level, size, step = _in_level(pyramid, request, model_size)
    found = pyramid.levels[level]
    regions = regions_in(request.region)
    begin, end = _part(regions, found.shape, found.factor)
    tiling = Tiling(*(steps_along(begin[i], end[i], size[i], step[i]) for i in (0, 1)))
    count = tiling.shape[0] * tiling.shape[1]
    if count > limits.MAP_NUMBERS:
        raise OptionError(f"There would be {count:,} tiles.", "Choose a larger stride, a coarser level or a region.")
    strip, budget = _strip(pyramid, level, tiling)
    return Plan(level, found.factor, tiling, _chosen(regions, tiling, found.factor), strip, budget)


def _in_level(
    pyramid: Pyramid, request: Request, model_size: tuple[int, int]
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Choose the level, and return the size and step of tiles in its pixels."""
    if request.level is not None:
        if not 0 <= request.level < len(pyramid.levels):
            last = len(pyramid.levels) - 1
            raise OptionError(
                f"{pyramid.name} has no level {request.level}.",
                f"Choose one from 0, the full size, to {last}." if last else "It has only the full size, level 0.",
            )
        return request.level, (request.tile,) * 2, (request.stride,) * 2
    asked = (1.0, 1.0)  # full-size pixels along a pixel as the user has it in mind
    if request.microns_per_pixel is not None:
        if pyramid.pixel_size is None:
            raise OptionError(
                f"{pyramid.name} does not say how large its pixels are.", "Give a level, or tiles in full-size pixels."
            )
        asked = tuple(request.microns_per_pixel / each for each in pyramid.pixel_size)  # type: ignore[assignment]
        level = pyramid.level_at(min(asked))
    else:
        level = pyramid.level_for(request.tile, max(model_size))
    factor = pyramid.levels[level].factor
    size, step = (
        tuple(max(1, round(length * asked[i] / factor[i])) for i in (0, 1)) for length in (request.tile, request.stride)
    )
    return level, size, step  # type: ignore[return-value]


def regions_in(given: Any) -> tuple[Region, ...]:
    """Make regions of a box, a polygon, or several of them; polygons have their outline."""
    if given is None:
        return ()
    if isinstance(given, (list, tuple, np.ndarray)):
        try:
            numbers = np.asarray(given, np.float64)
        except (TypeError, ValueError):  # of several kinds or lengths
            numbers = np.empty(0)
        if numbers.shape == (4,):
            return regions_of([given], "blank")
        if numbers.ndim == 2 and numbers.shape[1] == 2 and len(numbers) > 2:
            return (polygon("1", numbers, blank=True),)
    found = regions_of(given, "blank")
    if not found or any(each.inside is not None for each in found):
        raise OptionError("The region of a heat map is a box or a polygon, or several.", "Give no label image.")
    return found


def _part(
    regions: tuple[Region, ...], shape: tuple[int, int], factor: tuple[float, float]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first pixels of a level, and those behind the last ones, that hold all regions."""
    if not regions:
        return (0, 0), shape
    first, last = (
        [min(each.box[i] for each in regions) for i in (0, 1)],
        [max(each.box[i] for each in regions) for i in (2, 3)],
    )
    begin = tuple(max(int(first[i] // factor[i]), 0) for i in (0, 1))
    end = tuple(min(int(-(-last[i] // factor[i])), shape[i]) for i in (0, 1))
    if any(b >= e for b, e in zip(begin, end, strict=True)):
        raise ImageError("The region contains no pixel of the picture.", "Draw it over the picture.")
    return begin, end  # type: ignore[return-value]


def _chosen(regions: tuple[Region, ...], tiling: Tiling, factor: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell which tiles have their centre in a region; one that is too small for any has the nearest."""
    if not regions:
        return np.ones(tiling.shape, np.bool_)
    down, across = (
        scale * (steps.centres() + 0.5) - 0.5 for scale, steps in zip(factor, (tiling.down, tiling.across), strict=True)
    )
    chosen = np.zeros(tiling.shape, np.bool_)
    for each in regions:
        if each.outline is not None:
            inside = within_at(each.outline, down, across)
        else:
            inside = _touched(tiling.down, each.box[0::2], factor[0])[:, None] & _touched(
                tiling.across, each.box[1::2], factor[1]
            )
        if not inside.any():
            middle = (each.box[0] + each.box[2] - 1) / 2, (each.box[1] + each.box[3] - 1) / 2
            inside[np.abs(down - middle[0]).argmin(), np.abs(across - middle[1]).argmin()] = True
        chosen |= inside
    return chosen


def _touched(steps: Steps, span: tuple[int, ...], factor: float) -> NDArray[np.bool_]:
    """Tell which tiles along an axis lie in a part of it that is given in full-size pixels, at least with their centre.

    The first and the last tile of a part that is not longer than they are count as well.
    """
    centres = factor * (steps.centres() + 0.5)
    return (centres >= span[0]) & (centres <= span[1])


def _strip(pyramid: Pyramid, level: int, tiling: Tiling) -> tuple[int, int]:
    """Return how many columns of tiles make a strip, and the bytes of stored blocks that are needed for it."""
    block, shape = pyramid.levels[level].block, pyramid.levels[level].shape

    def needed(columns: int) -> int:
        width = (columns - 1) * tiling.across.step + tiling.across.size
        rows = min((-(-tiling.down.size // block[0]) + 1) * block[0], shape[0])
        return pyramid.bytes_of(rows, min((-(-width // block[1]) + 1) * block[1], shape[1]))

    last = tiling.across.count
    if needed(last) <= KEPT_BLOCKS:
        return last, KEPT_BLOCKS
    columns = 1
    while columns < last and needed(columns + 1) <= KEPT_BLOCKS:
        columns += 1
    return columns, max(KEPT_BLOCKS, needed(columns))

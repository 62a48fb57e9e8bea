"""A cheap look at a picture: its intensities as a whole, and which tiles show nothing."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.cancellation import current
from napari_webipred.errors import CancelledError, ImageError
from napari_webipred.imaging.intensity import EIGHT_BIT, OF_THE_SOURCE, UNIT, Intensity, intensity_range
from napari_webipred.imaging.preprocess import without_alpha
from napari_webipred.imaging.readers import read_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.imaging.source import Index
    from napari_webipred.slides.plan import Plan

PIXELS_OF_A_LOOK = 2**22  # of a level that is read as a whole
SAMPLES, SAMPLE = 8, 256  # windows along each axis, and pixels along each, of a level that is larger
KEPT_BLOCKS = 4 * 2**20  # bytes of blocks that are kept of a coarse level
ENOUGH = 16  # pixels along a tile by which is told whether it is blank
# A tile is blank if its brightest and darkest pixels differ by less than this share of the intensity range, in each
# channel: bare glass under a microscope differs by half of it.
SPREAD = 1 / 16


def range_of(pyramid: Pyramid, plane: Index, asked: Intensity) -> tuple[float, float]:
    """Return the intensities that become black and white in all tiles alike.

    Parameters
    ----------
    pyramid : Pyramid
    plane : tuple of int
    asked : Intensity
        As of `Options`. What depends on pixels is taken from the finest level of at most `PIXELS_OF_A_LOOK`, or, if
        there is none, from up to 64 windows all over the coarsest; so single pixels may be darker or brighter.

    Raises
    ------
    ImageError
        The level cannot be read, or has no sensible range.
    """
    if pyramid.settled and pyramid.intensity_range is not None:
        return pyramid.intensity_range
    if not isinstance(asked, str):
        return asked
    if pyramid.intensity_range is not None and asked in ("auto", *OF_THE_SOURCE):
        return pyramid.intensity_range
    if asked == "limits":
        raise ImageError("The picture has no contrast limits.", "Choose another intensity range, such as auto.")
    kind = np.dtype(pyramid.dtype)
    if asked == "auto" and kind in (np.uint8, np.bool_):
        return EIGHT_BIT if kind == np.uint8 else UNIT
    if asked == "dtype":
        return intensity_range(np.zeros((1, 1), kind), "dtype")
    return intensity_range(_sample(pyramid, plane), "plane" if asked == "stack" else asked)


def _sample(pyramid: Pyramid, plane: Index) -> NDArray[Any]:
    """Read a level that is small, or windows all over one that is not, as an image."""
    for number, level in enumerate(pyramid.levels):
        if prod(level.shape) <= PIXELS_OF_A_LOOK:
            return without_alpha(read_part(pyramid, number, plane, (0, 0, *level.shape)))
    last = len(pyramid.levels) - 1
    height, width = (min(SAMPLE, n) for n in pyramid.levels[last].shape)
    tops, lefts = (  # so many that they cover a side, edge to edge, unless it is too long for that
        np.linspace(0, n - length, min(SAMPLES, -(-n // length))).astype(int)
        for n, length in zip(pyramid.levels[last].shape, (height, width), strict=True)
    )
    parts = []
    for top in tops.tolist():
        for left in lefts.tolist():
            current().check()
            found = read_part(pyramid, last, plane, (top, left, top + height, left + width))
            parts.append(without_alpha(found))
    return np.concatenate(parts)


class Look:
    """Tells which tiles show nothing, from the coarsest level in which a tile still has enough pixels.

    Where there is none coarser than the one that is read, the pixels are those that the tile has, and the blocks that
    are read for it are kept for it.

    Parameters
    ----------
    pyramid : Pyramid
    plane : tuple of int
    plan : Plan
    black_and_white : tuple of float
    """

    def __init__(self, pyramid: Pyramid, plane: Index, plan: Plan, black_and_white: tuple[float, float]) -> None:
        self._pyramid, self._plane, self._plan = pyramid, plane, plan
        self._least = SPREAD * (black_and_white[1] - black_and_white[0])
        size = min(n * f for n, f in zip(plan.tiling.size, plan.factor, strict=True))
        self.level = max(plan.level, pyramid.level_for(size, ENOUGH))
        self._budget = plan.budget if self.level == plan.level else min(plan.budget, KEPT_BLOCKS)

    def is_blank(self, index: tuple[int, int]) -> bool:
        """Tell whether a tile shows nothing; what cannot be read is not blank, its row will say why."""
        level = self._pyramid.levels[self.level]
        top, left, bottom, right = self._plan.full_box(index)
        down, across = level.factor
        box = (
            min(int(top // down), level.shape[0] - 1),
            min(int(left // across), level.shape[1] - 1),
            min(max(int(-(-bottom // down)), 1), level.shape[0]),
            min(max(int(-(-right // across)), 1), level.shape[1]),
        )
        try:
            pixels = without_alpha(read_part(self._pyramid, self.level, self._plane, box, self._budget))
        except CancelledError:
            raise
        except Exception:  # arrays may compute themselves when read, and fail in any way
            return False
        channels = pixels.reshape(-1, pixels.shape[2]) if pixels.ndim == 3 else pixels.reshape(-1, 1)
        spread = channels.max(axis=0).astype(np.float64) - channels.min(axis=0).astype(np.float64)
        return bool((spread < self._least).all())  # not if there are NaN

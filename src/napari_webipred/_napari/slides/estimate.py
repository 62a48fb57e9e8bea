"""How many tiles a heat map would have, and how long they would take."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred._napari.slides.drawn_region import Drawn, region_of
from napari_webipred._napari.widgets.progress import duration

if TYPE_CHECKING:
    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.slides.plan import Plan
    from napari_webipred.slides.request import Request
else:
    Model = Options = Pyramid = Request = Any  # imported when first needed, and `help` asks for the types of fields

PROBE, WARMING = 4, 4  # tiles along a side of what is measured, and those of them that do not count
LONGEST = 0.5  # seconds after which no further tile is begun for it


class Wanted(Struct, frozen=True, eq=False):
    """All that a heat map is made from.

    Attributes
    ----------
    model : Model
    picture : Pyramid
    index : tuple of int
        The plane of the picture.
    axes : tuple of int
        Which axes of the data of its layer the index is along.
    request : Request
        Still without the region.
    drawn : Drawn, optional
        The shapes that are the region; None for the whole picture.
    options : Options
    """

    model: Model
    picture: Pyramid
    index: tuple[int, ...]
    axes: tuple[int, ...]
    request: Request
    drawn: Drawn | None
    options: Options


class Estimate(Struct, frozen=True):
    """What would be computed.

    Attributes
    ----------
    tiles : int
    size : tuple of int
        Rows and columns of a tile in the level that is read.
    level, levels : int
        Which of how many levels.
    tile_seconds : float
        How long a tile takes.
    skips : bool
        Whether blank tiles are left out, so that it may be fewer.
    """

    tiles: int
    size: tuple[int, int]
    level: int
    levels: int
    tile_seconds: float
    skips: bool

    @property
    def words(self) -> str:
        """Say it in a sentence or two."""
        less = ", less where they are blank" if self.skips else ""
        level = f" of level {self.level}" if self.levels > 1 else ""
        return (
            f"{self.tiles:,} tile{'s' * (self.tiles != 1)} of {self.size[1]} × {self.size[0]} pixels{level}, "
            f"{duration(self.tiles * self.tile_seconds)}{less}."
        )


def requested(wanted: Wanted) -> Generator[None, None, Request]:
    """Return the request with the region that is drawn."""
    if wanted.drawn is None:
        return wanted.request
    return replace(wanted.request, region=(yield from region_of(wanted.drawn)))


def estimated(wanted: Wanted, tile_seconds: float | None) -> Generator[None, None, Estimate]:
    """Lay the tiles, and classify a few of them if it is not known how long one takes.

    Raises
    ------
    WebIPredError
        The request does not fit the picture.
    """
    from napari_webipred.slides.plan import plan_of

    request = yield from requested(wanted)
    target = wanted.model.card.input
    assert target is not None
    plan = plan_of(wanted.picture, request, (target.height, target.width))
    yield
    if tile_seconds is None:
        tile_seconds = yield from _measured(wanted, request, plan)
    return Estimate(
        int(plan.chosen.sum()),
        plan.tiling.size,
        plan.level,
        len(wanted.picture.levels),
        tile_seconds,
        request.background == "skip",
    )


def _measured(wanted: Wanted, request: Request, plan: Plan) -> Generator[None, None, float]:
    """Return how long a tile takes: classify some in the middle of the region, as a run does."""
    from napari_webipred.slides.mapping import TileDone, mapping

    rows, columns = np.nonzero(plan.chosen)
    middle = int(rows[len(rows) // 2]), int(columns[len(rows) // 2])
    top, left, bottom, right = plan.full_box(middle)
    beside = (PROBE - 1) * plan.scale[0], (PROBE - 1) * plan.scale[1]
    box = (int(top), int(left), math.ceil(bottom + beside[0]), math.ceil(right + beside[1]))
    probe = replace(request, region=[box], background="keep")
    begin, count = time.perf_counter(), 0
    with closing(mapping(wanted.model, wanted.picture, probe, wanted.options, plane=wanted.index)) as events:
        for event in events:
            if isinstance(event, TileDone):
                count += 1
                if count == WARMING:  # those before have opened the model and the picture
                    begin = time.perf_counter()
                elif count > WARMING and time.perf_counter() - begin > LONGEST:
                    break
            yield
    counted = count - WARMING if count > WARMING else max(count, 1)
    return (time.perf_counter() - begin) / counted

"""How many tiles a heat map would have, and how long they would take."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_webipred._napari.slides.drawn_region import Drawn, region_of
from napari_webipred._napari.widgets.progress import duration

if TYPE_CHECKING:
    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.slides.request import Request

VIEWS = {"flip": 2, "symmetries": 8}


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
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


@dataclass(frozen=True, slots=True)
class Estimate:
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
        at_most = " at most" if self.skips else ""
        level = f" of level {self.level}" if self.levels > 1 else ""
        return (
            f"{self.tiles:,} tile{'s' * (self.tiles != 1)} of {self.size[1]} × {self.size[0]} pixels{level}, "
            f"{duration(self.tiles * self.tile_seconds)}{at_most}."
        )


def requested(wanted: Wanted) -> Generator[None, None, Request]:
    """Return the request with the region that is drawn."""
    if wanted.drawn is None:
        return wanted.request
    return replace(wanted.request, region=(yield from region_of(wanted.drawn)))


def estimated(wanted: Wanted, tile_seconds: float | None) -> Generator[None, None, Estimate]:
    """Lay the tiles, without reading the picture, and measure the model if its speed is not known.

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
        tile_seconds = yield from _measured(wanted.model, wanted.options)
    return Estimate(
        int(plan.chosen.sum()),
        plan.tiling.size,
        plan.level,
        len(wanted.picture.levels),
        tile_seconds,
        request.background == "skip",
    )


def _measured(model: Model, options: Options) -> Generator[None, None, float]:
    """Return roughly how long a tile takes when each core works on its own one: what the network takes alone."""
    import numpy as np

    from napari_webipred.limits import available_cores

    session = model.session(1, options.hardware)
    seen = model.card.input
    assert seen is not None
    batch = np.zeros((1, seen.height, seen.width, seen.channels or 3), np.float32)
    session.predict(batch)  # the first one takes longer
    yield
    begin = time.perf_counter()
    session.predict(batch)
    seconds = time.perf_counter() - begin
    return seconds * VIEWS.get(options.views or "", 1) / min(options.workers or available_cores(), available_cores())

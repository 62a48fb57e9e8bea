"""From a picture to a probability for each of its tiles, as events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.cancellation import current
from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import Plane
from napari_webipred.execution.readiness import check_card
from napari_webipred.execution.threads import classify_planes
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.tiling import Tiling
from napari_webipred.imaging.windows import TILE, Tiled, forget
from napari_webipred.options import DEFAULTS, Options
from napari_webipred.results.row import Row
from napari_webipred.slides.look import Look, range_of
from napari_webipred.slides.plan import Plan, plan_of
from napari_webipred.slides.request import Request

if TYPE_CHECKING:
    from napari_webipred.execution import Executor
    from napari_webipred.imaging.pyramid import Pyramid
    from napari_webipred.model import Model

Place: TypeAlias = tuple[int, int]  # row and column of a tile
OFF_LABEL = (
    "Off-label: this model was made for whole images, and its card does not say that it may be used on tiles. "
    "Take the map as a hint where to look, not as a finding."
)

GAPS = "The tiles do not touch each other: a cell shows what is in its tile, and what lies between was not looked at."


class Started(Struct, frozen=True):
    """The tiles are laid; none is read yet.

    Attributes
    ----------
    total : int
        How many tiles are part of the region, with those that are done.
    classes : tuple of str
    tiling : Tiling
        In pixels of the level; its ``shape`` counts the tiles, its ``cells`` those of the map.
    level : int
        The level that is read.
    factor : tuple of float
        Full-size pixels along one of the level.
    scale, translate : tuple of float
        Of the map, in full-size pixels: size of a cell, and centre of the first one. Pixel centres are whole numbers.
    picture : tuple of int
        Rows and columns of the full size.
    pixel_size : tuple of float, optional
        Micrometres along a full-size pixel, down and across.
    intensity_range : tuple of float
        What becomes black and white in all tiles.
    reading : str
        Which level is read, in words.
    remark : str
        What should be known of the whole map: that it is off-label, or has gaps. Empty if nothing.
    """

    total: int
    classes: tuple[str, ...]
    tiling: Tiling
    level: int
    factor: tuple[float, float]
    scale: tuple[float, float]
    translate: tuple[float, float]
    picture: tuple[int, int]
    pixel_size: tuple[float, float] | None
    intensity_range: tuple[float, float]
    reading: str
    remark: str


class TileDone(Struct, frozen=True, eq=False):
    """A tile is classified, was skipped, or has failed.

    Attributes
    ----------
    index : tuple of int
        Its row and column among the tiles.
    box : tuple of float
        (top, left, bottom, right) of its edges, in full-size pixels from the upper left corner of the picture.
    probabilities : ndarray of float32, shape (classes,), optional
    skipped : bool
        It shows nothing.
    error, remark : str
        Why it has no probabilities, or why they may mean little.
    done, total : int
        How many tiles of how many are done.
    """

    index: Place
    box: tuple[float, float, float, float]
    probabilities: NDArray[np.float32] | None
    skipped: bool
    error: str
    remark: str
    done: int
    total: int


class Finished(Struct, frozen=True):
    """All tiles have come, in so many ``seconds``; of those of this run, some were skipped, and some have failed."""

    done: int
    skipped: int
    failed: int
    seconds: float


Event: TypeAlias = Started | TileDone | Finished


def mapping(
    model: Model,
    picture: Pyramid,
    request: Request,
    options: Options = DEFAULTS,
    *,
    plane: Index = (),
    executor: Executor = classify_planes,
    done: Collection[Place] = (),
) -> Generator[Event, None, None]:
    """Classify the tiles of a picture; closing the generator cancels what has not begun.

    Parameters
    ----------
    model : Model
    picture : Pyramid
        As `napari_webipred.slides.picture.picture_of` makes it.
    request : Request
    options : Options
    plane : tuple of int
        Which plane of a stack, along its leading axes.
    executor : callable
        Where tiles are classified; see `napari_webipred.slides`.
    done : collection of (row, column)
        Tiles of an earlier run, which are not classified again.

    Yields
    ------
    Started, then one TileDone for each tile, then Finished
        In strips from the top to the bottom, so that memory does not grow with the picture. A tile that cannot be read
        has an error, and the others go on.

    Raises
    ------
    OptionError
        Something is not known that is needed, or the request does not fit the picture.
    ImageError
        The picture cannot be read.
    """
    check_card(model, options)
    begin = time.perf_counter()
    target = model.card.input
    assert target is not None
    plan = plan_of(picture, request, (target.height, target.width))
    total = int(plan.chosen.sum())
    _check_numbers(plan, len(model.classes))
    try:
        black_and_white = range_of(picture, plane, options.intensity)
        options = replace(options, intensity=black_and_white)
        yield _started(model, picture, plan, total, black_and_white)
        found = done if isinstance(done, (set, frozenset, dict)) else frozenset(done)
        tiles = _Tiles(picture, plane, plan, found, Look(picture, plane, plan, black_and_white), request.background)
        count = len(found)
        skipped = failed = 0
        with closing(executor(model, tiles.planes(), total, options)) as rows:
            for index, row in tiles.matched(rows):
                count += 1
                skipped += row is None
                failed += row is not None and row.failed
                yield _of_tile(plan, index, row, count, total)
        yield Finished(count - len(found), skipped, failed, time.perf_counter() - begin)
    finally:
        forget()


class _Tiles:
    """Gives the tiles that show something to an executor, and remembers those between them that do not."""

    def __init__(
        self, picture: Pyramid, plane: Index, plan: Plan, done: Collection[Place], look: Look, background: str
    ) -> None:
        self._plan, self._done, self._look, self._background = plan, done, look, background
        self._waiting: deque[tuple[Place, bool]] = deque()  # and whether it is skipped
        self._source = Source(
            picture.name,
            TILE.id,
            picture,
            ("row", "column"),
            plan.tiling.shape,
            reading=picture.words(plan.level),
            details=Tiled(plan.level, plane, plan.tiling, plan.budget),
        )

    def planes(self) -> Iterator[Plane]:
        """Yield the tiles to classify."""
        for index in self._plan.tiling.order(self._plan.strip):
            if not self._plan.chosen[index] or index in self._done:
                continue
            current().check()
            blank = self._background == "skip" and self._look.is_blank(index)
            self._waiting.append((index, blank))
            if not blank:
                yield Plane(0, self._source, index)

    def matched(self, rows: Iterator[object]) -> Iterator[tuple[Place, Row | None]]:
        """Yield all tiles in their order, with their rows; None for those that are skipped."""
        for row in rows:
            assert isinstance(row, Row)
            yield from self._skipped()
            yield self._waiting.popleft()[0], row
        yield from self._skipped()

    def _skipped(self) -> Iterator[tuple[Place, None]]:
        while self._waiting and self._waiting[0][1]:
            yield self._waiting.popleft()[0], None


def _check_numbers(plan: Plan, classes: int) -> None:
    rows, columns = plan.tiling.shape
    if rows * columns * classes > limits.MAP_NUMBERS:
        raise OptionError(
            f"A map of {rows}x{columns} tiles and {classes} classes does not fit into memory.",
            "Choose a larger stride, a coarser level or a region.",
        )


def _started(model: Model, picture: Pyramid, plan: Plan, total: int, black_and_white: tuple[float, float]) -> Started:
    return Started(
        total,
        tuple(model.classes),
        plan.tiling,
        plan.level,
        plan.factor,
        plan.scale,
        plan.translate,
        picture.levels[0].shape,
        picture.pixel_size,
        black_and_white,
        picture.words(plan.level),
        " ".join(_remarks(model, plan)),
    )


def _remarks(model: Model, plan: Plan) -> Iterator[str]:
    if not model.card.tile_ok:
        yield OFF_LABEL
    if any(steps.step > steps.size and steps.count > 1 for steps in (plan.tiling.down, plan.tiling.across)):
        yield GAPS


def _of_tile(plan: Plan, index: Place, row: Row | None, done: int, total: int) -> TileDone:
    box = plan.full_box(index)
    if row is None:
        return TileDone(index, box, None, True, "", "", done, total)
    return TileDone(index, box, row.probabilities, False, row.error, row.remark, done, total)

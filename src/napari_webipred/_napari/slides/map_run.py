"""One heat map, and how far it is computed."""

from __future__ import annotations

import time
import weakref
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.slides.estimate import Wanted, requested
from napari_webipred._napari.task import Task

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

    from napari_webipred.results.inputs import ModelInput
    from napari_webipred.slides.request import Request
    from napari_webipred.slides.tile_map import TileMap
else:
    Request = TileMap = Any  # imported when first needed, and `help` asks for the types of fields

ENOUGH = 20  # tiles that tell how long one takes


class Laid(Struct, frozen=True, eq=False):
    """The tiles are laid.

    Attributes
    ----------
    request : Request
        With the region.
    heat : TileMap
        It grows in the thread that computes it.
    """

    request: Request
    heat: TileMap


class Grown(Struct, frozen=True):
    """So many tiles are done, of which so many of this part of the run were not skipped."""

    done: int
    computed: int


def computed(wanted: Wanted, before: Laid | None) -> Generator[Any, None, None]:
    """Compute a heat map, or what is left of it.

    Yields
    ------
    Laid, then Grown for each tile

    Raises
    ------
    WebIPredError
        It cannot be made.
    """
    from napari_webipred.engine import differences
    from napari_webipred.slides.mapping import Started, TileDone, mapping
    from napari_webipred.slides.tile_map import TileMap

    request = (yield from requested(wanted)) if before is None else before.request
    heat = None if before is None else before.heat
    (apart,) = differences([wanted.model], wanted.options)
    count = 0
    done = () if heat is None else heat.done
    with closing(
        mapping(wanted.model, wanted.picture, request, wanted.options, plane=wanted.index, done=done)
    ) as events:
        for event in events:
            if isinstance(event, Started) and heat is None:
                heat = TileMap(event)
                if apart is not None:
                    heat.notes.append(apart.sentence(wanted.model.card.name))
                yield Laid(request, heat)
            elif isinstance(event, TileDone) and heat is not None:
                heat.add(event)
                count += not event.skipped
                yield Grown(event.done, count)


class MapRun(QObject):
    """Computes a heat map in a background thread, and keeps it.

    Parameters
    ----------
    wanted : Wanted
    layer : napari.layers.Image
        The picture; held weakly.
    given : ModelInput
        What opens the model again.
    shapes : napari.layers.Shapes, optional
        The layer of the region, which is not to cover the map; held weakly.

    Attributes
    ----------
    heat : TileMap or None
        The map, as soon as its tiles are laid.
    cancelled : bool
    error : Exception or None
        Why it has ended early.
    done : int
        How many tiles are done.
    shown : HeatLayer or None
        Its layer in the viewer.

    Signals
    -------
    laid
        The map is there, still empty.
    grown
        More tiles are done.
    ended
        It is finished, cancelled or has failed.
    """

    laid = Signal()
    grown = Signal()
    ended = Signal()

    def __init__(
        self,
        wanted: Wanted,
        layer: Image,
        given: ModelInput,
        shapes: Shapes | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.wanted = wanted
        self.given = given
        self.shown: Any = None
        self.cancelled = False
        self.error: Exception | None = None
        self.done = 0
        self._layer: weakref.ref[Image] | None = weakref.ref(layer)
        self._shapes = None if shapes is None else weakref.ref(shapes)
        self._laid: Laid | None = None
        self._task: Task | None = None
        self._computed = self._before = 0
        self._begun = self._seconds = 0.0

    @property
    def running(self) -> bool:
        """Whether it is being computed."""
        return self._task is not None

    @property
    def heat(self) -> TileMap | None:
        """The map."""
        return None if self._laid is None else self._laid.heat

    @property
    def request(self) -> Request:
        """What was asked for, with the region once it is known."""
        return self.wanted.request if self._laid is None else self._laid.request

    @property
    def layer(self) -> Image | None:
        """The picture, if it is still there and still the same."""
        return None if self._layer is None else self._layer()

    @property
    def below(self) -> list[Any]:
        """The layers that its map lies above."""
        found = [self.layer, None if self._shapes is None else self._shapes()]
        return [layer for layer in found if layer is not None]

    @property
    def total(self) -> int:
        """How many tiles there are."""
        return 0 if self.heat is None else self.heat.started.total

    @property
    def failed(self) -> int:
        """How many tiles could not be read."""
        return 0 if self.heat is None else len(self.heat.errors)

    @property
    def skipped(self) -> int:
        """How many tiles show nothing."""
        from napari_webipred.slides.tile_map import SKIPPED

        return 0 if self.heat is None else int(np.count_nonzero(self.heat.states == SKIPPED))

    @property
    def can_continue(self) -> bool:
        """Whether tiles are left that can still be computed."""
        heat = self.heat
        return not self.running and self.layer is not None and heat is not None and len(heat.done) < self.total

    @property
    def seconds_left(self) -> float | None:
        """Roughly how long the rest takes; None before the first tile."""
        now = self.done - self._before
        return (time.monotonic() - self._begun) / now * (self.total - self.done) if now else None

    @property
    def tile_seconds(self) -> float | None:
        """How long a tile has taken that was not skipped; None before there are enough to tell."""
        return self._seconds / self._computed if self._computed >= ENOUGH else None

    def begin(self) -> None:
        """Compute it, or what is left of it."""
        self.error, self.cancelled = None, False
        heat = self.heat
        self.done = self._before = 0 if heat is None else len(heat.done)
        self._computed, self._begun = 0, time.monotonic()
        self._task = Task(computed(self.wanted, self._laid), self)
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_ended)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_cancelled)
        self._task.start()

    def cancel(self) -> None:
        """Stop; the tiles that are done are kept."""
        if self._task is not None:
            self._task.cancel()

    def part(self) -> None:
        """Stop for good: the picture is gone, or has other pixels now; what is done can still be saved."""
        self.cancel()
        self._layer = None
        self.wanted = replace(self.wanted, picture=replace(self.wanted.picture, location=()))  # no array is held

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Laid):
                self._laid = event
                self.laid.emit()
            elif isinstance(event, Grown):
                self.done, self._computed = event.done, event.computed
        self._seconds = time.monotonic() - self._begun
        self.grown.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error = error
        self._on_ended()

    def _on_cancelled(self) -> None:
        self.cancelled = True
        self._on_ended()

    def _on_ended(self, result: object = None) -> None:
        self._task = None
        if self.heat is not None:
            self.done = len(self.heat.done) + self.failed  # also those that nobody was told about any more
        self.ended.emit()

"""Things that go to a worker together, and how many they are."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import Struct

# A task takes about so long, that what Dask does for each is little beside it, and has so many things at most.
SECONDS, FIRST, MOST = 0.5, 4, 128
BYTES = 16 * 2**20  # of the pixels that travel with a task, if it has several things

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batch(Struct, Generic[Item, Result], eq=False):
    """Things that go to a worker together.

    Attributes
    ----------
    items : list
    alone : bool
        Whether nothing else is under way with it.
    results : list or None
        What has come of them.
    future : distributed.Future or None
        While it is under way.
    bytes : int
        How many travel.
    tries : int
        How often it has come back undone.
    """

    items: list[Item]
    alone: bool = False
    results: list[Result] | None = None
    future: Any = None
    bytes: int = 0
    tries: int = 0


class Pace(Struct):
    """How many seconds a thing takes, and how many bytes travel with it, going by the latest."""

    seconds: float | None = None
    bytes: float = 1

    def note(self, seconds: float, count: int) -> None:
        """Take in that so many things took so many seconds."""
        latest = seconds / count
        self.seconds = latest if self.seconds is None else 0.8 * self.seconds + 0.2 * latest

    @property
    def size(self) -> int:
        """How many things a task should have."""
        by_time = FIRST if self.seconds is None else SECONDS / max(self.seconds, 1e-6)
        return int(max(min(by_time, BYTES / self.bytes, MOST), 1))

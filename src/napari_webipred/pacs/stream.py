"""Work that waits for a server, in a thread of its own: whoever wants its results can stop at any moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item")
Work: TypeAlias = Callable[[Callable[[Item], None]], None]

WAKE = 0.2  # seconds; somebody who cancels waits no longer than this
AHEAD = 4  # items that are held until somebody takes them


class _Belt(Generic[Item]):
    """What one thread hands to another, a few items at a time."""

    def __init__(self) -> None:
        self.items: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(AHEAD)
        self.stopped = threading.Event()

    def put(self, is_last: bool, item: Item | BaseException | None) -> None:
        """Wait for a place; drop the item if nobody wants it any more."""
        while not self.stopped.is_set():
            try:
                self.items.put((is_last, item), timeout=WAKE)
                return
            except queue.Full:
                continue

    def run(self, work: Work[Item]) -> None:
        """Do the work, of which the last thing that is handed on is what it raised, or None."""
        try:
            work(lambda item: self.put(False, item))
        except BaseException as error:
            self.put(True, error)
        else:
            self.put(True, None)


def streamed(work: Work[Item], end: Callable[[], None]) -> Generator[Item | None, None, None]:
    """Yield items that another thread makes, and None whenever nothing has come for a moment.

    Parameters
    ----------
    work : callable
        Called in the thread with a function that takes the items; it waits while many are held. What it raises is
        raised here.
    end : callable
        Ends what the thread waits for; called, without waiting for it, when the generator is closed before its end.
    """
    belt: _Belt[Item] = _Belt()
    threading.Thread(target=belt.run, args=(work,), name="archive", daemon=True).start()
    is_last = False
    try:
        while not is_last:
            try:
                is_last, item = belt.items.get(timeout=WAKE)
            except queue.Empty:
                yield None
                continue
            if isinstance(item, BaseException):
                raise item
            if not is_last:
                yield item
            del item  # a large one is not kept until the next comes
    finally:
        belt.stopped.set()
        if not is_last:
            threading.Thread(target=end, name="end of archive", daemon=True).start()


def awaited(work: Callable[[], Item], end: Callable[[], None]) -> Generator[None, None, Item]:
    """Do work in another thread, yield None while it lasts, and return what it returns."""
    result: list[Item] = []

    def do(take: Callable[[bool], None]) -> None:
        result.append(work())

    for _ in streamed(do, end):
        yield None
    return result[0]

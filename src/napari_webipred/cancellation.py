"""Ending computations that are under way, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from napari_webipred.errors import CancelledError


class Cancellation:
    """Ends every computation that is done under it, and lets no other begin.

    Several threads may use it at the same time.

    Examples
    --------
    >>> cancellation = Cancellation()
    >>> with cancellation.active():
    ...     pass  # what is computed here ends early if another thread calls cancellation.cancel()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End what is under way, as soon as it can be interrupted."""
        with self._lock:
            self._cancelled = True
            for end in self._ends:
                end()

    def check(self) -> None:
        """Raise an error if `cancel` was called.

        Raises
        ------
        CancelledError
        """
        if self._cancelled:
            raise CancelledError("The computation was cancelled.", "Start it again if you need its result.")

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put what this thread does within the block under this cancellation."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end`, which must return at once, if `cancel` is called before the block is left.

        Raises
        ------
        CancelledError
            `cancel` was called before.
        """
        with self._lock:
            self.check()
            self._ends.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def current() -> Cancellation:
    """Return the cancellation that this thread works under, or a new one."""
    return _current.get() or Cancellation()

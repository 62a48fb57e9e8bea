"""Memory accounting for running models: a run waits until there is enough memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from weakref import WeakKeyDictionary

from napari_webipred import limits
from napari_webipred.cancellation import Cancellation


class ModelMemory:
    """Counts the bytes of all open sessions and all active runs in this process."""

    def __init__(self) -> None:
        self._weights: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._runs = 0
        self._changed = Condition()

    def hold(self, session: object, weights: int) -> None:
        """Count the weights of a session as long as it exists."""
        with self._changed:
            self._weights[session] = weights

    def fits(self, weights: int, run: int) -> bool:
        """Tell whether another session with `weights` bytes would leave memory for two runs."""
        with self._changed:
            return sum(self._weights.values()) + weights + 2 * run <= limits.memory_budget()

    @contextmanager
    def running(self, size: int, cancellation: Cancellation) -> Iterator[None]:
        """Wait until there is enough memory for another run of `size` bytes; a single run may always start.

        Raises
        ------
        CancelledError
            The computation was cancelled while waiting.
        """

        def fits() -> bool:
            if cancellation.cancelled or not self._runs:
                return True
            return self._runs + size <= limits.memory_budget() - sum(self._weights.values())

        with cancellation.ending(self._wake), self._changed:
            self._changed.wait_for(fits)
            cancellation.check()
            self._runs += size
        try:
            yield
        finally:
            with self._changed:
                self._runs -= size
                self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


MEMORY = ModelMemory()

"""Threads that can be left behind: a program ends although they are in the middle of a computation."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

# On Windows, Ctrl-C reaches a program that waits only when it wakes up.
_WAKE = 0.2


class Workers(Generic[Result]):
    """A few threads that call functions, in the order in which they are given.

    `concurrent.futures.ThreadPoolExecutor` would keep the program from ending until the last call has returned, and
    nothing interrupts ONNX Runtime in the middle of an operation.

    Parameters
    ----------
    count : int
    name : str
        What the threads are called.
    """

    def __init__(self, count: int, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Result], Callable[..., Result], tuple[Any, ...]] | None]
        self._calls = queue.SimpleQueue()
        self._futures: list[Future[Result]] = []
        self._threads = [threading.Thread(target=self._work, name=f"{name}_{i}", daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Let a thread call a function, as soon as one is free."""
        future: Future[Result] = Future()
        self._futures = [each for each in self._futures if not each.done()]
        self._futures.append(future)
        self._calls.put((future, function, arguments))
        return future

    def close(self, patience: float) -> bool:
        """Call nothing more, and wait for the calls under way.

        Parameters
        ----------
        patience : float
            For how many seconds at most. Threads that take longer are left behind: they end with their call.

        Returns
        -------
        bool
            Whether all have ended.
        """
        for future in self._futures:
            future.cancel()
        for _ in self._threads:
            self._calls.put(None)
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)
            del call, future, function, arguments  # what was computed is not kept until the next call


def wait_for(future: Future[Result]) -> Result:
    """Return the result of a call, or raise its error; Ctrl-C interrupts the waiting on every system."""
    while True:
        try:
            return future.result(_WAKE)
        except CancelledError:
            raise
        except NotYet:
            if future.done():  # the function itself has raised it
                raise

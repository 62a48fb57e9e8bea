"""Requests that a thread makes to servers: how long they may wait, and how another thread cancels them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

from napari_webipred import limits
from napari_webipred.errors import CatalogueError, Remedy

if TYPE_CHECKING:
    import socket


class Cancelled(Exception):  # noqa: N818
    """The user does not want it any more."""


class TemporaryError(CatalogueError):
    """An error that may be gone after a while, such as a server that is too busy.

    Parameters
    ----------
    message, hint, *remedies
        See `WebIPredError`.
    wait : float, optional
        Seconds after which the server wants to be asked again, if it has said so.
    """

    def __init__(self, message: str, hint: str = "", *remedies: Remedy, wait: float | None = None) -> None:
        super().__init__(message, hint, *remedies)
        self.wait = wait


def sleep(cancelled: threading.Event, seconds: float) -> None:
    """Wait, or stop waiting when the request is cancelled. All waiting is done here."""
    cancelled.wait(seconds)


class RequestContext:
    """The requests of one thread. Inside a ``with`` statement it applies to all requests of that thread.

    Parameters
    ----------
    longest_wait : float
        Seconds to wait at most before a server is asked again.

    Attributes
    ----------
    waiting : str
        Why nothing happens at the moment; empty while something does.
    timed_out : bool
        True if a connection was ended because the server was too slow.
    """

    def __init__(self, longest_wait: float) -> None:
        self.waiting = ""
        self.timed_out = False
        self._longest_wait = longest_wait
        self._cancelled = threading.Event()
        self._lock = threading.Condition()
        self._socket: socket.socket | None = None
        self._deadline: float | None = None

    def __enter__(self) -> RequestContext:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self.release_connection()

    def cancel(self) -> None:
        """Cancel, also while waiting for a server that does not answer any more."""
        self._cancelled.set()
        with self._lock:
            self._disconnect()

    def watch(self, connection: socket.socket) -> None:
        """Remember the connection that is being made, to end it from outside or if the server is too slow.

        It is its double that is remembered: encryption replaces the socket itself.
        """
        self.release_connection()
        with self._lock:
            self._socket = watched = connection.dup()
            self.timed_out = False
        threading.Thread(target=self._guard, args=(watched,), name="slow server", daemon=True).start()
        if self._cancelled.is_set():
            self.cancel()

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """End the connection if the server takes too long in here."""
        self._set_deadline(time.monotonic() + limits.SLOW_SECONDS)
        try:
            yield
        finally:
            self._set_deadline(None)

    def _set_deadline(self, deadline: float | None) -> None:
        with self._lock:
            self._deadline = deadline
            self._lock.notify_all()

    def release_connection(self) -> None:
        """Close the connection: everything that was asked for has arrived."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
                self._lock.notify_all()

    def _guard(self, watched: socket.socket) -> None:
        """End a connection when its time limit is over; runs in a thread of its own."""
        with self._lock:
            while self._socket is watched:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.timed_out = True
                    self._disconnect()
                    return
                self._lock.wait(left)

    def _disconnect(self) -> None:
        with suppress(OSError):  # The connection has ended in the meantime.
            if self._socket is not None:
                import socket  # every command imports this module, and few use the network

                self._socket.shutdown(socket.SHUT_RDWR)

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` if `cancel` was called."""
        if self._cancelled.is_set():
            raise Cancelled

    def back_off(self, error: TemporaryError, tries: int) -> None:
        """Wait after so many tries have failed, twice as long each time or as long as the server asks.

        Raises
        ------
        TemporaryError
            It was tried often enough, or the server wants to be left alone for longer than `longest_wait`.
        Cancelled
            `cancel` was called.
        """
        self.raise_if_cancelled()
        seconds = 0.5 * 2 ** (tries - 1) if error.wait is None else error.wait
        if tries >= limits.DOWNLOAD_TRIES or seconds > self._longest_wait:
            raise error
        self.waiting = f"{error.message} Trying again."
        # Those who were turned away together shall not come back together.
        import random

        sleep(self._cancelled, seconds * random.uniform(1.0, 1.3))
        self.waiting = ""
        self.raise_if_cancelled()


_SEARCH_WAIT = 5.0  # for requests outside a `with` statement, such as a search: the user is waiting
_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext:
    """Return the request context of this thread."""
    context = _current.get()
    if context is None:
        context = RequestContext(_SEARCH_WAIT)
        _current.set(context)
    return context

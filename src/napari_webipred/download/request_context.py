"""An errand to servers that somebody waits for: it has patience, and can be called off from another thread."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType

from napari_webipred import limits
from napari_webipred.errors import CatalogueError, Remedy


class Cancelled(Exception):  # noqa: N818
    """The user does not want it any more."""


class PassingError(CatalogueError):
    """A trouble that may pass if one waits.

    Parameters
    ----------
    message, hint, remedy
        See `WebIPredError`.
    wait : float, optional
        Seconds after which the server wants to be asked again, if it has said so.
    """

    def __init__(
        self, message: str, hint: str = "", remedy: Remedy | None = None, *, wait: float | None = None
    ) -> None:
        super().__init__(message, hint, remedy)
        self.wait = wait


def sleep(cancelled: threading.Event, seconds: float) -> None:
    """Let time pass, or less of it if the errand is called off. All waiting is done here."""
    cancelled.wait(seconds)


class Errand:
    """What one thread is asking servers for. Used with ``with`` in that thread, it counts for all that is asked there.

    Parameters
    ----------
    patience : float
        Seconds that are waited at most before a server is asked again.

    Attributes
    ----------
    waiting : str
        Why nothing happens at the moment; empty while something does.
    late : bool
        True if a connection was ended because the server was too slow.
    """

    def __init__(self, patience: float) -> None:
        self.waiting = ""
        self.late = False
        self._patience = patience
        self._cancelled = threading.Event()
        self._lock = threading.Condition()
        self._socket: socket.socket | None = None
        self._deadline: float | None = None

    def __enter__(self) -> Errand:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self.let_go()

    def cancel(self) -> None:
        """Call the errand off, also while it waits for a server that has fallen silent."""
        self._cancelled.set()
        with self._lock:
            self._hang_up()

    def watch(self, connection: socket.socket) -> None:
        """Remember the connection that is being made, to end it from outside or if the server is too slow.

        It is its double that is remembered: encryption replaces the socket itself.
        """
        self.let_go()
        with self._lock:
            self._socket = watched = connection.dup()
            self.late = False
        threading.Thread(target=self._guard, args=(watched,), name="slow server", daemon=True).start()
        if self._cancelled.is_set():
            self.cancel()

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """End the connection if the server takes too long for what is asked of it here."""
        self._set_deadline(time.monotonic() + limits.SLOW_SECONDS)
        try:
            yield
        finally:
            self._set_deadline(None)

    def _set_deadline(self, deadline: float | None) -> None:
        with self._lock:
            self._deadline = deadline
            self._lock.notify_all()

    def let_go(self) -> None:
        """Forget the connection: all that was wanted of it is here."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
                self._lock.notify_all()

    def _guard(self, watched: socket.socket) -> None:
        """End a connection when its time is over; in a thread of its own."""
        with self._lock:
            while self._socket is watched:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.late = True
                    self._hang_up()
                    return
                self._lock.wait(left)

    def _hang_up(self) -> None:
        with suppress(OSError):  # The connection has ended in the meantime.
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def go_on(self) -> None:
        """Raise `Cancelled` if the errand has been called off."""
        if self._cancelled.is_set():
            raise Cancelled

    def bide(self, trouble: PassingError, tries: int) -> None:
        """Wait after so many tries have failed, twice as long each time or as long as the server asks.

        Raises
        ------
        PassingError
            It has been tried often enough, or the server wants more patience than there is.
        Cancelled
            The errand was called off.
        """
        self.go_on()
        seconds = 0.5 * 2 ** (tries - 1) if trouble.wait is None else trouble.wait
        if tries >= limits.DOWNLOAD_TRIES or seconds > self._patience:
            raise trouble
        self.waiting = f"{trouble.message} Trying again."
        # Those who were turned away together shall not come back together.
        sleep(self._cancelled, seconds * random.uniform(1.0, 1.3))
        self.waiting = ""
        self.go_on()


_PATIENCE = 5.0  # for what is not part of an errand, such as a search: the user looks on
_current: ContextVar[Errand | None] = ContextVar("errand", default=None)


def current() -> Errand:
    """Return the errand of this thread."""
    errand = _current.get()
    if errand is None:
        errand = Errand(_PATIENCE)
        _current.set(errand)
    return errand

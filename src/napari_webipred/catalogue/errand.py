"""An errand to servers that somebody waits for: it has patience, and can be called off from another thread."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType

from napari_webipred.errors import CatalogueError, Remedy

TRIES = 5
LONGEST_WAIT = 120.0  # seconds that a download waits if a server asks for it


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
    """

    def __init__(self, patience: float) -> None:
        self.waiting = ""
        self._patience = patience
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Errand:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self._let_go()

    def cancel(self) -> None:
        """Call the errand off, also while it waits for a server that has fallen silent."""
        self._cancelled.set()
        with self._lock, suppress(OSError):  # The connection has ended in the meantime.
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def watch(self, connection: socket.socket) -> None:
        """Remember the connection that is being made, to be able to end it from outside.

        It is its double that is remembered: encryption replaces the socket itself.
        """
        if _current.get() is not self:
            return
        self._let_go()
        with self._lock:
            self._socket = connection.dup()
        if self._cancelled.is_set():
            self.cancel()

    def _let_go(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

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
        if tries >= TRIES or seconds > self._patience:
            raise trouble
        self.waiting = f"{trouble.message} Trying again."
        # Those who were turned away together shall not come back together.
        sleep(self._cancelled, seconds * random.uniform(1.0, 1.3))
        self.waiting = ""
        self.go_on()


_ANYTHING = Errand(patience=5.0)  # what is not part of an errand, such as a search: the user looks on
_current: ContextVar[Errand | None] = ContextVar("errand", default=None)


def current() -> Errand:
    """Return the errand of this thread."""
    return _current.get() or _ANYTHING

"""Signals that end a run: they are raised as an exception, so that what is finished can be put in order first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C; the time limit of a cluster, or `kill`; a terminal that is closed, on POSIX and on Windows.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]

_held = False
_waiting: int | None = None


class Interrupted(KeyboardInterrupt):
    """The user, or the system, ends the run.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {'Ctrl-C' if name == 'SIGINT' else name}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that was ended by this signal."""
        return 128 + self.number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` within the block when a signal comes that ends the run.

    Signals that were ignored before, as under ``nohup``, stay ignored. Only the first one counts: a terminal that is
    closed often sends several, which must not end the work that the first one has begun; but a second Ctrl-C is
    obeyed, because somebody insists on it.
    """
    if threading.current_thread() is not threading.main_thread():  # only there signals are handled
        yield
        return
    heard = [number for number in _SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, _handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a signal wait until the block has ended, for what must be done wholly or not at all."""
    global _held, _waiting
    _held = True
    try:
        yield
    finally:
        _held = False
        number, _waiting = _waiting, None
    if number is not None:
        raise Interrupted(number)


def _handle(number: int, frame: FrameType | None) -> None:
    global _waiting
    for other in _SIGNALS:
        if signal.getsignal(other) is _handle:
            signal.signal(other, signal.default_int_handler if other == signal.SIGINT else signal.SIG_IGN)
    if _held:
        _waiting = number
    else:
        raise Interrupted(number)

"""Drops what native decoders print: it may hold values of a header, and no Python code can keep it back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TextIO

STANDARD_ERROR = 2


class _Silence:
    """The standard error of this process, which leads nowhere while anybody decodes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._kept = -1
        self._stream: TextIO | None = None  # what Python wrote to before
        self._around: TextIO | None = None  # what it writes to meanwhile; made once and never closed

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            with suppress(OSError):  # a program without a console has none
                self._kept = os.dup(STANDARD_ERROR)
                self._lead_python_around()
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, STANDARD_ERROR)
                os.close(nowhere)

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._kept < 0:
                return
            os.dup2(self._kept, STANDARD_ERROR)
            os.close(self._kept)
            self._kept = -1
            stream, around = self._stream, self._around
            if stream is not None and around is not None and sys.stderr is around:  # no other was put in its place
                around.flush()
                sys.stderr = stream
            self._stream = None

    def _lead_python_around(self) -> None:
        """Let Python write where it wrote, by a number of its own: a message to the user must not get lost meanwhile.

        A stream that somebody has put in its place, such as that of a notebook, is left alone. The one that is used
        meanwhile stays open: another thread may have kept it.
        """
        stream = sys.stderr
        try:
            is_plain = isinstance(stream, io.TextIOWrapper) and stream.fileno() == STANDARD_ERROR
        except (OSError, ValueError):  # it is no file
            return
        if not is_plain:
            return
        stream.flush()
        if self._around is None:
            self._around = os.fdopen(os.dup(STANDARD_ERROR), "w", 1, stream.encoding, stream.errors)
        else:
            os.dup2(STANDARD_ERROR, self._around.fileno(), inheritable=False)  # it may lead elsewhere than last time
        self._stream, sys.stderr = stream, self._around


_silence = _Silence()


@contextmanager
def native_silence() -> Iterator[None]:
    """Drop what native code writes to the standard error meanwhile; any number of threads may ask for it."""
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()

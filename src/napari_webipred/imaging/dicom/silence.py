"""Drops what native decoders print: it may hold values of a header, and no Python code can keep it back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

STANDARD_ERROR = 2


class _Silence:
    """The standard error of this process, which leads nowhere while anybody decodes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._kept = -1

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            with suppress(OSError):  # a program without a console has none
                self._kept = os.dup(STANDARD_ERROR)
                _lead_python_around()
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


def _lead_python_around() -> None:
    """Let Python write where it wrote, by a number of its own: a message to the user must not get lost meanwhile.

    It stays so. A stream that somebody has put in its place, such as that of a notebook, is left alone.
    """
    stream = sys.stderr
    try:
        is_plain = isinstance(stream, io.TextIOWrapper) and stream.fileno() == STANDARD_ERROR
    except (OSError, ValueError):  # it is no file
        return
    if is_plain:
        stream.flush()
        sys.stderr = os.fdopen(os.dup(STANDARD_ERROR), "w", 1, stream.encoding, stream.errors)


_silence = _Silence()


@contextmanager
def native_silence() -> Iterator[None]:
    """Drop what native code writes to the standard error meanwhile; any number of threads may ask for it."""
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()

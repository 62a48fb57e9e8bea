"""Keeps back what libraries log while an archive is used: addresses hold what was searched for, such as names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TALKATIVE = ("pynetdicom", "dicomweb_client", "urllib3", "requests", "pydicom", "keyring")
_lock = threading.Lock()
_users = 0


def _is_heard(record: logging.LogRecord) -> bool:
    return not _users


@contextmanager
def silence() -> Iterator[None]:
    """Drop what these libraries log meanwhile, in all threads: some of theirs are not ours."""
    global _users
    with _lock:
        _users += 1
        for name in [*logging.root.manager.loggerDict, *TALKATIVE]:
            if name.split(".")[0] in TALKATIVE:
                logging.getLogger(name).addFilter(_is_heard)  # which adds it once
    try:
        yield
    finally:
        with _lock:
            _users -= 1

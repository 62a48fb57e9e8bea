"""Networks are optimised for this processor when the program ends, so that they are opened faster the next time.

By then all results are out: nothing waits for it.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# How many networks are optimised at the end of a program; the turn of others comes the next time.
MOST = 4

_waiting: dict[Path, None] = {}
_lock = threading.Lock()
_process = os.getpid()


def later(graph: Path) -> None:
    """Optimise the network of a compiled graph when the program ends, if there is room for it."""
    with _lock:
        _waiting.pop(graph, None)
        _waiting[graph] = None
        while len(_waiting) > MOST:
            del _waiting[next(iter(_waiting))]


def forget() -> None:
    """Optimise nothing when the program ends: somebody wants it to end now."""
    with _lock:
        _waiting.clear()


@atexit.register
def optimise_all() -> None:
    """Optimise what waits for it; called when the program ends."""
    if os.getpid() != _process or not _waiting:  # a copy of the process has not opened these networks
        return
    from napari_webipred.optimiser import optimise

    try:
        while _waiting:
            graph = next(iter(_waiting))
            del _waiting[graph]
            optimise(graph)
    except KeyboardInterrupt:  # the user wants it to end now
        forget()

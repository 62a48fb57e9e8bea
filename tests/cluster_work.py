"""What the workers of a cluster do in tests, as functions that can be pickled."""

from __future__ import annotations

import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

begun, go_on = threading.Event(), threading.Event()
done: list[Any] = []


def nothing(predict: Any, item: Any) -> Any:
    return item


def until_told(predict: Any, item: Any) -> Any:
    """Wait until the test goes on."""
    begun.set()
    assert go_on.wait(60)
    done.append(item)
    return item


def first_last(predict: Any, item: int) -> int:
    """Give the first thing back after one that comes later."""
    if item == 0:
        assert go_on.wait(60)
    if item == 4:
        go_on.set()
    done.append(item)
    return item


def wrong(predict: Any, item: Any) -> Any:
    raise ArithmeticError("a mistake of ours")


def wrong_and_unsendable(predict: Any, item: Any) -> Any:
    class UnsendableError(Exception):
        lock = threading.Lock()

    raise UnsendableError("it holds a lock")


def deadly(predict: Any, item: int) -> int:
    """End the worker."""
    if item == 13:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return item


def as_if_all_died(task: Any) -> Any:
    from distributed import KilledWorker

    raise KilledWorker("a task", SimpleNamespace(address="a worker"), 3)

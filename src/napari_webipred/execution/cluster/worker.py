"""What a worker of a cluster does: it classifies some planes at a time, one after the other on one core."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any, TypeAlias

from msgspec import Struct

from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError
from napari_webipred.execution.cluster.network import Network, networks
from napari_webipred.imaging import windows
from napari_webipred.imaging.memory import allowing, image_memory
from napari_webipred.limits import image_budget

# Of the memory that Dask gives to a worker, images take no more; else Dask would end the worker.
SHARE_OF_WORKER = 1 / 4


class Packed(Struct, frozen=True):
    """Plain data as bytes, of which nothing is shown in logs."""

    content: bytes

    @classmethod
    def of(cls, value: Any) -> Packed:
        """Pack a value."""
        return cls(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))

    def opened(self) -> Any:
        """Unpack the value."""
        return pickle.loads(self.content)

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes>"


class Task(Struct, frozen=True):
    """Some planes to classify.

    Attributes
    ----------
    network : Network
    work : Packed
        A function of `napari_webipred.runtime.session.Session.predict` and a thing, such as a plane.
    things : Packed
        A list of them.
    memory : int, optional
        How many bytes all images together may take on a worker, if the user has said so.
    """

    network: Network
    work: Packed
    things: Packed
    memory: int | None


class Order(Struct, frozen=True):
    """A task for a worker with these versions. A worker that unpickles it does it: what comes out is the answer.

    So the worker of a cluster needs nothing but Python to take it: a worker that lacks this program says so. If Dask
    could not read a task, it would end the worker, and write the task with the names of files into its log.
    """

    versions: dict[str, str]
    task: Packed

    def __reduce__(self) -> tuple[Callable[..., Answer], tuple[Any, ...]]:
        return answer, (self.versions, self.task.content)

    def sealed(self) -> BytesIO:
        """Return what `pickle.load` takes; its text, which Dask may write into logs, shows nothing of it."""
        return BytesIO(pickle.dumps(self, pickle.HIGHEST_PROTOCOL))


class Done(Struct, frozen=True):
    """What has come of each thing, as a list, and how many seconds that took."""

    results: Packed
    seconds: float


class Absent(Struct, frozen=True):
    """The network is not on the computer of the worker with this address."""

    address: str


class Unlike(Struct, frozen=True):
    """The worker with this address has other versions of these programs."""

    address: str
    versions: dict[str, str]


class Failed(Struct, frozen=True):
    """Nothing has come of it. The error is sent like a result, because Dask would write more than it into logs."""

    error: Exception


Answer: TypeAlias = "Done | Absent | Unlike | Failed"


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    import numpy as np
    import onnxruntime

    import napari_webipred

    return {
        "napari-webipred": napari_webipred.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }


def answer(wanted: dict[str, str], packed: bytes) -> Answer:
    """Do a task on a worker, if its versions are those that are wanted. It raises nothing."""
    from distributed import get_worker

    worker = get_worker()
    mine = versions()
    if mine != wanted:
        return Unlike(worker.address, mine)
    try:
        task: Task = Packed(packed).opened()
        session = networks.session(task.network)
        if session is None:
            return Absent(worker.address)
        return _done(task, session.predict, _memory(task, worker), _wanted(worker))
    except Exception as error:
        return Failed(_sendable(error))


def receive(network: Network, start: int, piece: bytes, size: int) -> bool:
    """Take a piece of a copy of a network; see `napari_webipred.execution.cluster.network.Networks.receive`."""
    return networks.receive(network, start, piece, size)


def _done(task: Task, predict: Callable[..., Any], memory: int, wanted: Callable[[], bool]) -> Answer:
    begin = time.perf_counter()
    work, results = _unpacked(task.work), []
    with files, Cancellation().active(), allowing(memory):
        for thing in task.things.opened():
            if not wanted():
                return Failed(CancelledError("Nobody waits for the results any more."))
            results.append(work(predict, thing))
    return Done(Packed.of(results), time.perf_counter() - begin)


def _sendable(error: Exception) -> Exception:
    """Return an error, or what it says if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever it is made of
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@lru_cache(maxsize=4)
def _unpacked(work: Packed) -> Callable[[Callable[..., Any], Any], Any]:
    """Return the function that all tasks of a run have in common."""
    function: Callable[[Callable[..., Any], Any], Any] = work.opened()
    return function


class Files:
    """What is kept of files, until no task of this process needs it any more: open files, and blocks of pixels."""

    def __init__(self) -> None:
        self._tasks = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._tasks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._tasks -= 1
            if not self._tasks:
                image_memory.forget()
                windows.forget()


files = Files()  # of this process


def _memory(task: Task, worker: Any) -> int:
    """Return how many bytes all images together may take: what the user has said, or a share of what there is."""
    if task.memory is not None:
        return task.memory
    limit = worker.memory_manager.memory_limit
    return min(image_budget(), int(limit * SHARE_OF_WORKER)) if limit else image_budget()


def _wanted(worker: Any) -> Callable[[], bool]:
    """Return what tells whether the task that this thread does was not cancelled; Dask itself lets it go on."""
    key = worker.get_current_task()

    def wanted() -> bool:
        state = worker.state.tasks.get(key)
        return state is not None and state.state not in ("cancelled", "released")

    return wanted

"""A run on a cluster: what is under way there, and what is done when a worker lacks the network, or dies."""

from __future__ import annotations

import logging
import math
import pickle
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from napari_webipred.errors import CancelledError, ModelError, OptionError
from napari_webipred.execution.cluster.batch import Batch, Pace
from napari_webipred.execution.cluster.network import content_of, network_of, pieces
from napari_webipred.execution.cluster.worker import (
    Absent,
    Done,
    Failed,
    Order,
    Packed,
    Task,
    Unlike,
    receive,
    versions,
)

if TYPE_CHECKING:
    from napari_webipred.cancellation import Cancellation
    from napari_webipred.model import Model

BATCHES_PER_THREAD = 3  # that are under way: one is computed, one is on the worker already, one is on its way
BYTES_UNDER_WAY = 256 * 2**20  # of pixels, where these travel
TRIES = 20  # of a batch that comes back undone; each time to a worker that lacks the network, or is ending
WAKE = 0.2  # seconds after which somebody who waits looks whether the run was cancelled
COUNT_AGAIN = 2.0  # seconds after which the workers are counted again

Item = TypeVar("Item")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Run(Generic[Item, Result]):
    """What is under way; see `napari_webipred.execution.cluster.executor.Cluster.each` for the parameters."""

    def __init__(  # noqa: PLR0917
        self,
        client: Any,
        model: Model,
        work: Callable[..., Result],
        memory: int | str | None,
        sent: Callable[[Sequence[Item]], list[Any]],
        lost: Callable[[Item], Result],
        cancellation: Cancellation,
    ) -> None:
        self._client = client
        self._model = model
        self._network = network_of(model)
        self._versions = versions()
        self._work = Packed.of(work)
        self._memory = None if memory is None else int(memory)
        self._sent, self._lost = sent, lost
        self._cancellation = cancellation
        self._pace = Pace()
        self._id = uuid4().hex
        self._under_way: set[Batch[Item, Result]] = set()
        self._ended: queue.SimpleQueue[tuple[Batch[Item, Result], Any]] = queue.SimpleQueue()
        self._suspects: list[Batch[Item, Result]] = []
        self._delivered = False
        self._numbers = 0
        self._threads, self._counted, self._warned = 0, -math.inf, False

    def size(self, left: int) -> int:
        """Return how many things the next batch has, if so many are left: such that all workers get some."""
        return min(self._pace.size, max(left // (2 * self._cores()), 1)) if left > 0 else self._pace.size

    def is_full(self, waiting: int) -> bool:
        """Tell whether enough is under way, or waits for its turn."""
        heavy = sum(batch.bytes for batch in self._under_way) > BYTES_UNDER_WAY
        return waiting > BATCHES_PER_THREAD * self._cores() or (heavy and waiting > 1)

    def _cores(self) -> int:
        """Count the threads of all workers; where there are none yet, as if there were one."""
        if time.monotonic() - self._counted > COUNT_AGAIN:
            with _connected():
                self._threads = sum(self._client.nthreads().values())
            self._counted = time.monotonic()
        return max(self._threads, 1)

    def submit(self, items: list[Item], *, alone: bool = False) -> Batch[Item, Result]:
        """Send things to a worker."""
        batch: Batch[Item, Result] = Batch(items, alone)
        self._send(batch)
        return batch

    def _send(self, batch: Batch[Item, Result]) -> None:
        import dask

        things = Packed.of(self._sent(batch.items))
        batch.bytes = len(things.content)
        self._pace.bytes = batch.bytes / len(batch.items)
        order = Order(self._versions, Packed.of(Task(self._network, self._work, things, self._memory)))
        self._numbers += 1
        # Dask warns of tasks with more than 10 MB, such as a large image; here there are only a few at a time.
        with _connected(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
            future = self._client.submit(
                pickle.load,
                order.sealed(),
                key=f"napari-webipred-{self._id}-{self._numbers}",
                pure=False,
                priority=batch.tries,
            )
        batch.future = future
        self._under_way.add(batch)
        future.add_done_callback(lambda ended: self._ended.put((batch, ended)))

    def results(self, batch: Batch[Item, Result]) -> list[Result]:
        """Wait for what comes of a batch, and look after all others meanwhile."""
        while batch.results is None:
            self._take_next()
            if self._suspects:
                self._try_alone()
        return batch.results

    def _take_next(self) -> None:
        """Wait for whatever ends next."""
        while True:
            self._cancellation.check()
            try:
                batch, future = self._ended.get(timeout=WAKE)
                break
            except queue.Empty:
                self._look()
        if future is batch.future:  # else it was sent again
            self._under_way.discard(batch)
            batch.future = None
            self._take(batch, future)

    def _look(self) -> None:
        """See whether there is still a cluster, with workers."""
        if self._client.status not in ("running", "connecting", "newly-created"):
            raise _lost_cluster()
        self._cores()
        if self._threads:
            self._warned = False
        elif not self._warned:
            self._warned = True
            _log.warning("The cluster has no workers. The run waits until there are some.")

    def _take(self, batch: Batch[Item, Result], future: Any) -> None:
        found = self._answer_of(future)
        if found is None:
            if batch.alone:
                batch.results = [self._lost(item) for item in batch.items]
            else:
                self._suspects.append(batch)
        elif isinstance(found, Done):
            self._pace.note(found.seconds, len(batch.items))
            batch.results = found.results.opened()
        elif isinstance(found, Unlike):
            raise _unlike(found, self._versions)
        elif isinstance(found, Absent):
            if not self._delivered or batch.tries:  # else another worker may have stored it in a cache that they share
                self._deliver(found.address)
            self._again(batch)
        elif isinstance(found.error, CancelledError):  # lost with a worker, or Dask wanted it elsewhere
            self._again(batch)
        else:
            raise found.error

    def _answer_of(self, future: Any) -> Done | Absent | Unlike | Failed | None:
        """Return what a worker has answered; None if each worker that had this task has died."""
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise _lost_cluster()
        if future.status == "lost":  # the worker died after it had computed the result
            return Failed(CancelledError("The result is lost."))
        try:
            with _connected():
                found: Done | Absent | Unlike | Failed = future.result()
                return found
        except KilledWorker:
            return None
        except OptionError:
            raise
        except Exception as error:  # of Dask: our own function raises nothing
            raise OptionError(
                f"The cluster cannot run napari-webipred: {' '.join(str(error).split())[:200]}.",
                "Install the same version of napari-webipred, with all it needs, for all workers.",
            ) from error

    def _again(self, batch: Batch[Item, Result]) -> None:
        batch.tries += 1
        if batch.tries > TRIES:
            raise ModelError(
                f"The workers of the cluster cannot keep the model {self._model.card.name}.",
                "Check that they have enough memory and run for longer than a few seconds.",
            )
        self._send(batch)

    def _deliver(self, address: str) -> None:
        """Send a copy of the network to a worker; one that has died meanwhile needs none."""
        content = content_of(self._model)
        for start, piece in pieces(content):
            self._cancellation.check()
            with _connected():
                answers = self._client.run(
                    receive, self._network, start, piece, len(content), workers=[address], on_error="return"
                )
            if answers.get(address) is not True:
                _log.info("The worker %s has not taken the model: %s", address, answers.get(address))
                return
        self._delivered = True

    def _try_alone(self) -> None:
        """Find out which of the things that were under way when workers died had caused it.

        When nothing else is under way, each is tried alone: only what ends workers then is to blame.
        """
        while self._under_way:
            self._take_next()
        suspects, self._suspects = self._suspects, []
        for batch in suspects:
            results: list[Result] = []
            for item in batch.items:
                one = self.submit([item], alone=True)
                while one.results is None:
                    self._take_next()
                results += one.results
            batch.results = results

    def end(self) -> None:
        """Cancel what is under way."""
        self._cancellation.cancel()
        futures = [batch.future for batch in self._under_way]
        self._under_way.clear()
        if futures and self._client.status == "running":
            with suppress(OSError):  # there is no cluster any more
                self._client.cancel(futures)


@contextmanager
def _connected() -> Iterator[None]:
    """Say in plain words that the cluster cannot be reached any more."""
    try:
        yield
    except OSError as error:
        raise _lost_cluster() from error


def _lost_cluster() -> OptionError:
    return OptionError(
        "The connection to the cluster is lost.", "Check that its scheduler runs, then start again where it stopped."
    )


def _unlike(found: Unlike, wanted: dict[str, str]) -> OptionError:
    differing = [name for name in wanted if found.versions.get(name) != wanted[name]]
    theirs = ", ".join(f"{name} {found.versions.get(name, 'missing')}" for name in differing)
    ours = ", ".join(f"{name} {wanted[name]}" for name in differing)
    return OptionError(
        f"The worker {found.address} has {theirs}, and this computer {ours}: it would give other numbers.",
        "Install the same versions for all workers and here.",
    )

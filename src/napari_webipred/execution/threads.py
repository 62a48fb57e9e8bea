"""Classifies planes in threads of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from napari_webipred import limits, settings
from napari_webipred.cancellation import Cancellation, current
from napari_webipred.execution.plane import Plane, classify_plane
from napari_webipred.limits import available_cores
from napari_webipred.workers import Workers, wait_for

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.results.row import Row

# From this many planes on, each core works on an image of its own: the cores then never wait for one another, which
# beats sharing every image among them, but needs a second session of the model.
IMAGES_FOR_ONE_CORE_EACH = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def classify_planes(model: Model, planes: Iterable[Plane], count: int, options: Options) -> Generator[Row, None, None]:
    """Classify planes, several at the same time; closing the generator cancels what is under way.

    Parameters
    ----------
    model : Model
    planes : iterable of Plane
    count : int
        How many they are.
    options : Options

    Yields
    ------
    Row
        In the order of the planes.

    Raises
    ------
    CancelledError
        The `napari_webipred.cancellation.Cancellation` that the calling thread works under was cancelled.
    ActivationError
        The model gives no probabilities.
    """
    card = model.card

    def work(threads: int) -> Callable[[Plane], Row]:
        session = model.session(threads)
        return lambda plane: classify_plane(plane, card, options, session.predict)

    yield from in_threads(work, planes, count, options)


def in_threads(
    work: Callable[[int], Callable[[Item], Result]], items: Iterable[Item], count: int, options: Options
) -> Generator[Result, None, None]:
    """Do the same with each of many things, with several at the same time; closing the generator cancels what is left.

    Parameters
    ----------
    work : callable
        Told on how many threads a network computes an image, it returns what is done with each thing.
    items : iterable
        They are taken in order, by the thread that goes through the results, and only a few ahead of them.
    count, options
        See `classify_planes`.

    Yields
    ------
    object
        What has come of each, in order.
    """
    cores = available_cores()
    workers = min(options.workers or settings.current().preferences.workers or cores, max(count, 1))
    worked = work(1 if workers > 1 and count >= IMAGES_FOR_ONE_CORE_EACH else cores)
    cancellation = Cancellation()

    def do(item: Item) -> Result:
        with cancellation.active():
            return worked(item)

    def next_result() -> Result:
        result = wait_for(waiting.popleft())
        cancellation.check()
        return result

    waiting: deque[Future[Result]] = deque()
    pool: Workers[Result] = Workers(workers, "napari-webipred")
    try:
        # Whoever cancels this thread's work means these threads, too.
        with current().ending(cancellation.cancel):
            for item in items:
                waiting.append(pool.submit(do, item))
                if len(waiting) > 2 * workers:
                    yield next_result()
            while waiting:
                yield next_result()
    finally:
        cancellation.cancel()
        pool.close(limits.PATIENCE)

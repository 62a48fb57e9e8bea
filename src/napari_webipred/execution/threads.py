"""Classifies planes in threads of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from napari_webipred import limits, settings
from napari_webipred.cancellation import Cancellation, current
from napari_webipred.execution.plane import Plane, Unfolded, classify_plane
from napari_webipred.execution.reading_ahead import ReadingAhead
from napari_webipred.hardware import USUAL
from napari_webipred.imaging.memory import allowing, image_memory
from napari_webipred.limits import available_cores
from napari_webipred.runtime.providers import chosen
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


def classify_planes(
    model: Model, planes: Iterable[Plane], count: int, options: Options
) -> Generator[Row | Unfolded, None, None]:
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
    Row or Unfolded
        In the order of the planes; the planes of a file that proves to be a stack come after it is told that it is one.

    Raises
    ------
    CancelledError
        The `napari_webipred.cancellation.Cancellation` that the calling thread works under was cancelled.
    ActivationError
        The model gives no probabilities.
    """
    card = model.card
    elsewhere = () if options.hardware == USUAL else (chosen(options.hardware),)

    def work(threads: int) -> Callable[[Plane], Row | Unfolded]:
        session = model.session(threads, *elsewhere)
        return lambda plane: classify_plane(plane, card, options, session.predict)

    with closing(ReadingAhead().following(planes)) as following:
        yield from in_threads(work, following, count, options, Unfolded.planes)


def cores_shared(count: int, options: Options) -> tuple[int, int]:
    """Return how many of these images are worked on at the same time, and on how many threads a network computes one.

    Parameters
    ----------
    count, options
        See `classify_planes`.
    """
    cores = available_cores()
    workers = min(options.workers or settings.preferred().workers or cores, max(count, 1))
    return workers, 1 if workers > 1 and count >= IMAGES_FOR_ONE_CORE_EACH else cores


def in_threads(
    work: Callable[[int], Callable[[Item], Result]],
    items: Iterable[Item],
    count: int,
    options: Options,
    unfolded: Callable[[Any], Iterable[Item]] | None = None,
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
    unfolded : callable, optional
        Returns the things that come next where the result of one is `Unfolded`.

    Yields
    ------
    object
        What has come of each, in order.
    """
    workers, threads = cores_shared(count, options)
    worked = work(threads)
    cancellation, budget, ahead = Cancellation(), options.budget, 2 * workers

    def do(item: Item) -> Result:
        with cancellation.active(), allowing(budget, ahead):
            return worked(item)

    def results(items: Iterable[Item]) -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(do, item))
            if len(waiting) > ahead:
                yield from next_of(waiting)
        while waiting:
            yield from next_of(waiting)

    def next_of(waiting: deque[Future[Result]]) -> Iterator[Result]:
        result = wait_for(waiting.popleft())
        cancellation.check()
        yield result
        if unfolded is not None and isinstance(result, Unfolded):  # what waits goes on waiting
            yield from results(unfolded(result))

    pool: Workers[Result] = Workers(workers, "napari-webipred")
    try:
        # Whoever cancels this thread's work means these threads, too.
        with current().ending(cancellation.cancel):
            yield from results(items)
    finally:
        cancellation.cancel()
        pool.close(limits.PATIENCE)
        image_memory.forget()  # blocks of lazy arrays whose planes are read

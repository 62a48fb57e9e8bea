"""Classifies planes in threads of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING

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
    cores = available_cores()
    workers = min(options.workers or settings.current().preferences.workers or cores, max(count, 1))
    session = model.session(1 if workers > 1 and count >= IMAGES_FOR_ONE_CORE_EACH else cores)
    card, cancellation = model.card, Cancellation()

    def classify(plane: Plane) -> Row:
        with cancellation.active():
            return classify_plane(plane, card, options, session.predict)

    def next_row() -> Row:
        row = wait_for(waiting.popleft())
        cancellation.check()
        return row

    waiting: deque[Future[Row]] = deque()
    pool: Workers[Row] = Workers(workers, "napari-webipred")
    try:
        # Whoever cancels this thread's work means these threads, too.
        with current().ending(cancellation.cancel):
            for plane in planes:
                waiting.append(pool.submit(classify, plane))
                if len(waiting) > 2 * workers:
                    yield next_row()
            while waiting:
                yield next_row()
    finally:
        cancellation.cancel()
        pool.close(limits.PATIENCE)

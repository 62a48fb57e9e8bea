"""Classifies planes on a cluster of Dask Distributed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.cancellation import Cancellation, current
from napari_webipred.errors import OptionError
from napari_webipred.execution.plane import Plane, Unfolded, classify_plane
from napari_webipred.hardware import USUAL
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard
    from napari_webipred.execution.cluster.batch import Batch
    from napari_webipred.model import Model
    from napari_webipred.options import Options

    Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]

KILLS = "The workers of the cluster that read the image ended unexpectedly, each of them."
KILLS_HINT = "It may need more memory than a worker has: see the logs of the workers."

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cluster(Struct, frozen=True):
    """An executor whose planes are classified by the workers of a cluster, which have one core for each thread.

    Parameters
    ----------
    client : distributed.Client
        Connected to it; it stays open.

    Raises
    ------
    OptionError
        This is no client, or an asynchronous one.
    """

    client: Any

    def __post_init__(self) -> None:
        if not (hasattr(self.client, "submit") and hasattr(self.client, "nthreads")):
            raise OptionError(
                f"A client of Dask Distributed is needed, not a {type(self.client).__name__}.",
                "Make one: distributed.Client(address).",
            )
        if self.client.asynchronous:
            raise OptionError(
                "The client of Dask Distributed is asynchronous.", "Make one without `asynchronous=True`."
            )

    def check(self, options: Options) -> None:
        """Refuse what is done on this computer only.

        Raises
        ------
        OptionError
        """
        if options.hardware != USUAL:
            raise OptionError(
                "On a cluster, models are computed in float32 on the processor only.",
                "Choose the precision float32 and the device cpu.",
            )
        if options.reference:
            raise OptionError(
                "Distances from reference images are measured on this computer only, not on a cluster.",
                "Do without them, or without the cluster.",
            )

    def __call__(
        self, model: Model, planes: Iterable[Plane], count: int, options: Options
    ) -> Generator[Row | Unfolded, None, None]:
        """Classify planes; see `napari_webipred.execution.Executor`.

        Planes of files travel as paths, others with their pixels.

        Raises
        ------
        OptionError
            The options ask for what is done on this computer only; or see `each`.
        ActivationError
            The model gives no probabilities.
        """
        self.check(options)
        work = partial(classified, model.card, options)
        yield from self.each(model, work, planes, count, options, moved, failed, Unfolded.planes)

    def each(  # noqa: PLR0917 - what is done with planes, said once
        self,
        model: Model,
        work: Callable[[Predict, Any], Result],
        items: Iterable[Item],
        count: int,
        options: Options,
        sent: Callable[[Sequence[Item]], list[Any]],
        lost: Callable[[Item], Result],
        unfolded: Callable[[Any], Iterable[Item]] | None = None,
    ) -> Generator[Result, None, None]:
        """Do the same with each of many things, on all workers; closing the generator cancels what is left.

        Parameters
        ----------
        model : Model
            Its network travels as a copy to workers in whose cache it is not.
        work : callable
            What a worker does with a thing: a function of `napari_webipred.runtime.session.Session.predict` and of what
            `sent` has made of the thing. It can be pickled.
        items : iterable
            They are taken in order, and only a few ahead of the results.
        count : int
            How many they are.
        options : Options
        sent : callable
            Makes of things what travels to a worker.
        lost : callable
            Returns what comes of a thing that ends every worker.
        unfolded : callable, optional
            Returns the things that come next where the result of one is `Unfolded`.

        Yields
        ------
        object
            What has come of each, in order.

        Raises
        ------
        OptionError
            A worker has another version of this program, ONNX Runtime or numpy, or the cluster is lost.
        ModelError
            A worker cannot open the network.
        CancelledError
            The `napari_webipred.cancellation.Cancellation` that the calling thread works under was cancelled.
        """
        from napari_webipred.execution.cluster.run import Run  # programs without a cluster start sooner

        cancellation = Cancellation()
        run: Run[Item, Result] = Run(self.client, model, work, options.memory, sent, lost, cancellation)

        def results(items: Iterator[Item], count: int) -> Iterator[Result]:
            waiting: deque[Batch[Item, Result]] = deque()
            taken = 0
            while batch := list(islice(items, run.size(count - taken))):
                taken += len(batch)
                waiting.append(run.submit(batch))
                while run.is_full(len(waiting)):
                    yield from next_of(waiting)
            while waiting:
                yield from next_of(waiting)

        def next_of(waiting: deque[Batch[Item, Result]]) -> Iterator[Result]:
            for result in run.results(waiting.popleft()):
                cancellation.check()
                yield result
                if unfolded is not None and isinstance(result, Unfolded):  # what waits goes on waiting
                    yield from results(iter(unfolded(result)), len(result.source))

        try:
            with current().ending(cancellation.cancel):
                yield from results(iter(items), count)
        finally:
            run.end()


def classified(card: ModelCard, options: Options, predict: Predict, plane: Plane) -> Row | Unfolded:
    """Classify a plane, on a worker."""
    return classify_plane(plane, card, options, predict)


def moved(planes: Sequence[Plane]) -> list[Plane]:
    """Describe planes so that a worker can read them."""
    from napari_webipred.imaging.transport import portable

    sources = portable((plane.source, plane.index) for plane in planes)
    return [replace(plane, source=source) for plane, source in zip(planes, sources, strict=True)]


def failed(plane: Plane) -> Row:
    """Return the row of a plane that ends every worker."""
    source, region = plane.source, plane.region
    return Row(
        plane.number,
        source.name,
        source.position(plane.index),
        region=region.name if region else "",
        reading=source.reading,
        error=f"{KILLS} {KILLS_HINT}",
    )

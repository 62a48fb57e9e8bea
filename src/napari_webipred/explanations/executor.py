"""Planes that are classified and explained in one pass of the network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from numpy.typing import NDArray

from napari_webipred.errors import CancelledError, OptionError, WebIPredError
from napari_webipred.execution.plane import classify_plane
from napari_webipred.execution.threads import in_threads
from napari_webipred.explanations.explaining import explainer_of
from napari_webipred.results.row import Row
from napari_webipred.runtime.graph import OUTPUT

if TYPE_CHECKING:
    import numpy as np

    from napari_webipred.execution import Executor
    from napari_webipred.execution.plane import Plane, Prepared
    from napari_webipred.explanations.explanation import Explanation
    from napari_webipred.explanations.request import Request
    from napari_webipred.model import Model
    from napari_webipred.options import Options

    Use = Callable[[Prepared, list[Explanation]], Any]


class ExplainedRow(Row, frozen=True, eq=False):
    """A row with what was made of the explanations of its plane.

    Attributes
    ----------
    made : object
        What was made of the explanations; None if there are none.
    unexplained : str
        Why there is none although the plane was classified.
    """

    made: Any = None
    unexplained: str = ""


def explaining(
    request: Request, use: Callable[[Plane], Use], progress: Callable[[int, int], None] = lambda done, total: None
) -> Executor:
    """Return an executor for `napari_webipred.engine.classify` whose rows are `ExplainedRow`.

    Parameters
    ----------
    request : Request
        What is explained of each plane.
    use : callable
        Told of each plane, in order, it returns what is done with its explanations, in the thread that has classified
        it: a function of what the model saw and the explanations. What that returns comes with the row.
    progress : callable
        Told by these threads how many parts of an occlusion are done, of how many.

    Raises
    ------
    OptionError
        From the generator: there is no such class, the method does not fit the network, or `use` has raised it.
    """

    def executor(
        model: Model, planes: Iterable[Plane], count: int, options: Options
    ) -> Generator[ExplainedRow, None, None]:
        request.check_classes(model.card)

        def work(threads: int) -> Callable[[tuple[Plane, Use]], ExplainedRow]:
            explainer = explainer_of(model, threads)
            session, card = explainer.open(model, threads), model.card

            def explained(item: tuple[Plane, Use]) -> ExplainedRow:
                plane, used = item
                seen: list[Prepared] = []
                outputs: dict[str, NDArray[np.float32]] = {}

                def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
                    found = session.predict(batch, session.outputs)
                    outputs.update({name: array[:1] for name, array in found.items()})  # the first view is the image
                    return found[OUTPUT]

                row = classify_plane(plane, card, options, predict, seen.append)
                assert isinstance(row, Row)  # all files are described before
                if row.failed:
                    return _with(row)
                try:
                    found = explainer.explained(plane, seen[0], session, outputs, request, progress)
                    return _with(row, made=used(seen[0], found))
                except (OptionError, CancelledError):  # what is wrong for all planes
                    raise
                except WebIPredError as error:
                    return _with(row, unexplained=str(error))
                except MemoryError:
                    return _with(row, unexplained="There is not enough memory to explain the image.")

            return explained

        yield from in_threads(work, ((plane, use(plane)) for plane in planes), count, options)

    return executor


def _with(row: Row, made: Any = None, unexplained: str = "") -> ExplainedRow:
    return ExplainedRow(**asdict(row), made=made, unexplained=unexplained)

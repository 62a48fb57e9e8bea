"""The features of planes, computed in threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

from napari_webipred.errors import CancelledError, WebIPredError
from napari_webipred.execution.plane import Plane, prepared_plane
from napari_webipred.execution.threads import in_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.model import Model
    from napari_webipred.options import Options


def features_of_planes(
    model: Model, planes: Iterable[Plane], count: int, options: Options
) -> Generator[NDArray[np.float32] | str, None, None]:
    """Compute the features of planes, several at the same time; closing the generator cancels what is under way.

    Parameters
    ----------
    model : Model
    planes : iterable of Plane
    count : int
        How many they are.
    options : Options

    Yields
    ------
    ndarray of float32, shape (channels,), or str
        Of each plane in order what `Model.features` gives, or why it cannot be read.

    Raises
    ------
    ModelError
        The network has no features.
    """
    yield from in_threads(lambda threads: _features_of(model, options, threads), planes, count, options)


def _features_of(model: Model, options: Options, threads: int) -> Callable[[Plane], NDArray[np.float32] | str]:
    """Return what computes the features of a plane, or says why there are none."""

    def features(plane: Plane) -> NDArray[np.float32] | str:
        try:
            tensor = prepared_plane(plane, model.card, options).tensor
        except CancelledError:
            raise
        except WebIPredError as error:
            return f"{plane.source.name}: {error}"
        except Exception as error:  # arrays may compute themselves when read, and fail in any way
            return f"{plane.source.name}: {type(error).__name__}: {error}"
        found: NDArray[np.float32] = model.features(tensor[None], threads)[0]
        return found

    return features

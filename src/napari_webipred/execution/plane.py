"""The way of one plane: it is read, prepared, predicted, and its classes are assigned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_webipred.cancellation import current
from napari_webipred.errors import ActivationError, ImageError, WebIPredError
from napari_webipred.imaging.memory import ImageMemory
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.imaging.readers import memory_needed, read
from napari_webipred.imaging.remarks import remark_on
from napari_webipred.imaging.source import Index, Source
from napari_webipred.options import Options
from napari_webipred.results.probabilities import assigned, class_probabilities
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard

_image_memory = ImageMemory()  # of all runs in this process


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane to classify.

    Attributes
    ----------
    number : int
        Which of the given images it belongs to, counted from 0.
    source : Source
    index : tuple of int
        Where it lies along the axes of the source.
    """

    number: int
    source: Source
    index: Index


def planes_of(sources: Iterable[Source]) -> Iterator[Plane]:
    """Yield the planes of all sources, in order."""
    for number, source in enumerate(sources):
        for index in source.indices():
            yield Plane(number, source, index)


def classify_plane(
    plane: Plane,
    card: ModelCard,
    options: Options,
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Row:
    """Classify one plane.

    Parameters
    ----------
    plane : Plane
    card : ModelCard
        It says how large the model's input is and how images are prepared for it.
    options : Options
    predict : callable
        Takes a batch of prepared images and returns the model's numbers for each, as
        `napari_webipred.runtime.session.Session.predict`.

    Returns
    -------
    Row
        With an error if the plane could not be read, prepared or predicted.

    Raises
    ------
    ActivationError
        The model gives no probabilities, so no other row could be trusted either.
    """
    source = plane.source
    position = source.position(plane.index)
    try:
        prepared, intensity_range, remark = _prepared(plane, card, options)
        probabilities = class_probabilities(predict(prepared[None])[0], card)
        classes = assigned(probabilities, card, options.threshold)
        prediction = "; ".join(card.classes[index].name for index in classes)
    except ActivationError:
        raise
    except WebIPredError as error:
        return Row(plane.number, source.name, position, error=str(error))
    except MemoryError:
        return Row(plane.number, source.name, position, error="The image does not fit into memory.")
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        said = ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")
        return Row(plane.number, source.name, position, error=str(said))
    return Row(
        plane.number,
        source.name,
        position,
        probabilities,
        prediction,
        classes,
        intensity_range=intensity_range,
        remark=remark,
    )


def _prepared(plane: Plane, card: ModelCard, options: Options) -> tuple[NDArray[np.float32], tuple[float, float], str]:
    """Read a plane, when there is memory for it, and make the model's input of it; also say what to remark."""
    preprocessing = card.preprocessing_under(options.profile)
    assert card.input is not None
    assert preprocessing is not None
    own_range = plane.source.intensity_range if options.intensity == "auto" else None
    with _image_memory.reserved(memory_needed(plane.source, plane.index)):
        current().check()  # it may have waited for long
        pixels = read(plane.source, plane.index)
        prepared, used_range = prepare(pixels, card.input, preprocessing, own_range or options.intensity)
        return prepared, used_range, remark_on(pixels, card.input.height, card.input.width, used_range)

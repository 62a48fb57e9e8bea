"""The way of one plane: it is read, prepared, predicted, and its classes are assigned."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.cancellation import current
from napari_webipred.errors import ActivationError, CancelledError, ImageError, WebIPredError
from napari_webipred.execution.prepared import Prepared as Prepared
from napari_webipred.execution.views import views_of
from napari_webipred.imaging.intensity import OF_THE_SOURCE, UNIT, Intensity, extent, intensity_range, range_between
from napari_webipred.imaging.memory import ImageMemory
from napari_webipred.imaging.preprocess import prepare, without_alpha
from napari_webipred.imaging.readers import memory_needed, read
from napari_webipred.imaging.region import Region, blanked, cut
from napari_webipred.imaging.remarks import remark_on
from napari_webipred.imaging.source import Index, Source
from napari_webipred.options import Options
from napari_webipred.results.probabilities import assigned, class_probabilities
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard

image_memory = ImageMemory()  # of all runs in this process
_latest = threading.local()  # the plane with regions that this thread has read last


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane to classify, or one region of it.

    Attributes
    ----------
    number : int
        Which of the given images it belongs to, counted from 0.
    source : Source
    index : tuple of int
        Where it lies along the axes of the source.
    region : Region, optional
        The part of it that counts.
    """

    number: int
    source: Source
    index: Index
    region: Region | None = None


def planes_of(sources: Iterable[Source], intensity: Intensity = "auto") -> Iterator[Plane]:
    """Yield the planes of all sources, in order; see `ranged` for what the intensity has to do with it."""
    for number, source in enumerate(sources):
        known = ranged(source) if intensity == "stack" else source
        for index, region in source.parts():
            yield Plane(number, known, index, region)


def ranged(source: Source) -> Source:
    """Give a source the range from the smallest to the largest value of its whole stack; all planes are read for it.

    A plane that cannot be read does not count; its row will say why.

    Raises
    ------
    CancelledError
        The `napari_webipred.cancellation.Cancellation` that the thread works under was cancelled.
    """
    if source.scaled:
        return source
    low, high = math.inf, -math.inf
    for index in replace(source, planes=None).indices():
        current().check()
        try:
            with image_memory.reserved(memory_needed(source, index)):
                black, white = extent(without_alpha(read(source, index)))
        except CancelledError:
            raise
        except Exception:  # arrays may compute themselves when read, and fail in any way
            continue
        low, high = min(low, black), max(high, white)
    return replace(source, intensity_range=range_between(low, high)) if low <= high else source


def classify_plane(
    plane: Plane,
    card: ModelCard,
    options: Options,
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    seen: Callable[[Prepared], None] = lambda prepared: None,
) -> Row:
    """Classify one plane.

    Parameters
    ----------
    plane : Plane
    card : ModelCard
        It says how large the model's input is and how images are prepared for it.
    options : Options
    predict : callable
        Takes a batch of prepared images, the views of one, and returns the model's numbers for each, as
        `napari_webipred.runtime.session.Session.predict`.
    seen : callable
        Told what the model is going to see.

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
    row = Row(
        plane.number,
        source.name,
        source.position(plane.index),
        region=plane.region.name if plane.region else "",
        reading=source.reading,
    )
    try:
        prepared = prepared_plane(plane, card, options)
        seen(prepared)
        of_views = [class_probabilities(numbers, card) for numbers in predict(views_of(prepared, options.views))]
        probabilities, deviations = _mean(of_views) if options.views else (of_views[0], None)
        classes = assigned(probabilities, card, options.threshold)
    except ActivationError:
        raise
    except WebIPredError as error:
        return replace(row, error=str(error))
    except MemoryError:
        return replace(row, error="The image does not fit into memory.")
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        return replace(row, error=str(ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")))
    return replace(
        row,
        probabilities=probabilities,
        prediction="; ".join(card.classes[index].name for index in classes),
        assigned=classes,
        intensity_range=prepared.intensity_range,
        remark=prepared.remark,
        measures=deviations,
    )


def _mean(probabilities: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean and the standard deviation of each class; the views are all that there are, not a sample."""
    together = np.stack(probabilities).astype(np.float64)
    return together.mean(axis=0).astype(np.float32), together.std(axis=0).astype(np.float32)


def prepared_plane(plane: Plane, card: ModelCard, options: Options) -> Prepared:
    """Read a plane, when there is memory for it, and make the model's input of it.

    Parameters
    ----------
    plane : Plane
        Of a source that has gone through `ranged` if the intensity is ``"stack"``.
    card : ModelCard
        With input and preprocessing.
    options : Options

    Raises
    ------
    ImageError
        The plane cannot be read or prepared.
    Exception
        Whatever an array raises that computes its planes when they are read.
    """
    target, preprocessing = card.input, card.preprocessing_under(options.profile)
    assert target is not None
    assert preprocessing is not None
    with image_memory.reserved(memory_needed(plane.source, plane.index)):
        current().check()  # it may have waited for long
        pixels, intensity = _region_of(plane, intensity_of(plane.source, options.intensity))
        tensor, used = prepare(pixels, target, preprocessing, intensity)
        remark = remark_on(pixels, target.height, target.width, used)
        return Prepared(tensor, used, remark, pixels, target, preprocessing)


def intensity_of(source: Source, asked: Intensity) -> Intensity:
    """Return what decides on black and white of a source: its own range counts where none is asked for."""
    if source.scaled:
        return UNIT
    if source.intensity_range is not None and asked in ("auto", *OF_THE_SOURCE):
        return source.intensity_range
    if asked == "limits":
        raise ImageError("The image has no contrast limits.", "Choose another intensity range, such as auto.")
    return "plane" if asked == "stack" else asked  # its planes could not be read, as this one will say


def _region_of(plane: Plane, intensity: Intensity) -> tuple[NDArray[Any], Intensity]:
    """Read a plane and cut its region; black and white are those of the whole plane, alike for all regions."""
    if plane.region is None:
        return read(plane.source, plane.index), intensity
    pixels = _read_once(plane.source, plane.index)
    if isinstance(intensity, str):
        intensity = intensity_range(without_alpha(pixels), intensity)
    part, inside = cut(pixels, plane.region)
    return (part if inside is None else blanked(part, inside, intensity[0])), intensity


def _read_once(source: Source, index: Index) -> NDArray[Any]:
    """Read a plane, or take it again if this thread has read it just before: its regions come one after the other."""
    if getattr(_latest, "plane", None) is None or _latest.plane[:2] != (source, index):
        _latest.plane = None  # so that there are not two in memory
        _latest.plane = (source, index, read(source, index))
    pixels: NDArray[Any] = _latest.plane[2]
    return pixels

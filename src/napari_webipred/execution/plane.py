"""The way of one plane: it is read, prepared, predicted, and its classes are assigned."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.cancellation import current
from napari_webipred.errors import ActivationError, CancelledError, ImageError
from napari_webipred.execution.prepared import Prepared as Prepared
from napari_webipred.execution.views import views_of
from napari_webipred.imaging.display import displayed
from napari_webipred.imaging.expectation import unlike
from napari_webipred.imaging.handle import one_opening
from napari_webipred.imaging.header import Header
from napari_webipred.imaging.intensity import (
    EIGHT_BIT,
    OF_THE_SOURCE,
    UNIT,
    Intensity,
    extent,
    intensity_range,
    range_between,
)
from napari_webipred.imaging.memory import image_memory
from napari_webipred.imaging.preprocess import prepare, without_alpha
from napari_webipred.imaging.readers import header_of, memory_needed, read
from napari_webipred.imaging.region import Region, blanked, cut
from napari_webipred.imaging.remarks import remark_on, remarks_on_header
from napari_webipred.imaging.source import Index, Source
from napari_webipred.imaging.unopened import UNOPENED, opened
from napari_webipred.imaging.unreadable import reason
from napari_webipred.options import Options
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import assigned, class_probabilities
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard

_latest = threading.local()  # the plane with regions that this thread has read last


class Plane(Struct, frozen=True):
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


class Unfolded(Struct, frozen=True):
    """A file that nobody had looked into and that is a stack: its planes take its place."""

    number: int
    source: Source

    def planes(self) -> Iterator[Plane]:
        """Yield them."""
        yield from (Plane(self.number, self.source, index, region) for index, region in self.source.parts())


class _Pixels(Struct, frozen=True):
    """The pixels of a plane, and what makes black and white of them.

    Attributes
    ----------
    values : ndarray
    intensity : Intensity
        Of these values.
    used : tuple of float, optional
        The intensities that the file has for black and white, where the values are levels of a display already.
    words : str
        How it is displayed.
    """

    values: NDArray[Any]
    intensity: Intensity
    used: tuple[float, float] | None = None
    words: str = ""


def planes_of(sources: Iterable[Source], intensity: Intensity = "auto") -> Iterator[Plane]:
    """Yield the planes of all sources, in order; see `ranged` for what the intensity has to do with it.

    A file that nobody has looked into passes for one plane.
    """
    for number, source in enumerate(sources):
        if source.reader == UNOPENED:
            yield Plane(number, source, ())
            continue
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
                black, white = extent(_of_image(read(source, index), header_of(source, index)))
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
) -> Row | Unfolded:
    """Classify one plane, or the only plane of a file that nobody has looked into.

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
    Unfolded
        If the file is a stack; nothing is classified then.

    Raises
    ------
    ActivationError
        The model gives no probabilities, so no other row could be trusted either.
    """
    if plane.source.reader != UNOPENED:
        return _classified(plane, card, options, predict, seen)
    with one_opening():
        begin = time.perf_counter()
        source = opened(plane.source)
        described = time.perf_counter() - begin
        source = ranged(source) if options.intensity == "stack" else source
        if source.axes or len(source) != 1:
            return Unfolded(plane.number, source)
        row = _classified(replace(plane, source=source), card, options, predict, seen)
    if not row.seconds:
        return row
    reading, *others = row.seconds
    return replace(row, seconds=(described + reading, *others))


def _classified(
    plane: Plane,
    card: ModelCard,
    options: Options,
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    seen: Callable[[Prepared], None],
) -> Row:
    source = plane.source
    row = Row(
        plane.number,
        source.name,
        source.position(plane.index),
        region=plane.region.name if plane.region else "",
        reading=source.reading,
        identity=_identity(source, plane.index) if options.identify else (),
    )
    try:
        prepared = prepared_plane(plane, card, options)
        seen(prepared)
        begin = time.perf_counter()
        of_views = [class_probabilities(numbers, card) for numbers in predict(views_of(prepared, options.views))]
        seconds = (*prepared.seconds, time.perf_counter() - begin)
        probabilities, deviations = _mean(of_views) if options.views else (of_views[0], None)
        classes = assigned(probabilities, card, options.threshold)
    except ActivationError:
        raise
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        return replace(row, error=str(reason(error)))
    return replace(
        row,
        probabilities=probabilities,
        prediction=as_cell(card.classes[index].name for index in classes),
        assigned=classes,
        intensity_range=prepared.intensity_range,
        remark=prepared.remark,
        reading=prepared.reading,
        measures=deviations,
        seconds=seconds,
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
        begin = time.perf_counter()
        shown = _region_of(plane, options.intensity)
        is_read = time.perf_counter()
        tensor, used = prepare(shown.values, target, preprocessing, shown.intensity)
        header = header_of(plane.source, plane.index)
        remark = remark_on(shown.values, target.height, target.width, used)
        differing = unlike(shown.values, used, target, preprocessing, card.expected_images)
        return Prepared(
            tensor,
            shown.used or used,
            _joined(remark, *differing, *remarks_on_header(header, card), between=" "),
            _joined(plane.source.reading, shown.words, header.decoding if header else ""),
            shown.values,
            used,
            target,
            preprocessing,
            (is_read - begin, time.perf_counter() - is_read),
        )


def shown_pixels(plane: Plane, asked: Intensity) -> tuple[NDArray[Any], tuple[float, float]]:
    """Return the pixels of a plane or region as a model gets them, and the values that become black and white.

    Parameters
    ----------
    plane : Plane
        Of a source that has gone through `ranged` if the intensity is ``"stack"``.
    asked : Intensity

    Raises
    ------
    ImageError
        The plane cannot be read.
    """
    with image_memory.reserved(memory_needed(plane.source, plane.index)):
        shown = _region_of(plane, asked)
        if isinstance(shown.intensity, str):
            return shown.values, intensity_range(without_alpha(shown.values), shown.intensity)
        return shown.values, shown.intensity


def intensity_of(source: Source, asked: Intensity) -> Intensity:
    """Return what decides on black and white of a source: its own range counts where none is asked for."""
    if source.scaled:
        return UNIT
    if source.intensity_range is not None and asked in ("auto", *OF_THE_SOURCE):
        return source.intensity_range
    if asked == "limits":
        raise ImageError("The image has no contrast limits.", "Choose another intensity range, such as auto.")
    return "plane" if asked == "stack" else asked  # its planes could not be read, as this one will say


def _region_of(plane: Plane, asked: Intensity) -> _Pixels:
    """Read a plane and cut its region; black and white are those of the whole plane, alike for all regions."""
    if plane.region is None:
        return _pixels_of(plane.source, plane.index, asked)
    whole = _read_once(plane.source, plane.index, asked)
    intensity = whole.intensity
    if isinstance(intensity, str):
        intensity = intensity_range(without_alpha(whole.values), intensity)
    part, inside = cut(whole.values, plane.region)
    values = part if inside is None else blanked(part, inside, intensity[0])
    return replace(whole, values=values, intensity=intensity)


def _read_once(source: Source, index: Index, asked: Intensity) -> _Pixels:
    """Read a plane, or take it again if this thread has read it just before: its regions come one after the other."""
    if getattr(_latest, "plane", None) is None or _latest.plane[:3] != (source, index, asked):
        _latest.plane = None  # so that there are not two in memory
        _latest.plane = (source, index, asked, _pixels_of(source, index, asked))
    found: _Pixels = _latest.plane[3]
    return found


def _pixels_of(source: Source, index: Index, asked: Intensity) -> _Pixels:
    """Read a plane; one of a medical file that is grey is displayed as that file says."""
    intensity = intensity_of(source, asked)
    header = header_of(source, index)
    if header is None or header.display is None:
        return _Pixels(read(source, index), intensity)
    # "auto" is what the file says of this plane, which may differ from what it says of the first one.
    found = displayed(read(source, index), header.display, "auto" if asked == "auto" else intensity)
    return _Pixels(found.pixels, EIGHT_BIT, found.range, found.words)


def _of_image(pixels: NDArray[Any], header: Header | None) -> NDArray[Any]:
    """Return the values that are part of an image: no alpha, and no padding of a medical file."""
    values = without_alpha(pixels)
    return values if header is None or header.display is None else header.display.of_image(values)


def _identity(source: Source, index: Index) -> tuple[str, ...]:
    header = header_of(source, index)
    return () if header is None else header.identity


def _joined(*parts: str, between: str = "; ") -> str:
    return between.join(part for part in parts if part)

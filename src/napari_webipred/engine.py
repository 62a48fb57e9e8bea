"""The one way from pictures to probabilities; the command line, the panel and the Python functions all walk it."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from napari_webipred import limits
from napari_webipred.cancellation import Cancellation, current
from napari_webipred.card import Profile
from napari_webipred.errors import ActivationError, ImageError, OptionError, WebIPredError
from napari_webipred.imaging.files import file_source, find_pictures
from napari_webipred.imaging.memory import ImageMemory
from napari_webipred.imaging.planes import given_source
from napari_webipred.imaging.preprocess import Intensity, prepare
from napari_webipred.imaging.remarks import remark_on
from napari_webipred.imaging.source import Source
from napari_webipred.model import Model, available_cores
from napari_webipred.results.probabilities import assigned, class_probabilities, missing_activation
from napari_webipred.results.row import Row
from napari_webipred.workers import Workers, wait_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.runtime.session import Session

# From this many planes on, each core works on a picture of its own: the cores then never wait for one another,
# which beats sharing every picture among them, but needs a second session of the model.
PICTURES_FOR_ONE_CORE_EACH = 8


@dataclass(frozen=True, slots=True)
class Options:
    """How pictures are classified.

    Attributes
    ----------
    intensity : "auto", "dtype" or (low, high)
        Which intensities become black and white; see `napari_webipred.imaging.preprocess.prepare`.
    threshold : float
        From which probability on a multi-label model assigns a class, unless its card says otherwise. 0 to 1.
    workers : int, optional
        How many pictures are worked on at the same time; one per core by default.
    profile : "webipred", "aucmedi" or "teachable-machine", optional
        The program whose arithmetic prepares the pictures; that of the model's card by default.
    """

    intensity: Intensity = "auto"
    threshold: float = 0.5
    workers: int | None = None
    profile: Profile | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise OptionError(f"The threshold {self.threshold} is not a probability.", "Give a number from 0 to 1.")
        if isinstance(self.intensity, tuple) and not self.intensity[0] < self.intensity[1]:
            raise OptionError(
                f"The intensity range {self.intensity[0]:g} to {self.intensity[1]:g} is empty.",
                "The first number is black and has to be below the second, which is white.",
            )
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"{self.workers} workers cannot work.", "Give at least 1.")
        if self.profile not in (None, *get_args(Profile)):
            raise OptionError(
                f"There is no preprocessing profile {self.profile!r}.", f"Choose one of {', '.join(get_args(Profile))}."
            )


@dataclass(frozen=True, slots=True)
class Started:
    """The pictures are found; nothing is read yet.

    Attributes
    ----------
    total : int
        How many rows will come.
    classes, axes : tuple of str
        Names of the model's classes, and of the axes of the stacks among the pictures.
    left_out : tuple of str
        Files in the given folders that are no pictures.
    """

    total: int
    classes: tuple[str, ...]
    axes: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowDone:
    """A plane is classified, or has failed (``row.failed``); rows come in the order of the pictures."""

    row: Row
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Finished:
    """All rows have come: ``done`` of them, of which ``failed`` without probabilities, in so many ``seconds``."""

    done: int
    failed: int
    seconds: float


Event: TypeAlias = Started | RowDone | Finished
Picture: TypeAlias = Any  # str, Path, Source, an image of Pillow or anything like a NumPy array
DEFAULTS = Options()

_image_memory = ImageMemory()


def classify(
    model: Model, images: Picture | Iterable[Picture], options: Options = DEFAULTS
) -> Generator[Event, None, None]:
    """Classify pictures one by one; closing the generator cancels what has not begun.

    Parameters
    ----------
    model : Model
    images : path, array or Source, or an iterable of them
        A folder stands for all pictures in it. A stack gives a row for each of its planes.
    options : Options

    Yields
    ------
    Started, then one RowDone per plane, then Finished
        A picture that cannot be read gives a row with an error; the others go on. However many pictures there are,
        only a few of them are in memory at any time, and no more than the budget for memory allows: then they wait for
        one another. Arrays that an iterable gives are all held until they are classified, because an iterable is gone
        through first, to count the rows.

    Raises
    ------
    OptionError
        Neither the model's card nor the user says how pixel values are scaled, how large images are, or what makes
        probabilities of the model's numbers, which may show only with the first rows; the images are a mapping, such
        as a dict; or the setting for memory is no amount.
    Exception
        Whatever an iterable of images raises: nothing is classified by then.
    """
    if model.card.preprocessing_under(options.profile) is None:
        family, mode = model.suggestion or ("", "")
        likely = f" It looks like {family}, which is usually trained with {mode}." if family else ""
        raise OptionError(
            f"It is not known how the model {model.card.name} wants pixel values to be scaled.",
            f"Those who trained the model know which `standardize` mode it needs.{likely}",
            "complete settings",
        )
    if model.card.input is None:
        raise OptionError(
            f"The model {model.card.name} takes pictures of any size.",
            "Give the `size` in pixels that it was trained with, for example 224 by 224.",
            "complete settings",
        )
    if model.needs_activation:
        raise missing_activation(model.card)
    budget = limits.memory_budget()
    begin = time.perf_counter()
    sources, left_out = find_sources(images)
    total = sum(map(len, sources))
    axes = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
    yield Started(total, tuple(model.classes), axes, left_out)
    done = failed = 0
    with closing(_rows(model, sources, total, options, budget)) as rows:
        for row in rows:
            done += 1
            failed += row.failed
            yield RowDone(row, done, total)
    yield Finished(done, failed, time.perf_counter() - begin)


def find_sources(images: Picture | Iterable[Picture]) -> tuple[list[Source], tuple[str, ...]]:
    """Make a source of each picture, and name the files in given folders that are none.

    What is no image, or cannot be used, becomes a source that says so when it is read.
    """
    sources: list[Source] = []
    left_out: list[str] = []
    for item in _items(images):
        if isinstance(item, Source):
            sources.append(item)
        elif isinstance(item, (str, os.PathLike)):
            pictures, others = find_pictures([os.fsdecode(item)])
            sources.extend(map(file_source, pictures))
            left_out.extend(others)
        else:
            sources.append(given_source(item, f"array {len(sources)}"))
    return sources, tuple(left_out)


def _items(images: Picture | Iterable[Picture]) -> Iterable[Picture]:
    """Tell one image from several."""
    if isinstance(images, Mapping):
        raise OptionError(
            f"The images are given as a {type(images).__name__}, whose keys are no images.",
            "Give a list of its values.",
        )
    if isinstance(images, (str, bytes, bytearray, os.PathLike, Source, io.IOBase)):
        return [images]
    if hasattr(images, "shape"):
        return images if _is_column(images) else [images]
    return images if hasattr(images, "__iter__") else [images]


def _is_column(images: Any) -> bool:
    """Tell a column of paths or arrays, as NumPy and pandas have them, from an array of pixels."""
    kind = getattr(getattr(images, "dtype", None), "kind", "")
    return getattr(images, "ndim", 0) == 1 and kind in ("O", "U", "S", "T")


@dataclass(frozen=True, slots=True)
class _Work:
    """What is the same for all planes of a run, which ends when it is cancelled."""

    model: Model
    session: Session
    options: Options
    budget: int
    cancellation: Cancellation = field(default_factory=Cancellation)


def _rows(model: Model, sources: list[Source], total: int, options: Options, budget: int) -> Generator[Row, None, None]:
    cores = available_cores()
    workers = min(options.workers or cores, max(total, 1))
    session = model.session(1 if workers > 1 and total >= PICTURES_FOR_ONE_CORE_EACH else cores)
    work = _Work(model, session, options, budget)
    pool = Workers[Row](workers, "napari-webipred")
    waiting: deque[Future[Row]] = deque()
    try:
        # Whoever cancels this thread's work means these threads, too.
        with current().ending(work.cancellation.cancel):
            for number, source in enumerate(sources):
                for index in source.indices():
                    waiting.append(pool.submit(_row, work, number, source, index))
                    if len(waiting) > 2 * workers:
                        yield _next(waiting, work.cancellation)
            while waiting:
                yield _next(waiting, work.cancellation)
    finally:
        work.cancellation.cancel()
        pool.close(limits.PATIENCE)


def _next(waiting: deque[Future[Row]], cancellation: Cancellation) -> Row:
    row = wait_for(waiting.popleft())
    cancellation.check()
    return row


def _row(work: _Work, number: int, source: Source, index: tuple[int, ...]) -> Row:
    position = source.position(index)
    card = work.model.card
    try:
        prepared, intensity_range, remark = _prepared(work, source, index)
        with work.cancellation.active():
            probabilities = class_probabilities(work.session.predict(prepared[None])[0], card)
        classes = assigned(probabilities, card, work.options.threshold)
        prediction = "; ".join(card.classes[index].name for index in classes)
    except ActivationError:  # it is the model's fault, so that no other row can be trusted either
        work.model.needs_activation = True
        raise
    except WebIPredError as error:
        return Row(number, source.name, position, error=str(error))
    except MemoryError:
        return Row(number, source.name, position, error=str(ImageError("The image does not fit into memory.")))
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        said = ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")
        return Row(number, source.name, position, error=str(said))
    return Row(number, source.name, position, probabilities, prediction, classes, "", intensity_range, remark)


def _prepared(
    work: _Work, source: Source, index: tuple[int, ...]
) -> tuple[NDArray[np.float32], tuple[float, float], str]:
    """Read a plane, when there is memory for it, and make the model's input of it; also say what to remark."""
    card = work.model.card
    preprocessing = card.preprocessing_under(work.options.profile)
    assert card.input is not None
    assert preprocessing is not None
    height, width, channels = card.input.height, card.input.width, card.input.channels or 3
    with _image_memory.reserved(source.memory(index), work.budget):
        work.cancellation.check()  # it may have waited for long
        pixels = source.read(index)
        prepared, intensity_range = prepare(
            pixels, height, width, channels, preprocessing, card.input.channel_order, work.options.intensity
        )
        return prepared, intensity_range, remark_on(pixels, height, width, intensity_range)

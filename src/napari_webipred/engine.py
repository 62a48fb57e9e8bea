"""The one way from pictures to probabilities; the command line, the panel and the Python functions all walk it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from napari_webipred.catalogue.card import Profile
from napari_webipred.errors import ActivationError, ImageError, OptionError, WebIPredError
from napari_webipred.imaging.files import file_source, find_pictures
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.preprocess import Intensity, prepare
from napari_webipred.imaging.source import Source, unreadable
from napari_webipred.model import Model, available_cores
from napari_webipred.results.probabilities import HINT, assigned, class_probabilities
from napari_webipred.results.row import Row

if TYPE_CHECKING:
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
Picture: TypeAlias = Any  # str, Path, Source or anything like a NumPy array
DEFAULTS = Options()


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
        only a few of them are in memory at any time.

    Raises
    ------
    OptionError
        Neither the model's card nor the user says how pixel values are scaled, how large images are, or what makes
        probabilities of the model's numbers. The last may show only with the first rows.
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
        raise ActivationError(
            f"It is not known what makes probabilities of the numbers that the model {model.card.name} gives.",
            HINT,
            "complete settings",
        )
    begin = time.perf_counter()
    sources, left_out = find_sources(images)
    total = sum(map(len, sources))
    axes = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
    yield Started(total, tuple(model.classes), axes, left_out)
    done = failed = 0
    with closing(_rows(model, sources, total, options)) as rows:
        for row in rows:
            done += 1
            failed += row.failed
            yield RowDone(row, done, total)
    yield Finished(done, failed, time.perf_counter() - begin)


def find_sources(images: Picture | Iterable[Picture]) -> tuple[list[Source], tuple[str, ...]]:
    """Make a source of each picture, and name the files in given folders that are none."""
    single = isinstance(images, (str, Path, Source)) or hasattr(images, "shape")
    items: Iterable[Any] = [images] if single else images
    sources: list[Source] = []
    left_out: list[str] = []
    for item in items:
        if isinstance(item, Source):
            sources.append(item)
        elif isinstance(item, (str, Path)):
            pictures, others = find_pictures([item])
            sources.extend(map(file_source, pictures))
            left_out.extend(others)
        else:
            sources.append(_array(item, f"array {len(sources)}"))
    return sources, tuple(left_out)


def _array(item: Any, name: str) -> Source:
    try:
        return array_source(item, name)
    except WebIPredError as error:
        return unreadable(name, error)


def _rows(model: Model, sources: list[Source], total: int, options: Options) -> Generator[Row, None, None]:
    cores = available_cores()
    workers = min(options.workers or cores, max(total, 1))
    session = model.session(1 if workers > 1 and total >= PICTURES_FOR_ONE_CORE_EACH else cores)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="napari-webipred")
    waiting: deque[Future[Row]] = deque()
    try:
        for number, source in enumerate(sources):
            for index in source.indices():
                waiting.append(pool.submit(_row, model, session, number, source, index, options))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _row(model: Model, session: Session, number: int, source: Source, index: tuple[int, ...], options: Options) -> Row:
    position = source.position(index)
    try:
        card = model.card
        preprocessing = card.preprocessing_under(options.profile)
        assert card.input is not None
        assert preprocessing is not None
        pixels, intensity_range = prepare(
            source.read(index),
            card.input.height,
            card.input.width,
            card.input.channels or 3,
            preprocessing,
            card.input.channel_order,
            options.intensity,
        )
        probabilities = class_probabilities(session.predict(pixels[None])[0], card)
        prediction = assigned(probabilities, card, options.threshold)
    except ActivationError:  # it is the model's fault, so that no other row can be trusted either
        model.needs_activation = True
        raise
    except WebIPredError as error:
        return Row(number, source.name, position, error=str(error))
    except MemoryError:
        return Row(number, source.name, position, error=str(ImageError("The picture does not fit into memory.")))
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        said = ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")
        return Row(number, source.name, position, error=str(said))
    return Row(number, source.name, position, probabilities, prediction, "", intensity_range)

"""The one way from images to probabilities; the command line, the panel and the Python functions all walk it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.difference import Difference
from napari_webipred.errors import ActivationError, OptionError
from napari_webipred.execution import Executor
from napari_webipred.execution.cluster.executor import Cluster
from napari_webipred.execution.plane import Plane, Unfolded, planes_of, ranged
from napari_webipred.execution.readiness import check_card
from napari_webipred.execution.threads import classify_planes, cores_shared
from napari_webipred.hardware import USUAL
from napari_webipred.imaging.files import is_file
from napari_webipred.imaging.finding import finding
from napari_webipred.imaging.place import Place, at_place
from napari_webipred.imaging.planes import array_source, given_source
from napari_webipred.imaging.selection import WHOLE, Selection, rename
from napari_webipred.imaging.source import Source
from napari_webipred.imaging.unopened import Sources
from napari_webipred.model import Model
from napari_webipred.options import DEFAULTS as DEFAULTS
from napari_webipred.options import Options as Options
from napari_webipred.options import preferred_hardware as preferred_hardware
from napari_webipred.options import preferred_intensity as preferred_intensity
from napari_webipred.results.columns import measures
from napari_webipred.results.row import Row
from napari_webipred.steps import result_of


class Started(Struct, frozen=True):
    """The images are found; nothing is read yet.

    Attributes
    ----------
    total : int
        How many rows will come; if it is `estimated`, going by the first files.
    classes, axes : tuple of str
        Names of the model's classes, and of the axes of the stacks among the images.
    left_out, links : sequence of str
        Files in the given folders that are no images, and links to folders there, which are not followed.
    regions : bool
        Whether rows are about regions of images.
    measures : tuple of str
        Names of what else is measured of each image.
    estimated : bool
        Whether there are files of which nobody knows how many planes they hold. `Recounted` tells of those that prove
        to be stacks.
    difference : Difference or None
        How far the numbers are from those in float32 on the processor, if something else computes them.
    """

    total: int
    classes: tuple[str, ...]
    axes: tuple[str, ...]
    left_out: Sequence[str] = ()
    links: Sequence[str] = ()
    regions: bool = False
    measures: tuple[str, ...] = ()
    estimated: bool = False
    difference: Difference | None = None


class Recounted(Struct, frozen=True):
    """The next image is a stack that was not counted: ``total`` rows will come, and ``axes`` are those of all images.

    Both as far as is known by now.
    """

    total: int
    axes: tuple[str, ...]


class RowDone(Struct, frozen=True):
    """A plane is classified, or has failed (``row.failed``); rows come in the order of the images.

    Of ``total`` rows that will come, as far as is known by now, so many are ``done``.
    """

    row: Row
    done: int
    total: int


class Finished(Struct, frozen=True):
    """All rows have come: ``done`` of them, of which ``failed`` without probabilities, in so many ``seconds``."""

    done: int
    failed: int
    seconds: float


Event: TypeAlias = Started | Recounted | RowDone | Finished
ImageLike: TypeAlias = Any  # str, Path, Source, an image of Pillow or anything like a NumPy array


def classify(
    model: Model,
    images: ImageLike | Iterable[ImageLike],
    options: Options = DEFAULTS,
    selection: Selection = WHOLE,
    executor: Executor = classify_planes,
) -> Generator[Event, None, None]:
    """Classify images one by one; closing the generator cancels what has not begun.

    Parameters
    ----------
    model : Model
    images : path, array or Source, or an iterable of them
        A folder stands for all images in it. A stack gives a row for each of its planes. Of very many files only the
        first are looked into before the first row; see `found`.
    options : Options
    selection : Selection
        What of each image is classified; an image without it gives a row with an error.
    executor : callable
        Where the planes are classified; see `napari_webipred.execution.Executor`. In threads of this process by
        default.

    Yields
    ------
    Started, then one RowDone per plane, then Finished; Recounted before the rows of a stack that was not counted
        An image that cannot be read gives a row with an error; the others go on. However many images there are,
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
    check_card(model, options)
    executor, takes_unopened = _suitable(executor, model, options)
    budget = options.budget  # a setting that is wrong is refused before anything is read
    on_cluster = isinstance(executor, Cluster)  # whose workers have memory of their own
    options = options if on_cluster else replace(options, memory=budget)
    (apart,) = differences([model], options)
    begin = time.perf_counter()
    if executor is classify_planes and _is_one_file(images):
        open_ahead(model, options)  # while the file is looked into
    sources = found(images).choosing(selection)
    if selection.regions is not None or not takes_unopened:
        sources = sources.opened()
    total, typical, classes = sources.rows, sources.typical, tuple(model.classes)
    axes = tuple(dict.fromkeys(axis for source in sources.described for axis in source.axes))
    regions = any(source.regions is not None for source in sources.described)
    estimated = not sources.is_counted
    measured = measures(classes, options.as_dict())
    yield Started(total, classes, axes, sources.left_out, sources.links, regions, measured, estimated, apart)
    done = failed = 0
    stack = -1  # the number of the latest one that was not counted
    planes = islice(planes_of(sources, options.intensity), sources.begun, None)
    with closing(executor(model, planes, total, options)) as rows:
        try:
            for row in rows:
                if isinstance(row, Unfolded):
                    total += len(row.source) - typical
                    stack = row.number
                    axes = tuple(dict.fromkeys((*axes, *row.source.axes)))
                    yield Recounted(total, axes)
                    continue
                if not (row.source == stack or sources.is_described(row.source)):
                    total += 1 - typical
                done += 1
                failed += row.failed
                yield RowDone(row, done, total)
        except ActivationError:
            model.needs_activation = True
            raise
    yield Finished(done, failed, time.perf_counter() - begin)


def _suitable(executor: Executor, model: Model, options: Options) -> tuple[Executor, bool]:
    """Return the executor that does what the options ask for, or refuse them.

    Returns
    -------
    executor : callable
    takes_unopened : bool
        Whether it can do with files that nobody has looked into.
    """
    if isinstance(executor, Cluster):
        executor.check(options)
        return executor, True
    if options.hardware != USUAL and (options.reference or executor is not classify_planes):
        raise OptionError(
            "Maps and distances from reference images are computed in float32 on the processor only.",
            "Choose the precision float32 and the device cpu, or do without them.",
        )
    if not options.reference:
        return executor, executor is classify_planes
    if executor is not classify_planes:
        raise OptionError(
            "Images cannot be explained and compared with reference images at the same time.",
            "Do one after the other.",
        )
    from napari_webipred.references.executor import measure_planes, reference_of  # they take time to import

    reference_of(model, options)
    return measure_planes, True


def classify_with_each(
    models: Sequence[Model],
    images: ImageLike | Iterable[ImageLike],
    options: Options = DEFAULTS,
    selection: Selection = WHOLE,
    executor: Executor = classify_planes,
) -> Generator[tuple[int, Event], None, None]:
    """Classify the same images with one model after the other; see `classify`.

    Yields
    ------
    int and Event
        Which of the models it is about. Before the first image, it is made sure that all models have what they need.
    """
    for model in models:
        check_card(model, options)
    given = found(images).opened() if len(models) > 1 else images
    for number, model in enumerate(models):
        with closing(classify(model, given, options, selection, executor)) as events:
            yield from ((number, event) for event in events)


def open_ahead(model: Model, options: Options, count: int = 1) -> None:
    """Begin to open the network that computes so many planes under these options, unless it is an unusual one."""
    if options.hardware == USUAL and not options.reference:
        _, threads = cores_shared(count, options)
        model.session(threads).begin()


def differences(models: Sequence[Model], options: Options) -> list[Difference | None]:
    """Measure for each model how far its numbers are from those in float32 on the processor; None if they are those.

    Raises
    ------
    OptionError
        Something is not known that is needed, or the hardware of the options cannot be used here.
    """
    if options.hardware == USUAL:
        return [None] * len(models)
    from napari_webipred.difference import difference

    for model in models:
        check_card(model, options)
    return [difference(model, options.hardware) for model in models]


def chosen_plane(model: Model, image: ImageLike, place: Place | None, options: Options = DEFAULTS) -> Plane:
    """Choose one plane of one image, as `napari_webipred.execution.plane.prepared_plane` takes it.

    Parameters
    ----------
    model : Model
    image : path, array or Source
        One image.
    place : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack: its place along the only axis, along all axes, or by the names of axes. Not needed where
        only one plane is taken.
    options : Options

    Raises
    ------
    OptionError
        Something is not known that is needed (see `classify`), or this is not one plane of one image.
    WebIPredError
        An array is no image.
    """
    check_card(model, options)
    source = at_place(one_source(image), place)
    ((index, region),) = source.parts()
    return Plane(0, ranged(source) if options.intensity == "stack" else source, index, region)


def find_sources(images: ImageLike | Iterable[ImageLike]) -> tuple[list[Source], Sequence[str]]:
    """Make a source of each image, and name the files in given folders that are none.

    What is no image, or cannot be used, becomes a source that says so when it is read.
    """
    sources = found(images).opened()
    return sources.described, sources.left_out


def found(images: ImageLike | Iterable[ImageLike] | Sources) -> Sources:
    """Find the images, and describe those that are no files, and the first files; see `finding`."""
    return result_of(searching(images))


def searching(images: ImageLike | Iterable[ImageLike] | Sources) -> Generator[int, None, Sources]:
    """Find the images step by step; see `napari_webipred.imaging.finding.finding`."""
    return (yield from finding(_items(images))) if not isinstance(images, Sources) else images


def ready_sources(
    model: Model, images: ImageLike | Iterable[ImageLike], options: Options, selection: Selection = WHOLE
) -> list[Source]:
    """Make a source of each image, for a model whose settings are complete; see `classify`.

    Raises
    ------
    OptionError
        Something is not known that is needed.
    """
    check_card(model, options)
    return found(images).choosing(selection).opened().described


def one_source(image: ImageLike, axes: Sequence[str] | None = None, channels: bool = False) -> Source:
    """Make a source of one image.

    Parameters
    ----------
    image : path, array or Source
    axes : sequence of str, optional
        Names of its leading axes.
    channels : bool
        Whether an axis of three channels is to stay one, so that some can be chosen.

    Raises
    ------
    OptionError
        These are several images, or the axes are more or fewer than it has.
    WebIPredError
        An array is no image. A file may prove unreadable later.
    """
    if isinstance(image, (Source, str, os.PathLike)):
        sources, _ = find_sources(image)
        if len(sources) != 1:
            raise OptionError(f"{image} contains {len(sources)} images.", "Give one image.")
        return sources[0] if axes is None else rename(sources[0], axes)
    if axes is None and not channels:
        return given_source(image, "array 0")
    return array_source(image, "array 0", axes=axes, colours=not channels)


def _items(images: ImageLike | Iterable[ImageLike]) -> Iterable[ImageLike]:
    """Tell one image from several."""
    if isinstance(images, Mapping):
        raise OptionError(
            f"The images cannot be given as a {type(images).__name__}.",
            "Give a list of its values.",
        )
    if isinstance(images, (str, bytes, bytearray, os.PathLike, Source, io.IOBase)):
        return [images]
    if hasattr(images, "shape"):
        return images if _is_column(images) else [images]
    return images if hasattr(images, "__iter__") else [images]


def _is_one_file(images: Any) -> bool:
    return isinstance(images, (str, os.PathLike)) and is_file(images)


def _is_column(images: Any) -> bool:
    """Tell a column of paths or arrays, as NumPy and pandas have them, from an array of pixels."""
    kind = getattr(getattr(images, "dtype", None), "kind", "")
    return getattr(images, "ndim", 0) == 1 and kind in ("O", "U", "S", "T")

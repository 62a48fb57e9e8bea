"""A model that is ready to predict, and the steps from its name to there."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_webipred import completion, self_test
from napari_webipred.cache import overrides as telling
from napari_webipred.card import ModelCard
from napari_webipred.catalogue import local_model
from napari_webipred.errors import (
    ActivationError,
    CatalogueError,
    LimitError,
    ModelError,
    SlowModelError,
    WebIPredError,
)
from napari_webipred.results.probabilities import class_probabilities, needs_activation
from napari_webipred.runtime import facts
from napari_webipred.runtime.outputs import UndecidedOutputError, outputs_in

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_webipred.archive.model_files import ModelFiles
    from napari_webipred.cache.entry import Entry
    from napari_webipred.runtime.session import Session

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the opening of a model has come.

    ``done`` and ``total`` are bytes while downloading, else 0 and None. A total of None is not known.
    ``seconds_left`` is what a download still takes, as far as can be said; ``waiting`` says why nothing arrives.
    """

    stage: Literal["download", "compile", "load"]
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    waiting: str = ""


class Model:
    """A model in memory, with the card that says what its numbers mean. Made by `open_model`.

    Attributes
    ----------
    card : ModelCard
        What the model is for and how pictures are prepared for it. ``card.provenance`` says in ``"assumed"`` and
        ``"notes"`` what else should be known, and in ``"self_test"`` how the test of the card went, if it has one.
    checksum : str
        ``"sha256:<hex>"`` of the model's files.
    input_shape : tuple
        (height, width, channels) of a picture in pixels; None where the model takes any size.
    output_size : int
        How many numbers it gives for a picture.
    suggestion : tuple of (str, str), or None
        The family that the network looks like and the scaling that this family was published with, such as
        ``("MobileNetV2", "tf")``: a proposal for the user, which never counts by itself.
    outputs : tuple of ModelOutput
        The outputs that could give the classes, if there are several; ``card.output.tensor_name`` names the chosen
        one. Empty for most models.
    needs_activation : bool
        Whether the model gives numbers that are no probabilities, and nobody has said what makes some of them. For
        most networks this is known at once, for others once they have computed something.
    """

    def __init__(self, card: ModelCard, checksum: str, graph: Path | bytes, *, allow_slow: bool = False) -> None:
        self.checksum = checksum
        self._graph = graph
        self._allow_slow = allow_slow
        self._sessions: dict[int, Session] = {}
        self._lock = Lock()
        with _named(card):
            session = self.session(available_cores())
        self.input_shape = session.input_shape
        self.output_size = session.output_size
        self.card = completion.complete(card, session)
        if self.card.input is not None:
            with _named(card):
                session.check_image(self.card.input.height, self.card.input.width)
        self.suggestion = completion.suggestion(session)
        self.outputs = tuple(output for output in outputs_in(session.properties)[0] if output.size is not None)
        self.needs_activation = needs_activation(self.card)

    @property
    def remarks(self) -> list[str]:
        """What the user should know before trusting a number, a sentence each."""
        return [str(each) for key in ("assumed", "notes") for each in self.card.provenance.get(key, [])]

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the model's outputs.

        Examples
        --------
        >>> import napari_webipred as wp
        >>> wp.open_model("demo").classes[0]
        'sharp'
        """
        return self.card.class_names

    def predict(self, batch: ArrayLike) -> NDArray[np.float32]:
        """Run the model on pictures that are already resized and standardised.

        Parameters
        ----------
        batch : array_like, shape (n, height, width, channels)
            Taken as float32.

        Returns
        -------
        ndarray of float32, shape (n, n_outputs)
            The numbers that TensorFlow.js returns for this tensor: a single sigmoid gives one column; of several
            outputs it is the class output.

        Raises
        ------
        ModelError
            The batch does not have the shape that the model takes.

        Examples
        --------
        >>> import numpy as np
        >>> import napari_webipred as wp
        >>> model = wp.open_model("demo")
        >>> numbers = model.predict(np.zeros((2, 224, 224, 3)))
        >>> numbers.shape, numbers.dtype
        ((2, 5), dtype('float32'))
        """
        return self.session(available_cores()).predict(batch)

    def warm_up(self) -> None:
        """Run the model once on noise, so that the first real image does not wait, and look at what it gives.

        Examples
        --------
        >>> import napari_webipred as wp
        >>> model = wp.open_model("demo")
        >>> model.warm_up()
        >>> model.needs_activation
        False
        """
        height, width, channels = self.input_shape
        if self.card.input is not None:
            height, width = self.card.input.height, self.card.input.width
        noise = np.random.default_rng(0).standard_normal((1, height or 64, width or 64, channels), np.float32)
        numbers = self.predict(noise)[0]
        try:
            class_probabilities(numbers, self.card)
        except ActivationError:
            self.needs_activation = True
        except ModelError:  # the numbers are not finite, which for noise means nothing
            pass

    def session(self, threads: int) -> Session:
        """Return the session that computes one picture on this many threads; made when first asked for.

        Each session holds the weights. Where there is no memory for another one, or the graph has been removed from the
        disk since, the first is returned: its numbers are the same.
        """
        with self._lock:
            first = next(iter(self._sessions.values()), None)
            if threads not in self._sessions:
                if first is not None and not first.has_room_beside():
                    return first
                try:
                    self._sessions[threads] = _session(self._graph, threads, self._allow_slow)
                except ModelError as error:
                    if first is None:
                        raise
                    _log.info("A session for %d threads cannot be made: %s", threads, error.message)
                    self._sessions[threads] = first
            return self._sessions[threads]

    def kept_at(self, path: Path) -> None:
        """Read the graph from a file from now on, instead of keeping it in memory."""
        self._graph = path


def _session(graph: Path | bytes, threads: int, allow_slow: bool) -> Session:
    from napari_webipred.cache import store
    from napari_webipred.runtime.session import Session

    if isinstance(graph, bytes):
        return Session(graph, threads, allow_slow=allow_slow)
    with store.verified(graph):
        return Session(graph, threads, allow_slow=allow_slow)


def available_cores() -> int:
    """Count the processor cores that this process may use: more threads than that make a prediction slower."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def opening(
    reference: str | Path,
    *,
    classes: Sequence[str] | None = None,
    standardize: str | None = None,
    size: tuple[int, int] | None = None,
    activation: str | None = None,
    output: str | int | None = None,
    allow_slow: bool = False,
    replace: bool = False,
) -> Generator[Progress, None, Model]:
    """Open a model step by step; closing the generator cancels, also a download.

    What is told about a model that has no card in the catalogue is kept, so that it need not be told again.

    Parameters
    ----------
    reference : str or Path
        Identifier in the catalogue, Zenodo record number, DOI or URL, or the path of a model folder, topology JSON,
        zip archive, Keras or ONNX file. A Path is always taken as a path.
    classes : sequence of str, optional
        Names of the classes in output order, for a model that does not come with them.
    standardize : str, optional
        How pixel values are scaled (``"torch"``, ``"tf"``, ...), for a model whose card does not say so.
    size : tuple of int, optional
        (width, height) in pixels, for a model that takes any size.
    activation : str, optional
        What makes probabilities of the model's numbers, if it does not do so itself: ``"softmax"``, ``"sigmoid"``;
        ``"none"`` shows the numbers as they are, ``"in-model"`` takes an earlier answer back.
    output : str or int, optional
        Which of several outputs gives the classes: its name, or its number from 0.
    allow_slow : bool
        Whether the model may need more than `napari_webipred.limits.WORK` multiply-adds for an image.
    replace : bool
        True downloads a model again that is here, and takes it even if its files are not the same as before.

    Yields
    ------
    Progress

    Returns
    -------
    Model

    Raises
    ------
    SlowModelError
        The model computes very long for an image, and `allow_slow` is not given.
    WebIPredError
        There is no such model, it cannot be fetched, its files cannot be used, or it needs too much memory.
        `UndecidedOutputError` if several of its outputs could give the classes.
    """
    from napari_webipred import limits
    from napari_webipred.cache import store

    given = telling.tell(classes, standardize, size, activation, output)
    for _ in range(limits.OPENING_TRIES):
        card, path = yield from _locate(reference, replace)
        replace = False
        entry = next((entry for entry in store.noted(card) if entry.path == path), None)
        if entry is None and store.is_fetched(card):
            continue
        try:
            model = yield from _open(card, path, entry, given, allow_slow)
        except (WebIPredError, OSError):
            if entry is None or entry.is_there():
                raise
        else:
            if entry is None or entry.is_there():
                return model
    raise CatalogueError(
        f"Another program keeps removing the model {card.id} while it is opened.", "Try again when it has ended."
    )


def _open(
    card: ModelCard, path: Path, entry: Entry | None, given: telling.Told, allow_slow: bool
) -> Generator[Progress, None, Model]:
    """Open the files of a model; those in the cache have just been verified."""
    from napari_webipred.archive import model_files
    from napari_webipred.catalogue import bioimageio

    files = model_files.open_files(path)
    checksum = entry.checksum if entry else files.checksum
    if any(w.source.type == "builtin" and w.checksum not in {None, checksum} for w in card.weights):
        raise ModelError(f"The model {card.name}, which is part of the program, is damaged.", "Install it again.")
    remembered = card.preprocessing is None or not card.classes
    if remembered:
        given = given.over(telling.recall(checksum))
        card = bioimageio.fill_from_package(local_model.fill(card, files, files.entry), files)
    whole = telling.apply(card, given)
    if replace(given, classes=None) != telling.Told():
        whole = whole.model_copy(update={"test": None})  # it is about the model as its publisher describes it
    if entry and entry.doubt:
        whole = whole.model_copy(update={"provenance": {**whole.provenance, "origin": entry.doubt}})
    model = yield from _load(whole, path, files, checksum, allow_slow)
    if remembered and given != telling.Told():
        telling.keep(checksum, given)
    return model


def _load(
    card: ModelCard, path: Path, files: ModelFiles, checksum: str, allow_slow: bool
) -> Generator[Progress, None, Model]:
    """Open the compiled graph of a model, after making it if it is not there. Of a refused model nothing is kept."""
    from napari_webipred.archive import model_files
    from napari_webipred.cache import store
    from napari_webipred.runtime.graph import COMPILER_VERSION

    graphs = store.compiled_paths(checksum, COMPILER_VERSION, _choice(card, files))
    for kept in filter(os.path.isfile, graphs):  # unlike `Path.is_file`, it never raises
        yield Progress("load")
        try:
            model = Model(card, checksum, kept, allow_slow=allow_slow)
            _test(model, files)
            return model
        except LimitError:
            raise
        except ModelError:
            pass  # a damaged graph is made again
    yield Progress("compile")
    with _named(card):
        graph = _compile(files, card)
    if model_files.open_files(path).checksum != checksum:
        raise ModelError(f"The files of the model {card.name} changed while they were read.", "Open it again.")
    yield Progress("load")
    model = Model(card, checksum, graph, allow_slow=allow_slow)
    graph = facts.with_facts(graph, _test(model, files))
    # What ONNX Runtime does not open is not kept.
    if store.keep_compiled(graphs[-1], graph):
        model.kept_at(graphs[-1])
    return model


def _choice(card: ModelCard, files: ModelFiles) -> str | None:
    """Name what of the files is compiled, if that is not all that they hold: each choice has a graph of its own."""
    entry = _entry(card, files) if files.entry is None else None
    return card.output.tensor_name if entry is None else f"{entry}\0{card.output.tensor_name or ''}"


def _entry(card: ModelCard, files: ModelFiles) -> str | None:
    """Return the model's file: what the user pointed at, or what the card says of several."""
    named = (weights.entry_point for weights in card.weights)
    return files.entry or next((entry for entry in named if entry in files), None)


def _test(model: Model, files: ModelFiles) -> dict[str, str]:
    """Run the test of the model's card, unless its result stands in the graph; return what is to be written there."""
    if model.card.test is None:
        return {}
    key = f"{facts.PREFIX}test.{self_test.digest(model.card)}"
    known = model.session(available_cores()).properties.get(key)
    result = known or self_test.run(model.card, files, model.predict)
    model.card = model.card.model_copy(update={"provenance": {**model.card.provenance, "self_test": result}})
    return {} if known else {key: result}


def _locate(reference: str | Path, replace: bool = False) -> Generator[Progress, None, tuple[ModelCard, Path]]:
    """Find the card and the files of a model; download them if they are not on this machine."""
    from napari_webipred.archive import model_files
    from napari_webipred.cache import index, store

    if isinstance(reference, Path):
        return local_model.card_of_path(reference), reference
    if index.find(reference) is None and model_files.exists(Path(reference)):
        return local_model.card_of_path(Path(reference)), Path(reference)
    card = index.resolve(reference)
    download = store.fetch(card, replace=replace)
    try:
        while True:
            step = next(download)
            yield Progress("download", step.done, step.total, step.seconds_left, step.waiting)
    except StopIteration as finished:
        path: Path = finished.value
        return card, path
    finally:
        download.close()


def _compile(files: ModelFiles, card: ModelCard) -> bytes:
    from napari_webipred.runtime.bounds import with_bounds
    from napari_webipred.runtime.formats import compile_files

    # Of a file of the user's own nothing is known.
    form = card.weights[0].format if card.weights and not local_model.is_local(card) else None
    try:
        graph = compile_files(
            files,
            files.kind,
            _entry(card, files),
            card.output.tensor_name,
            len(card.classes),
            unpacked=files.unpacked,
            preferred=form,
        )
    except UndecidedOutputError as error:
        raise UndecidedOutputError(f"The model {card.name}", error.outputs) from error
    return with_bounds(graph)


@contextmanager
def _named(card: ModelCard) -> Iterator[None]:
    """Say in errors which model it is about."""
    try:
        yield
    except UndecidedOutputError:
        raise
    except ModelError as error:
        is_what = "is slow" if isinstance(error, SlowModelError) else "cannot be used"
        raise type(error)(f"The model {card.name} {is_what}: {error.message}", error.hint, *error.remedies) from error

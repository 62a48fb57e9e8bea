"""The way from the name of a model to a model in memory: card, verified files, graph, session."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from napari_webipred import card_check, completion, limits, self_test
from napari_webipred.archive import model_files
from napari_webipred.archive.model_files import ModelFiles
from napari_webipred.cache import graphs, index, overrides, remembered, store
from napari_webipred.card import ModelCard, PartialCard, Provenance
from napari_webipred.catalogue import local_model
from napari_webipred.errors import CatalogueError, LimitError, ModelError, SlowModelError, WebIPredError
from napari_webipred.limits import available_cores
from napari_webipred.merge import merge
from napari_webipred.model import Model, open_session
from napari_webipred.model_overrides import ModelOverrides
from napari_webipred.runtime import facts
from napari_webipred.runtime.graph import COMPILER_VERSION
from napari_webipred.runtime.outputs import UndecidedOutputError

if TYPE_CHECKING:
    from napari_webipred.cache.entry import Entry
    from napari_webipred.runtime.session import Session
    from napari_webipred.runtime.tfjs import LayersModel


class Progress(Struct, frozen=True):
    """How far the opening of a model has come.

    ``done`` and ``total`` are bytes while downloading, else 0 and None. A total of None is not known.
    ``seconds_left`` is what a download still takes, as far as can be said; ``waiting`` says why nothing arrives.
    """

    stage: Literal["download", "compile", "load"]
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    waiting: str = ""


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

    Settings of a model that has no card in the catalogue are kept for the next time.

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
        What turns the outputs into probabilities, if the model does not do so itself: ``"softmax"``, ``"sigmoid"``;
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
    given = ModelOverrides.of(classes, standardize, size, activation, output)
    for _ in range(limits.OPENING_TRIES):
        card, path = yield from _located(reference, replace)
        replace = False
        entry = next((entry for entry in store.noted(card) if entry.path == path), None)
        if entry is None and store.is_fetched(card):
            continue
        try:
            model = yield from _opened(card, path, entry, given, allow_slow)
        except _ChangedError:
            continue
        except (WebIPredError, OSError):
            if entry is None or entry.is_there():
                raise
        else:
            if entry is None or entry.is_there():
                return model
    raise CatalogueError(
        f"Another program keeps removing the model {card.id} while it is opened.", "Try again when it has finished."
    )


def opened_archive(name: str, archive: bytes) -> Model:
    """Open a model that was made here, and is a zip archive in memory; nothing of it is kept on disk.

    Raises
    ------
    ModelError
        The archive holds no model that can be used.
    """
    from napari_webipred.catalogue import side_files

    files = model_files.in_memory(name, archive)
    card = side_files.completed(local_model.card_of_path(Path(name)), files)
    with _named(card):
        graph = _compiled(card, files, files.model_file(local_model.entry_point(card)))
    model = _from_graph(card, files, files.checksum, graph, allow_slow=True)
    model.archive = archive
    return model


def files_of(model: Model) -> ModelFiles | None:
    """Open the files that a model was read from; None if it is not known where they are."""
    if model.archive is not None:
        return model_files.in_memory(model.card.name, model.archive)
    return None if model.path is None else model_files.open_files(model.path)


def keras_network(model: Model, files: ModelFiles | None = None) -> tuple[LayersModel, int] | None:
    """Read the network of a model again, layer by layer, and which of its outputs gives the classes.

    Returns None if it is no Keras network, or its files are not there any more; `files` are these, if they are open.
    """
    from napari_webipred.runtime.readers import layers_of

    card = model.card
    if files is None and (model.archive is not None or (model.path is not None and model_files.exists(model.path))):
        files = files_of(model)
    if files is None:
        return None
    weights = local_model.opened_weights(card)
    return layers_of(
        files,
        files.kind,
        files.model_file(local_model.entry_point(card)),
        card.output.tensor_name,
        len(card.classes),
        unpacked=files.unpacked,
        preferred=weights.format if weights and not card.is_unpublished else None,
    )


class _ChangedError(Exception):
    """The files of a model are not what was remembered of them, which is forgotten now."""


def _located(reference: str | Path, replace: bool) -> Generator[Progress, None, tuple[ModelCard, Path]]:
    """Find the card and the files of a model; download them if they are not on this machine."""
    # No model of the catalogue is called as an absolute path is.
    is_path = isinstance(reference, Path) or (Path(reference).is_absolute() and model_files.exists(Path(reference)))
    known = None if is_path else index.find(str(reference))
    if is_path or (known is None and model_files.exists(Path(reference))):
        return local_model.card_of_path(Path(reference)), Path(reference)
    card = known or index.resolve(str(reference))
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


def _opened(
    card: ModelCard, path: Path, entry: Entry | None, given: ModelOverrides, allow_slow: bool
) -> Generator[Progress, None, Model]:
    """Complete the card by the files of a model and by the user's settings, then load it.

    Files in the cache have just been verified.
    """
    files = model_files.open_files(path)
    checksum = entry.checksum if entry else _checksum(files)
    if any(w.source.type == "builtin" and w.checksum not in {None, checksum} for w in card.weights):
        raise ModelError(f"The model {card.name}, which is part of napari-webipred, is damaged.", "Install it again.")
    saved = ModelOverrides()
    is_complete = card.preprocessing is not None and bool(card.classes)
    if not is_complete:
        from napari_webipred.catalogue import side_files

        card = side_files.completed(card, files, files.entry)
        saved = overrides.load(checksum)
    settings = given.over(saved)
    card = settings.applied_to(card)
    card = merge(card, local_model.describe_choice(card, files.entry))
    entry_point = files.model_file(local_model.entry_point(card))
    if entry and entry.doubt:
        card = merge(card, PartialCard(provenance=Provenance(origin=entry.doubt)), overrule=True)
    model = yield from _loaded(card, path, files, entry_point, checksum, allow_slow)
    model.path = path
    if not is_complete and settings != saved:
        overrides.save(checksum, settings)
    return model


def _checksum(files: ModelFiles) -> str:
    """Return the checksum of files; they are read only if they may have changed since that was done last."""
    before = remembered.identity(files.on_disk())
    if (known := remembered.checksum_of(before)) is not None:
        return known
    checksum = files.checksum  # reads the files, which must stay the same meanwhile
    remembered.note(before, remembered.identity(files.on_disk()), checksum)
    return checksum


def _loaded(
    card: ModelCard, path: Path, files: ModelFiles, entry_point: str | None, checksum: str, allow_slow: bool
) -> Generator[Progress, None, Model]:
    """Load the graph that is kept of a model; compile it if there is none. Nothing is kept of a refused model."""
    choice = _choice(card, entry_point if files.entry is None else None)
    paths = graphs.compiled_paths(checksum, COMPILER_VERSION, choice)
    for kept in filter(os.path.isfile, paths):  # unlike `Path.is_file`, it never raises
        yield Progress("load")
        try:
            return _from_graph(card, files, checksum, kept, allow_slow)
        except LimitError:
            raise
        except ModelError:
            pass  # a damaged graph is made again
    if remembered.forget(checksum) and files.checksum != checksum:
        raise _ChangedError
    yield Progress("compile")
    with _named(card):
        graph = _compiled(card, files, entry_point)
    if model_files.open_files(path).checksum != checksum:
        raise ModelError(f"The files of the model {card.name} changed while they were being read.", "Open it again.")
    yield Progress("load")
    model = _from_graph(card, files, checksum, graph, allow_slow)
    if model.card.provenance.self_test and model.card.test:
        graph = facts.with_facts(graph, {_test_key(model.card): model.card.provenance.self_test})
    # What ONNX Runtime does not open is not kept.
    if graphs.keep_compiled(paths[-1], graph):
        model.kept_at(paths[-1])
    return model


def _from_graph(card: ModelCard, files: ModelFiles, checksum: str, graph: Path | bytes, allow_slow: bool) -> Model:
    """Open a graph, complete the card by what only the network knows, and run the test of the card."""
    with _named(card):
        session = open_session(graph, available_cores(), allow_slow=allow_slow)
    complete = completion.complete(card, session)
    with _named(card):
        card_check.check(complete, session)
    if complete.test is not None:
        result = _tested(complete, files, session)
        complete = merge(complete, PartialCard(provenance=Provenance(self_test=result)), overrule=True)
    return Model(complete, checksum, graph, session, allow_slow=allow_slow)


def _tested(card: ModelCard, files: ModelFiles, session: Session) -> str:
    """Run the test of a card, unless its result stands in the graph."""
    return session.properties.get(_test_key(card)) or self_test.run(card, files, session.predict)


def _test_key(card: ModelCard) -> str:
    return f"{facts.PREFIX}test.{self_test.digest(card)}"


def _compiled(card: ModelCard, files: ModelFiles, entry_point: str | None) -> bytes:
    from napari_webipred.runtime.bounds import with_bounds  # a graph that is kept needs no compiler
    from napari_webipred.runtime.readers import compile_files

    # Of somebody's own file nothing is known.
    weights = local_model.opened_weights(card)
    form = weights.format if weights and not card.is_unpublished else None
    try:
        graph = compile_files(
            files,
            files.kind,
            entry_point,
            card.output.tensor_name,
            len(card.classes),
            unpacked=files.unpacked,
            preferred=form,
        )
    except UndecidedOutputError as error:
        raise UndecidedOutputError(f"The model {card.name}", error.outputs) from error
    return with_bounds(graph)


def _choice(card: ModelCard, entry_point: str | None) -> str | None:
    """Name what of the files is compiled, if that is not all that they hold: each choice has a graph of its own."""
    output = card.output.tensor_name
    return output if entry_point is None else f"{entry_point}\0{output or ''}"


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

"""The models on this machine: fetched once, verified, kept in one folder.

Below the cache folder lie ``models/<id>/`` with the archive, ``card.json`` and ``entry.json``, ``compiled/`` with the
graphs made of the models, and ``told/`` with what the user has told about models that do not say it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_webipred import settings
from napari_webipred.catalogue.card import ModelCard, Weights, read_card
from napari_webipred.catalogue.entry import (
    LEFT_OVER,
    LOCK_SUFFIX,
    Entry,
    all_entries,
    model_folder,
    read_entry,
    write_whole,
)
from napari_webipred.errors import CatalogueError

_log = logging.getLogger(__name__)
_BUILT_IN = Path(__file__).parent / "cards"
_TOLD = re.compile(r"[0-9a-f]{64}\.json")
_COMPILED = re.compile(r"[0-9a-f]{64}-v\d+\.onnx")


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is, in bytes; ``total`` is None as long as the server has not said."""

    done: int
    total: int | None


def fetch(card: ModelCard) -> Generator[Download, None, Path]:
    """Bring the file of a model to this machine, unless it is here, and verify it.

    A generator that tells of its progress about ten times a second and returns the path. Closing it cancels the
    download and leaves nothing behind. A model that is part of the program, or that is here and sound, yields nothing
    and needs no network; a file that was damaged is fetched again.

    Raises
    ------
    CatalogueError
        The model cannot be found or fetched, arrives damaged, is no zip archive, or cannot be written.
    """
    if (path := _built_in(card)) is not None:
        return path
    weights = _on_zenodo(card)
    if weights is None:
        raise CatalogueError(
            f"The card of {card.id} names no TensorFlow.js archive on Zenodo.",
            "Download the model in a browser and open it from disk.",
        )
    entry = read_entry(card.id, weights.source.model_dump())
    if entry is not None and entry.is_sound():
        return entry.path
    if settings.current().offline:
        here = ", ".join(["demo", *(entry.id for entry in entries())])
        raise CatalogueError(
            f"The model {card.id} is {'damaged' if entry else 'not on this machine'}, "
            "and use of the network is switched off.",
            f"Unset NAPARI_WEBIPRED_OFFLINE, or choose a model that is here: {here}.",
        )
    from napari_webipred.catalogue.download import Transfer

    transfer = Transfer(card, weights)
    thread = threading.Thread(target=transfer.run, name=f"fetch {card.id}", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            yield Download(transfer.done, transfer.total)
            thread.join(0.1)
    finally:
        transfer.cancel()
        thread.join(1)
    return transfer.result()


def path_of(card: ModelCard) -> Path | None:
    """Return where the model's file lies, or None if it is not on this machine. Its content is not read."""
    if (path := _built_in(card)) is not None:
        return path
    weights = _on_zenodo(card)
    entry = read_entry(card.id, weights.source.model_dump()) if weights else None
    return entry.path if entry and entry.path.is_file() else None


def entries() -> list[Entry]:
    """Return what has been fetched, in the order of the identifiers."""
    return all_entries()


def cards() -> list[ModelCard]:
    """Return the cards of what has been fetched."""
    found = []
    for entry in entries():
        try:
            found.append(read_card(model_folder(entry.id) / "card.json"))
        except CatalogueError as error:
            _log.warning("%s", error)
    return found


def remove(id: str) -> int:  # noqa: A002
    """Remove a fetched model and what was compiled from it; return how many bytes that freed.

    Raises
    ------
    CatalogueError
        No such model has been fetched, or its files cannot be removed.
    """
    entry = read_entry(id)
    if entry is None:
        raise CatalogueError(
            f"There is no fetched model {id!r} to remove.", "`napari-webipred cache` lists those that there are."
        )
    cache = settings.current().cache_folder
    made = [*(cache / "compiled").glob(f"{entry.sha256}-v*.onnx"), *(cache / "told").glob(f"{entry.sha256}.json")]
    return _delete([*_own_files(model_folder(id)), *made])


def wipe() -> int:
    """Remove all models, compiled graphs and what was told of models; return the bytes freed.

    Nothing else in the cache folder is touched.
    """
    cache = settings.current().cache_folder
    files = [path for path in (cache / "compiled").glob("*") if _is_compiled(path)]
    files += [path for path in (cache / "told").glob("*") if _TOLD.fullmatch(path.name) or _is_left_over(path)]
    for path in (cache / "models").glob("*"):
        files += [path] if path.name.endswith(LOCK_SUFFIX) else _own_files(path)
    freed = _delete(files)
    for folder in (cache / "compiled", cache / "told", cache / "models"):
        with suppress(OSError):  # It does not exist, or holds something of the user's.
            folder.rmdir()
    return freed


def _own_files(folder: Path) -> list[Path]:
    """Return the files in a model's folder that we have put there; none if the folder is not ours."""
    entry = read_entry(folder.name)
    if folder.is_symlink() or (entry is None and not _holds_our_card(folder)):
        return []
    names = {"card.json", "entry.json"} | ({entry.file} if entry else set())
    return [path for path in folder.iterdir() if path.name in names or LEFT_OVER.fullmatch(path.name)]


def _holds_our_card(folder: Path) -> bool:
    """Tell whether a download was begun here that never came to an end."""
    try:
        return read_card(folder / "card.json").id == folder.name
    except CatalogueError:
        return False


def _is_compiled(path: Path) -> bool:
    return bool(_COMPILED.fullmatch(path.name)) or _is_left_over(path)


def _is_left_over(path: Path) -> bool:
    return bool(LEFT_OVER.fullmatch(path.name))


def _delete(files: list[Path]) -> int:
    freed = 0
    for path in files:
        try:
            size = path.stat().st_size
            path.unlink()
        except OSError as error:
            raise CatalogueError(
                f"{path} cannot be removed: {error.strerror}.", "Close programs that use it."
            ) from error
        freed += size
    for folder in {path.parent for path in files}:
        with suppress(OSError):  # Something else lies there.
            folder.rmdir()
    return freed


def compiled_path(checksum: str, version: int) -> Path:
    """Return where the compiled graph of a model lies or would lie.

    Parameters
    ----------
    checksum : str
        ``sha256:`` and 64 hexadecimal digits, of the model's files.
    version : int
        Version of the compiler.
    """
    name = f"{checksum.removeprefix('sha256:')}-v{version}.onnx"
    if not _COMPILED.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return settings.current().cache_folder / "compiled" / name


def keep_compiled(path: Path, data: bytes) -> bool:
    """Write a compiled graph for the next time; False if the cache cannot be written, which harms nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        _log.info("The compiled model is not kept: %s", error.strerror)
        return False
    return True


def _built_in(card: ModelCard) -> Path | None:
    for weights in card.weights:
        if weights.source.type == "builtin":
            return _BUILT_IN / Path(weights.source.file_key or "").name
    return None


def _on_zenodo(card: ModelCard) -> Weights | None:
    """Return the TensorFlow.js archive of a model, if it is on Zenodo."""
    for weights in card.weights:
        if weights.format == "tfjs-layers" and weights.source.type == "zenodo" and weights.source.record_id:
            return weights
    return None

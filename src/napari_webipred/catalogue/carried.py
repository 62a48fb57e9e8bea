"""Files that are brought to this machine by hand, and put into the cache as if they had been downloaded."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from napari_webipred import file_errors, settings
from napari_webipred.catalogue import index, sources
from napari_webipred.catalogue.card import ModelCard, Weights
from napari_webipred.catalogue.entry import FILES, model_folder, read_entry, write_entry, write_whole
from napari_webipred.catalogue.errand import Errand
from napari_webipred.catalogue.part import check_kind
from napari_webipred.catalogue.remote import RemoteFile, harmless, wanted
from napari_webipred.catalogue.store import Download
from napari_webipred.errors import ArchiveError, CatalogueError, OptionError

_CHUNK = 2**20


@dataclass(slots=True)
class Count:
    """Bytes done of those that there are."""

    total: int
    done: int = 0


def take(path: Path, reference: str) -> Generator[Download, None, tuple[ModelCard, bool]]:
    """Put a file that was downloaded by hand into the cache as the model that it is.

    A generator that tells how far it is and returns the card, and whether the file could be compared with a checksum:
    that of the card or, if it has none and the network may be used, of the record.

    Raises
    ------
    ArchiveError
        The file is not the one that belongs to the model.
    CatalogueError
        There is no such model, or the cache cannot be written.
    """
    card = index.resolve(reference)
    weights = wanted(card)
    if weights is None:
        raise OptionError(f"The model {card.id} needs no file: it is part of the program.", "Just use it.")
    if is_folder(weights):
        raise OptionError(
            f"The model {card.id} has several files.",
            "On a machine with a network, write a bundle of it, and import that.",
            "write bundle",
        )
    expected = _expected(card, weights, path)
    try:
        with path.open("rb") as source:
            head = source.read(512)
            try:
                check_kind(expected.name, head)
            except CatalogueError as error:  # which speaks of the file that should be here
                raise ArchiveError(
                    error.message.replace(expected.name, path.name), "Download the file again, or choose the right one."
                ) from error
            source.seek(0)
            size = path.stat().st_size
            if expected.size not in (None, size):
                raise ArchiveError(
                    f"{path.name} has {size} bytes, the file of {card.id} {expected.size}.",
                    "Download it again, or choose the right one.",
                )
            with place(card) as folder:
                sums = [expected.checksum] if expected.checksum else []
                yield from put(source, folder, expected.name, size, sums, Count(size))
                # Where it lay on this machine is nobody's business.
                finish(card, [replace(expected, url="imported", size=size)], weights.source.model_dump())
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path} cannot be read: {reason}.", remedy) from error
    return card, expected.checksum is not None


def is_folder(weights: Weights) -> bool:
    """Tell whether a model is a topology with weights beside it, not one file."""
    return (weights.source.file_key or weights.source.url or "").endswith("model.json")


def _expected(card: ModelCard, weights: Weights, path: Path) -> RemoteFile:
    """Return what is known of the file that a model has."""
    known = RemoteFile("", harmless(weights.source.file_key or path.name), weights.size, weights.checksum)
    if known.checksum is None and not settings.current().offline:
        try:
            with Errand(patience=0):
                (file,) = sources.remote_files(card)
            known = RemoteFile("", file.name, file.size, file.checksum)
        except (CatalogueError, ValueError):
            pass  # The network is what there is none of; the caller is told that nothing was compared.
    return known


@contextmanager
def place(card: ModelCard) -> Iterator[Path]:
    """Make room for a model's files, alone with them."""
    from napari_webipred.catalogue.download import exclusive, unwritable

    folder = model_folder(card.id)
    errand = Errand(patience=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder, errand):
            if read_entry(card.id) is None:
                # By its card the folder is recognised as ours, even if this process is killed now.
                write_whole(folder / "card.json", card.model_dump_json(indent=1, exclude_unset=True).encode())
            try:
                yield folder
            finally:
                if read_entry(card.id) is None:
                    _discard(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def _discard(folder: Path) -> None:
    """Take away what was put into a folder before it was complete."""
    if not (folder / FILES).is_symlink():
        shutil.rmtree(folder / FILES, ignore_errors=True)
    (folder / "card.json").unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def put(
    source: IO[bytes], folder: Path, name: str, size: int, checksums: Sequence[str], count: Count
) -> Generator[Download, None, None]:
    """Put a file into the folder of a model, where it appears when it has been found to be the right one."""
    target = folder / FILES / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield from copy(source, stream, name, size, checksums, count)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def copy(
    source: IO[bytes], target: IO[bytes], name: str, size: int, checksums: Sequence[str], count: Count
) -> Generator[Download, None, None]:
    """Copy a file, which must have this size and all of these checksums."""
    sums = [(hashlib.new(checksum.partition(":")[0], usedforsecurity=False), checksum) for checksum in checksums]
    left = size
    while chunk := source.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            break
        for running, _ in sums:
            running.update(chunk)
        target.write(chunk)
        count.done += len(chunk)
        yield Download(count.done, count.total)
    if left or any(f"{running.name}:{running.hexdigest()}" != checksum for running, checksum in sums):
        raise ArchiveError(
            f"{name} is not the file that it should be: its checksum is another.",
            "Get it again; it was damaged or changed on its way.",
        )


def finish(card: ModelCard, files: Iterable[RemoteFile], source: dict[str, Any]) -> None:
    """Note that a model is complete."""
    write_whole(model_folder(card.id) / "card.json", card.model_dump_json(indent=1, exclude_unset=True).encode())
    write_entry(card.id, files, source)

"""Files that are brought to this machine by hand, and put into the cache as if they had been downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from msgspec import Struct
from msgspec.structs import replace as replace_fields

from napari_webipred import file_errors, settings
from napari_webipred.cache import fingerprints, index
from napari_webipred.cache.arrival import accept, announce, changed, discard, is_other, place_for
from napari_webipred.cache.entry import FILES, Entry, KeptFile, Origin, read_entry, write_entry
from napari_webipred.cache.folders import new_model_folder
from napari_webipred.cache.lock import exclusive
from napari_webipred.cache.store import Download, noted
from napari_webipred.card import ModelCard, Weights
from napari_webipred.catalogue import providers
from napari_webipred.checksums import algorithm_of, checksums
from napari_webipred.download.partial import check_kind
from napari_webipred.download.remote_file import RemoteFile, harmless, wanted
from napari_webipred.download.request_context import RequestContext
from napari_webipred.errors import ArchiveError, CatalogueError, ChangedModelError, OptionError

_CHUNK = 2**20


class Count(Struct):
    """Bytes done of those that there are."""

    total: int
    done: int = 0


def take(path: Path, reference: str, *, replace: bool = False) -> Generator[Download, None, tuple[ModelCard, bool]]:
    """Put a file that was downloaded by hand into the cache as the model that it is.

    A generator that tells how far it is and returns the card, and whether the file could be compared with a checksum:
    that of the card or, if it has none and the network may be used, of the record.

    Parameters
    ----------
    path : Path
        The file.
    reference : str
        The model that it is.
    replace : bool
        True takes it even if it is not what is here, or was, under the same name.

    Raises
    ------
    ArchiveError
        The file is not the one that belongs to the model.
    ChangedModelError
        It is not what is here, or was, under the same name.
    CatalogueError
        There is no such model, or the cache cannot be written.
    """
    card = index.resolve(reference)
    weights = wanted(card)
    if weights is None:
        raise OptionError(
            f"The model {card.id} needs no file: it is part of napari-webipred.", "You can use it without a download."
        )
    if is_folder(weights):
        raise OptionError(
            f"The model {card.id} has several files.",
            "Write a bundle of it on a machine with internet, and import the bundle.",
            "write bundle",
        )
    expected = _expected(card, weights, path)
    source = weights.source.model_dump()
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            try:
                check_kind(expected.name, head)
            except CatalogueError as error:  # which speaks of the file that should be here
                raise ArchiveError(
                    error.message.replace(expected.name, path.name), "Download the file again, or choose another file."
                ) from error
            size = path.stat().st_size
            if expected.size not in (None, size):
                raise ArchiveError(
                    f"{path.name} has {size} bytes, but the file of {card.id} {expected.size}.",
                    "Download it again, or choose another file.",
                )
            compared = expected.checksum is not None
            stream.seek(0)
            sums = checksums(stream, {"sha256", algorithm_of(expected.checksum)})
            if compared and expected.checksum not in sums.values():
                raise _another(path.name)
            digest = sums["sha256"].removeprefix("sha256:")
            if not replace and is_another(card, read_entry(card.id), source, digest):
                raise changed([card.id])
            stream.seek(0)
            with place(card):
                yield from put(stream, place_for(card, expected.name), size, [f"sha256:{digest}"], Count(size))
                # Where it lay on this machine is nobody's business.
                file = KeptFile(expected.name, "imported", expected.checksum, size, digest)
                origin: Origin = "source" if compared or is_confirmed(card.id, source, digest) else "file"
                accept(card, [file], source, origin, anyway=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path} cannot be read: {reason}.", remedy) from error
    return card, compared


def is_folder(weights: Weights) -> bool:
    """Tell whether a model is a topology with weights beside it, not one file."""
    return (weights.source.file_key or weights.source.url or "").endswith("model.json")


def _expected(card: ModelCard, weights: Weights, path: Path) -> RemoteFile:
    """Return what is known of the file that a model has."""
    known = RemoteFile("", harmless(weights.source.file_key or path.name), weights.size, weights.checksum)
    if known.checksum is None and not settings.current().offline:
        try:
            with RequestContext(longest_wait=0):
                (file,) = providers.remote_files(card)
            known = RemoteFile("", file.name, file.size, file.checksum)
        except (CatalogueError, ValueError):
            pass  # The network is what there is none of; the caller is told that nothing was compared.
    return known


def confirm(card: ModelCard) -> Entry | None:
    """Compare a model that was brought by hand with the checksums that its source has; return what is noted then.

    Models that came from their source are not compared again, and somebody's own never. None if the model is not in the
    cache.

    Raises
    ------
    ChangedModelError
        The files are not those of the source.
    CatalogueError
        The source cannot be asked.
    """
    entry = next(iter(noted(card)), None)
    if entry is None or entry.origin == "source" or entry.read_only or entry.is_unpublished:
        return entry
    files = providers.remote_files(card)
    if None in {file.checksum for file in files}:
        return entry  # The source has nothing to compare with.
    try:
        same = _are_those(entry, files)
    except OSError as error:
        if entry.is_there():
            reason, remedy = file_errors.reading(error)
            raise CatalogueError(f"{entry.path} cannot be read: {reason}.", remedy) from error
        same = False
    if not entry.is_there():  # Another program has removed or replaced it in the meantime.
        return next(iter(noted(card)), None)
    if not same:
        raise ChangedModelError(
            f"The files of {card.id} on this machine came from a {entry.origin} and differ from those at its source.",
            "Do not trust the results of this model until you know why.",
            "replace model",
        )
    with exclusive(entry.folder, RequestContext(longest_wait=0)):
        if entry.is_there():
            entry = write_entry(replace_fields(entry, origin="source"))
            fingerprints.remember(card.id, entry.source, entry.fingerprint)
    return entry


def _are_those(entry: Entry, files: Sequence[RemoteFile]) -> bool:
    """Tell whether the files in the cache have these checksums; the name of a single file does not matter."""
    here = {file.name: file.name for file in entry.files}
    if len(files) == len(here) == 1:
        here = {files[0].name: entry.files[0].name}
    if set(here) != {file.name for file in files}:
        return False
    for file in files:
        path = entry.folder / FILES / here[file.name]
        if file.checksum not in checksums(path, [algorithm_of(file.checksum)]).values():
            return False
    return True


def is_another(card: ModelCard, there: Entry | None, source: dict[str, Any], fingerprint: str) -> bool:
    """Tell whether files are not those that are here, or came from the source before, under the same name."""
    differs = there is not None and (there.source, there.fingerprint) != (source, fingerprint)
    return differs or is_other(card, source, fingerprint)


def is_confirmed(id: str, source: dict[str, Any], fingerprint: str) -> bool:  # noqa: A002
    """Tell whether the same files came from the source itself before."""
    return fingerprints.recall(id, source) == fingerprint


@contextmanager
def place(card: ModelCard) -> Iterator[None]:
    """Make room for a model's files, alone with them."""
    from napari_webipred.cache.transfer import unwritable

    try:
        folder = new_model_folder(card.id)
        with exclusive(folder, RequestContext(longest_wait=0)):
            announce(card)
            try:
                yield
            finally:
                discard(folder)
    except OSError as error:
        raise unwritable(card.id, error) from error


def put(
    source: IO[bytes], target: Path, size: int, expected: Sequence[str], count: Count
) -> Generator[Download, None, None]:
    """Copy a file to where it arrives; it is complete, and the right one, or not there."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as stream:
            yield from copy(source, stream, target.name, size, expected, count)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def copy(
    source: IO[bytes], target: IO[bytes], name: str, size: int, expected: Sequence[str], count: Count
) -> Generator[Download, None, None]:
    """Copy a file, which must have this size and all of these checksums."""
    sums = [(hashlib.new(algorithm_of(checksum), usedforsecurity=False), checksum) for checksum in expected]
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
        raise _another(name)


def _another(name: str) -> ArchiveError:
    return ArchiveError(
        f"{name} is not the expected file: its checksum is different.",
        "Get it again; it was damaged or changed on the way.",
    )

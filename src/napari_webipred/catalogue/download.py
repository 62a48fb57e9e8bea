"""One model on its way from a server into the cache."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import pooch

from napari_webipred import file_errors
from napari_webipred.catalogue import refusal, sources
from napari_webipred.catalogue.card import ModelCard, Weights
from napari_webipred.catalogue.entry import (
    FILES,
    LEFT_OVER,
    LOCK_SUFFIX,
    Entry,
    model_folder,
    read_entry,
    write_entry,
    write_whole,
)
from napari_webipred.catalogue.errand import LONGEST_WAIT, Cancelled, Errand
from napari_webipred.catalogue.member import MAX_BYTES
from napari_webipred.catalogue.part import Part, part_name
from napari_webipred.catalogue.remote import RemoteFile
from napari_webipred.errors import CatalogueError

_log = logging.getLogger(__name__)


class Transfer:
    """A download that runs in a thread of its own and can be cancelled from another.

    Attributes
    ----------
    done : int
        Bytes that are here.
    total : int or None
        Bytes that there are in all, once they are known.
    """

    def __init__(self, card: ModelCard, weights: Weights) -> None:
        self.done = 0
        self.total: int | None = None
        self._card = card
        self._weights = weights
        self._errand = Errand(patience=LONGEST_WAIT)
        self._begun: tuple[float, int] | None = None
        self._outcome: Path | Exception = Cancelled()

    def result(self) -> Path:
        """Return the path of the verified model, or raise what went wrong; called when the thread has ended."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Stop as soon as possible, also while waiting for a server that has fallen silent."""
        self._errand.cancel()

    @property
    def waiting(self) -> str:
        """Why nothing arrives at the moment; empty while something does."""
        return self._errand.waiting

    @property
    def seconds_left(self) -> float | None:
        """How long it will take still, at the speed so far; None as long as that is not known."""
        if self.total is None or self._begun is None:
            return None
        begin, before = self._begun
        return time_left(time.monotonic() - begin, self.done - before, self.total - self.done)

    def run(self) -> None:
        """Fetch, verify and note the model; called in the thread."""
        folder = model_folder(self._card.id)
        try:
            with self._errand:
                folder.mkdir(parents=True, exist_ok=True)
                with exclusive(folder, self._errand):
                    self._outcome = self._run(folder).path
        except CatalogueError as error:
            self._outcome = error
        except OSError as error:
            self._outcome = unwritable(folder, error)
        except Exception as error:
            self._outcome = error
        finally:
            for empty in (folder / FILES, folder):  # They are empty only if nothing has come of the download.
                with suppress(OSError):
                    empty.rmdir()

    def _run(self, folder: Path) -> Entry:
        # Another process may have fetched it while this one waited.
        entry = read_entry(self._card.id)
        if entry is not None and entry.is_of(self._weights) and entry.is_sound():
            return entry
        try:
            return self._fetch(folder, entry is not None)
        except (Cancelled, OSError) as error:
            # Nobody wants it any more, or it takes the last space. Else the parts wait here for the next try.
            if not isinstance(error, CatalogueError):
                _clean(folder, set())
            raise
        finally:
            _leave(folder)

    def _fetch(self, folder: Path, again: bool) -> Entry:
        files = sources.remote_files(self._card)
        sizes = [file.size for file in files]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        _check_space(folder, files)
        _clean(folder, {part_name(file) for file in files})
        if not again:
            # By its card the folder is recognised as ours, even if this process is killed now.
            self._write_card(folder)
        before = 0
        for file in files:
            path = self._retrieve(file, folder, before)
            before += path.stat().st_size
        self._write_card(folder)
        return write_entry(self._card.id, files, self._weights.source.model_dump())

    def _write_card(self, folder: Path) -> None:
        write_whole(folder / "card.json", self._card.model_dump_json(indent=1, exclude_unset=True).encode())

    def _retrieve(self, file: RemoteFile, folder: Path, before: int) -> Path:
        """Let pooch compare the file's checksum and move it into place, unless it is there already."""
        path = folder / FILES / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.checksum is None:
            path.unlink(missing_ok=True)  # pooch takes what is there if it has nothing to compare it with
        logger = pooch.get_logger()
        level = logger.level
        logger.setLevel(logging.WARNING)  # pooch tells standard error about every download
        resumed = True
        try:
            while True:
                part = Part(file, folder, lambda done: self._tell(before + done))

                def fetch(_url: str, output: str, _pooch: Any, part: Part = part) -> None:
                    part.complete()
                    part.path.replace(output)

                try:
                    pooch.retrieve(file.url, file.checksum, fname=path.name, path=path.parent, downloader=fetch)
                    return path
                except ValueError as error:
                    if part.resumed and resumed:
                        resumed = False  # The first part may be to blame: once more, all of it.
                        continue
                    raise CatalogueError(
                        f"{file.name} has arrived damaged: its checksum is not {file.checksum}.",
                        "Try again; if it stays so, a proxy may be changing files on their way.",
                        refusal.BY_HAND,
                    ) from error
        finally:
            logger.setLevel(level)

    def _tell(self, done: int) -> None:
        self.done = done
        if self._begun is None:
            self._begun = (time.monotonic(), done)


def time_left(seconds: float, new: int, missing: int) -> float | None:
    """Return in how many seconds the missing bytes will be here, if the new ones took so many; None without any."""
    return missing * seconds / new if new > 0 else None


@contextmanager
def exclusive(folder: Path, errand: Errand) -> Iterator[None]:
    """Let one process at a time change the folder of a model; wait for the others until the errand is called off."""
    lock = filelock.FileLock(folder.with_name(f".{folder.name}{LOCK_SUFFIX}"))
    while True:
        errand.go_on()
        try:
            lock.acquire(timeout=0.2)
            break
        except filelock.Timeout:
            continue
        except (OSError, NotImplementedError) as error:
            # Some network file systems have no locks; a file is moved into place whole, so two may fetch it.
            _log.info("Going on without a lock: %s", error)
            break
    try:
        folder.mkdir(exist_ok=True)  # The one before may have taken it away, being empty.
        yield
    finally:
        lock.release()


def _check_space(folder: Path, files: Sequence[RemoteFile]) -> None:
    for file in files:
        if (file.size or 0) > MAX_BYTES:
            raise CatalogueError(
                f"{file.name} has {file.size} bytes; {MAX_BYTES} are the most that is fetched.",
                "Choose another model.",
            )
    here = sum(path.stat().st_size for file in files if (path := folder / part_name(file)).is_file())
    if shutil.disk_usage(folder).free < sum(file.size or 0 for file in files) - here:
        raise OSError(errno.ENOSPC, "disk full")


def _clean(folder: Path, wanted: set[str]) -> None:
    """Take away what downloads have left that were killed or are not wanted any more."""
    for path in [*folder.rglob("*")]:
        if LEFT_OVER.fullmatch(path.name) and path.name not in wanted and not path.is_dir():
            path.unlink()


def _leave(folder: Path) -> None:
    """Take away the card of a model of which nothing has come, and the folders that this leaves empty."""
    below = [path for path in folder.rglob("*") if path.is_dir()]
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            path.rmdir()
    if [path.name for path in folder.iterdir()] == ["card.json"]:
        (folder / "card.json").unlink()


def unwritable(folder: Path, error: OSError) -> CatalogueError:
    """Say in words why a model cannot be kept."""
    if file_errors.out_of_space(error):
        return CatalogueError(
            f"There is too little space for the model in {folder}.",
            "Free up space on this disk, or set NAPARI_WEBIPRED_CACHE to another folder.",
            "free space",
        )
    return CatalogueError(
        f"The model cannot be kept in {folder}: {file_errors.writing(error)[0]}.",
        "Set NAPARI_WEBIPRED_CACHE to a folder where you may write.",
    )

"""One model on its way from a server into the cache."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from napari_webipred import file_errors, limits
from napari_webipred.archive.entry import MAX_BYTES
from napari_webipred.cache.arrival import accept, announce, discard, place_for
from napari_webipred.cache.entry import ARRIVING, CARD, LEFT_OVER, Entry, KeptFile, files_below, read_entry
from napari_webipred.cache.folders import model_folder, new_model_folder
from napari_webipred.cache.lock import exclusive
from napari_webipred.card import ModelCard, Weights
from napari_webipred.catalogue import providers
from napari_webipred.checksums import algorithm_of, checksums
from napari_webipred.download import http_errors
from napari_webipred.download.partial import PART, VERSION, PartialDownload, partial_name
from napari_webipred.download.remote_file import RemoteFile
from napari_webipred.download.request_context import Cancelled, RequestContext
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

    def __init__(self, card: ModelCard, weights: Weights, *, replace: bool = False) -> None:
        self.done = 0
        self.total: int | None = None
        self._card = card
        self._weights = weights
        self._replace = replace
        self._context = RequestContext(longest_wait=limits.LONGEST_WAIT)
        self._begun: tuple[float, int] | None = None
        self._outcome: Path | Exception = Cancelled()

    def result(self) -> Path:
        """Return the path of the verified model, or raise what went wrong; called when the thread has ended."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Stop as soon as possible, also while waiting for a server that has fallen silent."""
        self._context.cancel()

    @property
    def waiting(self) -> str:
        """Why nothing arrives at the moment; empty while something does."""
        return self._context.waiting

    @property
    def seconds_left(self) -> float | None:
        """How long it will take still, at the speed so far; None as long as that is not known."""
        if self.total is None or self._begun is None:
            return None
        begin, before = self._begun
        return time_left(time.monotonic() - begin, self.done - before, self.total - self.done)

    def run(self) -> None:
        """Fetch, verify and note the model; called in the thread."""
        try:
            with self._context:
                folder = new_model_folder(self._card.id)
                with exclusive(folder, self._context):
                    self._outcome = self._run(folder).path
        except CatalogueError as error:
            self._outcome = error
        except OSError as error:
            self._outcome = unwritable(self._card.id, error)
        except Exception as error:
            self._outcome = error

    def _run(self, folder: Path) -> Entry:
        # Another process may have fetched it while this one waited.
        if not self._replace and (entry := self._here()):
            return entry
        try:
            return self._fetch(folder)
        except FileNotFoundError:
            # On a file system without locks another process may have put the same files into place.
            if entry := self._here():
                return entry
            raise
        except (Cancelled, OSError):
            # Nobody wants it any more, or it takes the last space. Else the parts wait here for the next try.
            _clean(folder, set())
            discard(folder)
            raise
        finally:
            _leave(folder)

    def _here(self) -> Entry | None:
        entry = read_entry(self._card.id)
        return entry if entry is not None and entry.is_of(self._weights) and entry.is_sound() else None

    def _fetch(self, folder: Path) -> Entry:
        files = providers.remote_files(self._card)
        sizes = [file.size for file in files]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        _check_space(folder, files)
        _clean(folder, {partial_name(file) for file in files})
        announce(self._card)
        kept: list[KeptFile] = []
        for file in files:
            kept.append(self._retrieve(file, folder, sum(file.size for file in kept)))
        source = self._weights.source.model_dump()
        return accept(self._card, kept, source, "source", anyway=self._replace)

    def _retrieve(self, file: RemoteFile, folder: Path, before: int) -> KeptFile:
        """Download a file unless it is there already, compare its checksum, and move it into place."""
        path = place_for(self._card, file.name)
        if file.checksum is not None and (kept := _as_expected(path, file)) is not None:
            return kept
        path.unlink(missing_ok=True)
        while True:
            part = PartialDownload(file, folder, lambda done: self._note_progress(before + done))
            part.complete()
            if (kept := _as_expected(part.path, file)) is not None:
                part.move_to(path)
                return kept
            part.delete()
            if not part.resumed:  # else the first part may be to blame: once more, all of it
                raise CatalogueError(
                    f"{file.name} was damaged during the download: its checksum is not {file.checksum}.",
                    "Try again. If this happens again, a proxy may be changing files.",
                    http_errors.BY_HAND,
                )

    def _note_progress(self, done: int) -> None:
        self.done = done
        if self._begun is None:
            self._begun = (time.monotonic(), done)


def _as_expected(path: Path, file: RemoteFile) -> KeptFile | None:
    """Return what to note of a file that has the expected checksum; None if it has another, or is not there."""
    if path.is_symlink() or not path.is_file():
        return None
    sums = checksums(path, {"sha256", algorithm_of(file.checksum)})
    if file.checksum is not None and file.checksum not in sums.values():
        return None
    sha256 = sums["sha256"].removeprefix("sha256:")
    return KeptFile(file.name, file.url, file.checksum, path.stat().st_size, sha256)


def time_left(seconds: float, new: int, missing: int) -> float | None:
    """Return in how many seconds the missing bytes will be here, if the new ones took so many; None without any."""
    return missing * seconds / new if new > 0 else None


def _check_space(folder: Path, files: Sequence[RemoteFile]) -> None:
    for file in files:
        if (file.size or 0) > MAX_BYTES:
            raise CatalogueError(
                f"{file.name} has {file.size} bytes; {MAX_BYTES} are allowed at most.",
                "Choose another model.",
            )
    here = sum(path.stat().st_size for file in files if (path := folder / partial_name(file)).is_file())
    if shutil.disk_usage(folder).free < sum(file.size or 0 for file in files) - here:
        raise OSError(errno.ENOSPC, "disk full")


def _clean(folder: Path, wanted: set[str]) -> None:
    """Take away what downloads have left that were killed or are not wanted any more."""
    for path in [*folder.iterdir(), *files_below(folder / ARRIVING)]:
        kept = path.with_suffix(PART).name in wanted and path.suffix in {PART, VERSION}
        if LEFT_OVER.fullmatch(path.name) and not kept and (path.is_symlink() or not path.is_dir()):
            path.unlink()


def _leave(folder: Path) -> None:
    """Take away the card of a model of which nothing has come, and empty folders of what was arriving."""
    if not (folder / ARRIVING).is_symlink():
        below = [path for path in (folder / ARRIVING).rglob("*") if path.is_dir() and not path.is_symlink()]
        for path in [*sorted(below, key=lambda path: len(path.parts), reverse=True), folder / ARRIVING]:
            with suppress(OSError):
                path.rmdir()
    if [path.name for path in folder.iterdir()] == [CARD]:
        (folder / CARD).unlink()


def unwritable(id: str, error: OSError) -> CatalogueError:  # noqa: A002
    """Say in words why a model cannot be kept."""
    folder = model_folder(id)
    if file_errors.out_of_space(error):
        return CatalogueError(
            f"There is not enough disk space for the model in {folder}.",
            "Free up space on this disk, or choose a cache folder on another disk.",
            "free space",
            "choose cache folder",
        )
    return CatalogueError(
        f"The model cannot be stored in {folder}: {file_errors.writing(error)[0]}.",
        "Choose a cache folder that you can write to.",
        "choose cache folder",
    )

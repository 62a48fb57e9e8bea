"""One model on its way from Zenodo into the cache."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import filelock
import pooch

from napari_webipred.catalogue import web, zenodo
from napari_webipred.catalogue.archive import MAX_BYTES, kind_of
from napari_webipred.catalogue.card import ModelCard, Weights
from napari_webipred.catalogue.entry import (
    LEFT_OVER,
    LOCK_SUFFIX,
    Entry,
    model_folder,
    read_entry,
    sha256_of,
    write_entry,
    write_whole,
)
from napari_webipred.errors import CatalogueError

if TYPE_CHECKING:
    import requests

_log = logging.getLogger(__name__)


class _Cancelled(Exception):  # noqa: N818
    """The user does not want it any more."""


class Transfer:
    """A download that runs in a thread of its own and can be cancelled from another.

    Attributes
    ----------
    done : int
        Bytes that have arrived.
    total : int or None
        Bytes to come in all, once the record is known.
    """

    def __init__(self, card: ModelCard, weights: Weights) -> None:
        self.done = 0
        self.total: int | None = None
        self._card = card
        self._weights = weights
        self._cancelled = threading.Event()
        self._response: requests.Response | None = None
        self._outcome: Path | Exception = _Cancelled()

    def result(self) -> Path:
        """Return the path of the verified file, or raise what went wrong; called when the thread has ended."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Stop as soon as possible, also while waiting for a server that has fallen silent."""
        self._cancelled.set()
        if self._response is not None:
            with suppress(ValueError, RuntimeError, OSError):  # The connection has been closed in the meantime.
                self._response.raw.shutdown()

    def run(self) -> None:
        """Fetch, verify and note the model; called in the thread."""
        folder = model_folder(self._card.id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._lock(folder):
                # Another process may have fetched it while this one waited.
                entry = read_entry(self._card.id, self._weights.source.model_dump())
                if entry is None or not entry.is_sound():
                    entry = self._fetch(folder)
            self._outcome = entry.path
        except OSError as error:
            self._outcome = _unwritable(folder, error)
        except Exception as error:
            self._outcome = error
        finally:
            with suppress(OSError):  # It is empty only if nothing has come of the download.
                folder.rmdir()

    @contextmanager
    def _lock(self, folder: Path) -> Iterator[None]:
        """Let one process at a time fetch this model."""
        lock = filelock.FileLock(folder.with_name(f".{folder.name}{LOCK_SUFFIX}"))
        while True:
            self._stop_if_cancelled()
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
            yield
        finally:
            lock.release()

    def _fetch(self, folder: Path) -> Entry:
        card = self._card
        for path in folder.iterdir():
            if LEFT_OVER.fullmatch(path.name):
                path.unlink()
        record = zenodo.look_up(str(self._weights.source.record_id))
        file = zenodo.choose_file(record, card)
        self.total = file.size
        _check_space(folder, file)
        self._stop_if_cancelled()
        before = read_entry(card.id)
        with web.open_url(file.url, f"the file {file.key}") as response:
            self._response = response
            # By its card the folder is recognised as ours, even if this process is killed now.
            write_whole(folder / "card.json", card.model_dump_json(indent=1).encode())
            try:
                path = self._retrieve(response, file, folder / _file_name(record.id, file.key))
            except BaseException:
                if before is None:
                    (folder / "card.json").unlink()
                raise
        # pooch makes files that only their owner can read, whatever the umask says.
        path.chmod(stat.S_IMODE((folder / "card.json").stat().st_mode))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = write_entry(card.id, path, sha256_of(path), file.url, self._weights.source.model_dump(), now)
        if before and before.path != path:
            before.path.unlink(missing_ok=True)
        return entry

    def _retrieve(self, response: requests.Response, file: zenodo.RecordFile, path: Path) -> Path:
        """Let pooch write the file under a temporary name, compare its checksum and move it into place."""

        def copy(_url: str, output: str, _pooch: Any) -> None:
            self._copy(response, file, Path(output))

        checksum = self._weights.checksum or file.checksum
        if checksum is None:
            path.unlink(missing_ok=True)  # pooch takes what is there if it has nothing to compare it with
        logger = pooch.get_logger()
        level = logger.level
        logger.setLevel(logging.WARNING)  # pooch tells standard error about every download
        try:
            return Path(pooch.retrieve(file.url, checksum, fname=path.name, path=path.parent, downloader=copy))
        except ValueError as error:
            raise CatalogueError(
                f"{file.key} has arrived damaged: its checksum is not {checksum}.",
                "Try again; if it stays so, a proxy may be changing files on their way.",
            ) from error
        finally:
            logger.setLevel(level)

    def _copy(self, response: requests.Response, file: zenodo.RecordFile, output: Path) -> None:
        """Write what arrives, as long as it is what was announced."""
        import requests

        limit = MAX_BYTES if file.size is None else file.size
        self._stop_if_cancelled()
        try:
            with output.open("wb") as target:
                for chunk in response.iter_content(web.CHUNK):
                    self._stop_if_cancelled()
                    if self.done == 0:
                        _check_kind(file.key, chunk)
                    target.write(chunk)
                    self.done += len(chunk)
                    if self.done > limit:
                        raise CatalogueError(
                            f"{file.key} is longer than the {limit} bytes expected.", "Try again later."
                        )
        except requests.RequestException as error:
            self._stop_if_cancelled()
            if self.done:
                raise CatalogueError(
                    f"The download of {file.key} broke off after {self.done} bytes.", "Try again."
                ) from error
            raise web.broken_connection(file.url, error) from error
        self._stop_if_cancelled()
        if self.done == 0 or self.done < (file.size or 0):
            raise CatalogueError(f"The download of {file.key} broke off after {self.done} bytes.", "Try again.")

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _Cancelled


def _check_space(folder: Path, file: zenodo.RecordFile) -> None:
    size = file.size or 0
    if size > MAX_BYTES:
        raise CatalogueError(
            f"{file.key} has {size} bytes; {MAX_BYTES} are the most that is fetched.", "Choose another model."
        )
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, "disk full")


def _check_kind(name: str, head: bytes) -> None:
    """Refuse at the first bytes what is no zip archive: login pages come under any name."""
    kind = kind_of(head)
    if kind == "html":
        raise CatalogueError(
            f"A web page has arrived instead of {name}.",
            "A proxy or login page may stand in between: open the record in a browser.",
        )
    if kind != "zip":
        raise CatalogueError(f"{name} is not a zip archive.", "Choose a record with a converted TensorFlow.js model.")


def _file_name(record: str, key: str) -> str:
    """Make a harmless file name of a key, which may hold anything; the number in front keeps reserved names away."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(key).name)[:100]
    return f"{record}_{stem}" if stem.lower().endswith(".zip") else f"{record}_{stem}.zip"


def _unwritable(folder: Path, error: OSError) -> CatalogueError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return CatalogueError(
            f"There is too little space for the model in {folder}.",
            "Remove models with `napari-webipred cache`, or set NAPARI_WEBIPRED_CACHE to a folder elsewhere.",
        )
    return CatalogueError(
        f"The model cannot be kept in {folder}: {error.strerror or error}.",
        "Set NAPARI_WEBIPRED_CACHE to a folder where you may write.",
    )

"""One program at a time changes the folder of a model, or a small file; its lock is a file beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import filelock

    from napari_webipred.download.request_context import RequestContext

LOCK_SUFFIX = ".fetching.lock"

_log = logging.getLogger(__name__)


def lock_path(folder: Path) -> Path:
    """Return where the lock of a model's folder lies."""
    return folder.with_name(f".{folder.name}{LOCK_SUFFIX}")


@contextmanager
def exclusive(folder: Path, context: RequestContext) -> Iterator[None]:
    """Let one process at a time change the folder of a model; wait for the others until the context is called off."""
    lock = _lock(lock_path(folder))
    context.raise_if_cancelled()
    while not _try(lock, 0.2):
        context.waiting = "Another program is using this model."
        context.raise_if_cancelled()
        # Whoever removes the last model takes the folder of all models along.
        folder.parent.mkdir(parents=True, exist_ok=True)
    context.waiting = ""
    try:
        folder.mkdir(exist_ok=True)  # The one before may have taken it away, being empty.
        yield
    finally:
        with suppress(OSError):  # It is empty only if nothing has come, or nothing is left.
            folder.rmdir()
        lock.release()


@contextmanager
def unless_busy(folder: Path) -> Iterator[bool]:
    """Lock the folder of a model if nobody else has; tell whether that is so, without waiting."""
    lock = _lock(lock_path(folder))
    free = not folder.parent.is_dir() or _try(lock, 0)
    try:
        yield free
    finally:
        lock.release()


@contextmanager
def held(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock that lies at a path; go on without it if another program does not release it in time."""
    lock = _lock(path)
    if not _try(lock, seconds):
        _log.info("Going on without a lock: another program holds it.")
    try:
        yield
    finally:
        lock.release()


def hold(path: Path) -> filelock.BaseFileLock | None:
    """Lock a path until the lock is released or this process ends, without waiting; None if that is not possible."""
    import filelock

    lock = filelock.FileLock(path, thread_local=False)  # another thread may release it
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError):  # another program holds it, or the file system has no locks
        return None
    return lock


def delete_lock(path: Path) -> None:
    """Delete the file of a lock that is held: who waits for it finds that out and makes another."""
    with suppress(OSError):  # Windows keeps a file that is open, and whoever releases it deletes it.
        path.unlink()


def _lock(path: Path) -> filelock.BaseFileLock:
    import filelock

    return filelock.FileLock(path)


def _try(lock: filelock.BaseFileLock, seconds: float) -> bool:
    import filelock

    try:
        lock.acquire(timeout=seconds)
    except (filelock.Timeout, FileNotFoundError):
        return False
    except (OSError, NotImplementedError) as error:
        # Some network file systems have no locks; a file is moved into place whole, so two may change it.
        _log.info("Going on without a lock: %s", error)
    return True

"""A session after which nothing is left, as WebIPred promises for a tab of a browser.

What would be kept in the user's cache is written into a folder of the session, ``private/<random>/`` below the cache
folder, which is a cache of its own; what the cache held before is read and not changed. The folder is deleted when the
session ends. The process holds a lock on it, so that whoever starts next can tell the folder of a process that was
killed, which is deleted, from that of one that still runs. Where the file system has no locks, nobody can tell, and the
folder of a process that was killed stays.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred import settings
from napari_webipred.cache.lock import delete_lock, hold

if TYPE_CHECKING:
    from filelock import BaseFileLock
else:
    BaseFileLock = Any  # its module is imported with the first lock

FOLDER = "private"
_TRIES = 5
_NAME = r"[0-9a-f]{16}"
_log = logging.getLogger(__name__)


class _Session(Struct, frozen=True):
    folder: Path
    lock: BaseFileLock | None
    process: int


_session: _Session | None = None
_changing = threading.Lock()


def follow() -> None:
    """Begin or leave a private session as the settings say, and delete what killed ones have left.

    Each front calls it before it uses the cache. A session that is left ends with the process: models that were opened
    in it may still read its files.
    """
    now = settings.current()
    cache = now.kept_cache or now.cache_folder
    with _changing:
        _delete_leftovers(cache / FOLDER)
        if not now.private:
            settings.use_private(None)
        elif _session is None or _session.process != os.getpid() or _session.folder.parent != cache / FOLDER:
            _begin(cache / FOLDER)
        else:
            settings.use_private(_session.folder)


def end() -> None:
    """Delete what the session of this process has kept; what is still being written is not kept in the cache either."""
    global _session
    with _changing:
        session, _session = _session, None
        if session is None or session.process != os.getpid():  # a child that was forked ends, not the session
            return
        _delete(session.folder)
        if session.lock is not None:
            _release(session.lock)
        _remove_if_empty(session.folder.parent)


def _begin(parent: Path) -> None:
    """Begin a session. If its folder cannot be made, nothing is kept, as little as in a cache that is read-only."""
    global _session
    if _session is None:
        atexit.register(end)
    import secrets

    folder, lock = parent / secrets.token_hex(8), None
    try:
        if parent.is_symlink():
            raise OSError("links in the cache are not followed")
        parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):  # whoever cleans up at this moment may hold it for a moment
            if (lock := hold(_lock_path(folder))) is not None:
                break
            folder = parent / secrets.token_hex(8)
        folder.mkdir()
    except OSError as error:
        _log.warning("The private session cannot store anything in %s: %s", parent, error.strerror or error)
    _session = _Session(folder, lock, os.getpid())
    settings.use_private(folder)


def _delete_leftovers(parent: Path) -> None:
    """Delete the folders of sessions whose processes do not run any more."""
    try:
        if parent.is_symlink():
            return
        names = {path.name.removesuffix(".lock") for path in parent.iterdir()}
    except OSError:  # there is none, or it cannot be read
        return
    mine = _session.folder.name if _session is not None else ""
    for name in sorted(name for name in names if re.fullmatch(_NAME, name) and name != mine):
        lock = hold(_lock_path(parent / name))
        if lock is not None:  # else it runs
            _delete(parent / name)
            _release(lock)
    _remove_if_empty(parent)


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:  # on Windows, a file that is still open
        _log.warning("%s cannot be deleted yet: %s. It is deleted at the next start.", folder, error.strerror or error)


def _release(lock: BaseFileLock) -> None:
    delete_lock(Path(lock.lock_file))
    lock.release()


def _remove_if_empty(parent: Path) -> None:
    try:
        parent.rmdir()
    except OSError:  # another session runs
        return


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")

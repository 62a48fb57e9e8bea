"""Where retrieved images lie until they are no longer needed: in a folder that nobody else can read.

It is deleted at the end, when the program ends, and, after a program was killed, at the next start: whoever holds the
lock beside a folder still uses it.
"""

from __future__ import annotations

import atexit
import getpass
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred import file_errors
from napari_webipred.cache.lock import delete_lock, hold
from napari_webipred.errors import PacsError

if TYPE_CHECKING:
    import filelock

_NAME = re.compile(r"[0-9a-f]{16}")
_mine: dict[Path, filelock.BaseFileLock | None] = {}


def parent() -> Path:
    """Return the folder of all such folders of this user."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"napari-webipred-archives-{user}"


def make() -> Path:
    """Make a folder.

    Raises
    ------
    PacsError
        It cannot be made, or somebody else has one with its name.
    """
    delete_leftovers()
    above = parent()
    try:
        above.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(above):
            raise PacsError(f"{above} belongs to somebody else.", "Choose another folder for temporary files.")
        made = above / secrets.token_hex(8)
        lock = hold(_lock_path(made))
        made.mkdir(mode=0o700)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise PacsError(f"There is no place for images in {above}: {reason}.", remedy) from error
    if not _mine:
        atexit.register(delete_all)
    _mine[made] = lock
    return made


def delete(folder: Path) -> None:
    """Delete a folder that `make` has made."""
    shutil.rmtree(folder, ignore_errors=True)  # on Windows a file may be open; the next start deletes it
    if (lock := _mine.pop(folder, None)) is not None:
        if not folder.exists():
            delete_lock(_lock_path(folder))
        lock.release()
    with suppress(OSError):  # another one is in it
        folder.parent.rmdir()


def delete_all() -> None:
    """Delete all folders of this process."""
    for folder in list(_mine):
        delete(folder)


def delete_leftovers() -> None:
    """Delete the folders of programs that were killed."""
    above = parent()
    try:
        if not _is_ours(above):
            return
        names = {path.name.removesuffix(".lock") for path in above.iterdir()}
    except OSError:  # there is none
        return
    for name in names:
        folder = above / name
        if not _NAME.fullmatch(name) or folder in _mine:
            continue
        if (lock := hold(_lock_path(folder))) is not None:  # else its program runs
            _mine[folder] = lock
            delete(folder)


def _is_ours(above: Path) -> bool:
    """Tell whether a folder belongs to this user, who alone can read it, and is no link."""
    status = above.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")

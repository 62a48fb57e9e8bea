"""A lock beside an output, so that two runs never write the same file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Some network file systems have no locks. The table is then written without one.
_NO_LOCKS = {getattr(errno, name) for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP") if hasattr(errno, name)}


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Keep other processes, and others in this one, from locking the same file until the block ends.

    The operating system drops the lock of a process that dies, so one that is left behind stops nobody. A normal end
    removes the file. `filelock` leaves it on POSIX, where one may still lock a file that another run has just removed;
    here a lock counts only if its file has not been removed.

    Parameters
    ----------
    path : Path
        The lock file.

    Yields
    ------
    bool
        Whether it is ours; False says that another run holds it.

    Raises
    ------
    OSError
        The lock file cannot be made.
    """
    descriptor = _acquire(path)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        _release(path, descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)


if sys.platform == "win32":
    import msvcrt

    def _acquire(path: Path) -> int | None:
        try:
            descriptor = _open(path)
        except PermissionError:
            if path.exists():  # its holder is just removing it
                return None
            raise
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def _release(path: Path, descriptor: int) -> None:
        os.close(descriptor)
        with suppress(OSError):  # another run has opened it already and will remove it
            path.unlink()

else:
    import fcntl

    def _acquire(path: Path) -> int | None:
        while True:
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    os.close(descriptor)
                    raise
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)

    def _release(path: Path, descriptor: int) -> None:
        with suppress(OSError):  # without its process it stops nobody
            path.unlink()
        os.close(descriptor)

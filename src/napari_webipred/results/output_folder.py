"""A folder that is written where the user says: by one run at a time, and whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.results.lock import locked
from napari_webipred.results.output import OURS


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other runs from writing a folder until the block ends; what one has left that was killed is put in order.

    Raises
    ------
    OptionError
        Another run is writing it.
    OSError
        It cannot be written.
    """
    with locked(_beside(folder, "lock")) as free:
        if not free:
            raise OptionError(f"{folder} is being written by another run of napari-webipred.", "Wait until it ends.")
        new, before = _beside(folder, "tmp"), _beside(folder, "old")
        if before.exists() and not folder.exists():
            before.rename(folder)
        for left in (new, before):
            _remove(left)
        yield


@contextmanager
def folder_being_replaced(folder: Path) -> Iterator[Path]:
    """Give the path of a new folder, to be filled, and put it in another's place when the block has ended well.

    Parameters
    ----------
    folder : Path
        The other one, if there is one; the block is within one of `alone`.

    Raises
    ------
    OSError
        It cannot be written. The folder is as it was, and nothing is left beside it.
    """
    new, before = _beside(folder, "tmp"), _beside(folder, "old")
    try:
        yield new
        had = folder.exists()
        if had:
            folder.rename(before)
        try:
            new.rename(folder)
        except OSError:
            if had:
                before.rename(folder)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    with suppress(OSError):  # the next run removes it
        _remove(before)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}.{OURS}.{suffix}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

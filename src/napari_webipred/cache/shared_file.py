"""A small JSON file in the cache folder that several programs change: read with care, written whole.

It only spares the user something, so a file that is broken counts as none, and one that cannot be written is let be.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_webipred import settings
from napari_webipred.atomic_file import write_whole
from napari_webipred.cache import lock

MAX_BYTES = 2**20
_SECONDS = 5
_log = logging.getLogger(__name__)


def path_of(name: str) -> Path:
    """Return where the file lies, whether or not it is there."""
    return settings.current().cache_folder / name


def read(name: str) -> Any:
    """Return what the file holds; None if there is none, or if it is not to be understood."""
    paths = [cache / name for cache in settings.current().own_caches]
    path = next((path for path in paths if path.exists()), paths[0])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _log.warning("%s is not used: %s", path, error)
        return None


def change(name: str, change_it: Callable[[Any], Any]) -> bool:
    """Write into the file what a function makes of what it holds; tell whether that has worked.

    Other programs wait meanwhile.
    """
    path = path_of(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(name):
            write_whole(path, json.dumps(change_it(read(name)), indent=1).encode())
    except OSError as error:
        _log.warning("%s cannot be written: %s", path, error.strerror)
        return False
    return True


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let other programs wait that want to change the file, as far as the file system has locks."""
    with lock.held(lock_path(name), _SECONDS):
        yield


def files(name: str) -> list[Path]:
    """Return what there is of the file, with what was left by a program that was killed while it wrote it."""
    path = path_of(name)
    try:
        left = [other for other in path.parent.iterdir() if other.name.startswith(f".{name}.")]
    except OSError:  # there is no cache folder, or it cannot be read
        return []
    return [*([path] if path.is_file() else []), *(other for other in left if other.suffix == ".tmp")]


def lock_path(name: str) -> Path:
    """Return where the lock of the file lies."""
    return path_of(f"{name}.lock")

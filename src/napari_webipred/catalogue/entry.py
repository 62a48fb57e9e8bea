"""The note beside a fetched model: what was fetched, from where, and how to tell that it is still the same."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from napari_webipred import settings
from napari_webipred.errors import CatalogueError

# What a download that was killed leaves behind: temporary files of pooch and of `write_whole`.
LEFT_OVER = re.compile(r"tmp[a-z0-9_]{8}|\..+\.tmp")
LOCK_SUFFIX = ".fetching.lock"

_log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model file in the cache, as it was when it was verified.

    Attributes
    ----------
    id : str
        Identifier of the model's card.
    file : str
        Name of the file in the model's folder.
    sha256 : str
        Hexadecimal digits.
    size, mtime_ns : int
        Bytes, and time of the last change in nanoseconds: while both are the same, the content is taken to be so.
    url : str
        Where it came from.
    source : dict
        The source of the weights as the card gave it.
    fetched : str
        Date and time, UTC, ISO 8601.
    """

    id: str
    file: str
    sha256: str
    size: int
    mtime_ns: int
    url: str
    source: dict[str, Any]
    fetched: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return model_folder(self.id) / self.file

    def is_sound(self) -> bool:
        """Tell whether the file is here and is what was fetched.

        The SHA-256 is computed only if size or time of change are not those of the last time.
        """
        try:
            stat = self.path.stat()
            if (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime_ns):
                return True
            sound = stat.st_size == self.size and sha256_of(self.path) == self.sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CatalogueError(
                f"{self.path} cannot be read: {error.strerror}.", "Check the permissions of the cache folder."
            ) from error
        if sound:
            with suppress(OSError):  # In a cache that cannot be written the hash is computed every time.
                write_entry(self.id, self.path, self.sha256, self.url, self.source, self.fetched)
        else:
            _log.warning("The file of the model %s is damaged.", self.id)
        return sound


def model_folder(id: str) -> Path:  # noqa: A002
    """Return the folder of a fetched model, whether or not it exists."""
    return settings.current().cache_folder / "models" / id


def read_entry(id: str, source: dict[str, Any] | None = None) -> Entry | None:  # noqa: A002
    """Read what is noted about a model.

    None if nothing is noted, if it is not to be understood, or if the model was fetched from another `source`.
    """
    if not _ID.fullmatch(id):
        return None
    try:
        entry = Entry(**json.loads((model_folder(id) / "entry.json").read_bytes()))
        plain = entry.id == id and entry.file == PurePath(entry.file).name and _SHA256.fullmatch(entry.sha256)
        numbers = isinstance(entry.size, int) and isinstance(entry.mtime_ns, int)
    except (OSError, ValueError, TypeError):
        return None
    return entry if plain and numbers and source in (None, entry.source) else None


def all_entries() -> list[Entry]:
    """Return what is noted about all models, in the order of their identifiers."""
    folders = sorted(path.parent.name for path in (settings.current().cache_folder / "models").glob("*/entry.json"))
    return [entry for folder in folders if (entry := read_entry(folder)) is not None]


def write_entry(id: str, path: Path, sha256: str, url: str, source: dict[str, Any], fetched: str) -> Entry:  # noqa: A002
    """Note what has been fetched to `path`; from then on it is in the cache."""
    stat = path.stat()
    entry = Entry(id, path.name, sha256, stat.st_size, stat.st_mtime_ns, url, source, fetched)
    write_whole(path.with_name("entry.json"), json.dumps(asdict(entry), indent=1).encode())
    return entry


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that others see all of it or nothing; its mode follows the umask."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

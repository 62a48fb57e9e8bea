"""The note beside a fetched model: what was fetched, from where, and how to tell that it is still the same.

Each model has a note of its own, plain JSON that is written whole or not at all; together they are the index of the
cache. Programs that write at the same time write different notes or, for one model, take turns (`download.exclusive`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_webipred import file_errors, settings
from napari_webipred.catalogue.archive import open_files
from napari_webipred.catalogue.card import Weights
from napari_webipred.catalogue.remote import RemoteFile, is_harmless
from napari_webipred.errors import CatalogueError

# What a download that was killed leaves behind: temporary files of pooch and of `write_whole`, and a part of a file.
LEFT_OVER = re.compile(r"tmp[a-z0-9_]{8}|\..+\.tmp|\.[0-9a-f]{16}\.part")
LOCK_SUFFIX = ".fetching.lock"
FILES = "files"
USED = "used"

_log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in the cache, as it was when it was verified.

    Attributes
    ----------
    name : str
        What it is called within its model.
    url : str
        Where it came from.
    checksum : str or None
        What was known of it before it came, such as ``md5:...``.
    size, mtime_ns : int
        Bytes, and time of the last change in nanoseconds: while both are the same, the content is taken to be so.
    sha256 : str
        Hexadecimal digits.
    """

    name: str
    url: str
    checksum: str | None
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the cache.

    Attributes
    ----------
    folder : Path
        Its folder.
    id : str
        Identifier of the model's card.
    files : tuple of KeptFile
        One archive or file, or what belongs into the model's folder.
    checksum : str
        ``sha256:<hex>`` of all of it, as `archive.ModelFiles` computes it.
    source : dict
        The source of the weights as the card gave it.
    fetched : str
        Date and time, UTC, ISO 8601.
    """

    folder: Path
    id: str
    files: tuple[KeptFile, ...]
    checksum: str
    source: dict[str, Any]
    fetched: str

    @property
    def path(self) -> Path:
        """What is opened: the file, or the folder with the files."""
        return self.folder / FILES / self.files[0].name if len(self.files) == 1 else self.folder / FILES

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)

    @property
    def used(self) -> str:
        """Day on which the model was last opened, ISO 8601."""
        return datetime.fromtimestamp(self.last_use, UTC).date().isoformat()

    @property
    def last_use(self) -> float:
        """When the model was last opened, to the day, in seconds since 1970."""
        for name in (USED, "entry.json"):
            with suppress(OSError):
                return (self.folder / name).stat().st_mtime
        return 0.0

    @property
    def shared(self) -> bool:
        """True if it lies in the cache of all users, which is only read."""
        return self.folder.parent.parent == settings.current().shared_cache

    def use(self) -> None:
        """Note that the model is being opened, unless that is noted for today."""
        if self.shared or (time.time() - self.last_use < _DAY and (self.folder / USED).exists()):
            return
        with suppress(OSError):  # A cache that cannot be written works, too.
            (self.folder / USED).touch()

    def is_of(self, weights: Weights) -> bool:
        """Tell whether these are the weights that a card means: of the same source and not changed since."""
        known = {
            None,
            self.checksum,
            *(file.checksum for file in self.files),
            *(f"sha256:{f.sha256}" for f in self.files),
        }
        return self.source == weights.source.model_dump() and weights.checksum in known

    def is_sound(self) -> bool:
        """Tell whether the files are here, are what was fetched, and nothing else is among them.

        The SHA-256 of a file is computed only if its size or time of change are not those of the last time.
        """
        try:
            now = tuple(self._checked(file) for file in self.files)
            names = {path.relative_to(self.folder / FILES).as_posix() for path in _files_below(self.folder / FILES)}
        except OSError as error:
            reason, remedy = file_errors.reading(error)
            raise CatalogueError(f"{self.path} cannot be read: {reason}.", remedy) from error
        if None in now or names != {file.name for file in self.files}:
            if any((self.folder / FILES / file.name).exists() for file in self.files):
                _log.warning("The file of the model %s is damaged.", self.id)
            return False
        if now != self.files and not self.shared:
            with suppress(OSError):  # In a cache that cannot be written the hash is computed every time.
                _write(replace(self, files=tuple(file for file in now if file)))
        return True

    def _checked(self, file: KeptFile) -> KeptFile | None:
        path = self.folder / FILES / file.name
        try:
            stat = path.stat()
            if (stat.st_size, stat.st_mtime_ns) == (file.size, file.mtime_ns):
                return file
            sound = stat.st_size == file.size and sha256_of(path) == file.sha256
        except (FileNotFoundError, NotADirectoryError):
            return None
        return replace(file, mtime_ns=stat.st_mtime_ns) if sound else None


def model_folder(id: str, cache: Path | None = None) -> Path:  # noqa: A002
    """Return the folder of a fetched model, whether or not it exists."""
    return (cache or settings.current().cache_folder) / "models" / id


def read_entry(id: str, cache: Path | None = None) -> Entry | None:  # noqa: A002
    """Read what is noted about a model; None if nothing is noted or it is not to be understood."""
    if not _ID.fullmatch(id):
        return None
    folder = model_folder(id, cache)
    try:
        note = json.loads((folder / "entry.json").read_bytes())
        files = tuple(KeptFile(**file) for file in note.pop("files"))
        entry = Entry(folder, files=files, **note)
        plain = entry.id == id and isinstance(entry.source, dict) and isinstance(entry.fetched, str)
        whole = bool(files) and bool(_SHA256.fullmatch(entry.checksum.removeprefix("sha256:")))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return entry if plain and whole and all(map(_is_plain, files)) else None


def _is_plain(file: KeptFile) -> bool:
    texts = (file.name, file.url, file.sha256, file.checksum or "")
    numbers = (file.size, file.mtime_ns)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int for number in numbers)
        and is_harmless(file.name)
        and bool(_SHA256.fullmatch(file.sha256))
    )


def caches() -> list[Path]:
    """Return the cache folders in the order in which they are searched."""
    now = settings.current()
    return [now.shared_cache, now.cache_folder] if now.shared_cache else [now.cache_folder]


def find_entries(id: str, weights: Weights) -> list[Entry]:  # noqa: A002
    """Return what is noted about these weights of a model, in the order in which the caches are searched."""
    noted = (read_entry(id, cache) for cache in caches())
    return [entry for entry in noted if entry is not None and entry.is_of(weights)]


def all_entries() -> list[Entry]:
    """Return what is noted about all models, in the order of their identifiers; each once."""
    found: dict[str, Entry] = {}
    for cache in caches():
        for path in (cache / "models").glob("*/entry.json"):
            if (entry := read_entry(path.parent.name, cache)) is not None:
                found.setdefault(entry.id, entry)
    return [found[id] for id in sorted(found)]  # noqa: A001


def write_entry(id: str, files: Iterable[RemoteFile], source: dict[str, Any]) -> Entry:  # noqa: A002
    """Note which files have been put into the folder of a model; from then on it is in the cache."""
    folder = model_folder(id)
    kept = []
    for file in files:
        path = folder / FILES / file.name
        stat = path.stat()
        kept.append(KeptFile(file.name, file.url, file.checksum, stat.st_size, stat.st_mtime_ns, sha256_of(path)))
    for path in _files_below(folder / FILES):
        if path.relative_to(folder / FILES).as_posix() not in {file.name for file in kept}:
            path.unlink()  # of an earlier version of the model
    checksum = f"sha256:{kept[0].sha256}" if len(kept) == 1 else open_files(folder / FILES).checksum
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(folder, id, tuple(kept), checksum, source, now)
    _write(entry)
    return entry


def _write(entry: Entry) -> None:
    note = {key: value for key, value in asdict(entry).items() if key != "folder"}
    write_whole(entry.folder / "entry.json", json.dumps(note, indent=1).encode())


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]


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

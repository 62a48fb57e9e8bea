"""The note beside a fetched model: what was fetched, from where, and how to tell that it is still the same.

Each model has a note of its own; together they are the index of the cache. Programs that write at the same time write
different notes or, for one model, take turns (`lock.exclusive`).
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from napari_webipred import file_errors, safe_json, settings
from napari_webipred.atomic_file import read_note, read_small, write_note, write_whole
from napari_webipred.cache import fingerprints
from napari_webipred.cache.folders import MODELS, can_be_folder, model_folder
from napari_webipred.card import ModelCard, Weights
from napari_webipred.checksums import sha256_of
from napari_webipred.download.remote_file import is_harmless
from napari_webipred.errors import CatalogueError
from napari_webipred.field_values import ValidationError

# What a download that was killed leaves behind: temporary files (of older versions, too) and a part of a file.
LEFT_OVER = re.compile(r"tmp[a-z0-9_]{8}|\..+\.tmp|\.[0-9a-f]{16}\.(part|version)")
FILES, ARRIVING = "files", "arriving"
CARD = "card.json"
NOTE = "entry.json"
USED = "used"

Origin = Literal["source", "bundle", "file"]

_log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = 24 * 60 * 60


class KeptFile(Struct, frozen=True):
    """A file in the cache, as it was when it came.

    Attributes
    ----------
    name : str
        What it is called within its model.
    url : str
        Where it came from.
    checksum : str or None
        What was known of it before it came, such as ``md5:...``.
    size : int
        Bytes.
    sha256 : str
        Hexadecimal digits.
    """

    name: str
    url: str
    checksum: str | None
    size: int
    sha256: str


class Entry(Struct, frozen=True):
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
        ``sha256:<hex>`` of all of it, as `archive.model_files.ModelFiles` computes it.
    source : dict
        The source of the weights as the card gave it.
    fetched : str
        Date and time, UTC, ISO 8601.
    origin : str
        ``"source"``: the files came from there, or were found equal to what is there; ``"bundle"`` or ``"file"``: they
        were brought by hand, and only the one who brought them says that they are what lies at the source, if there is
        one.
    card_sha256 : str
        Of the card beside it, in hexadecimal digits.
    written : tuple of int
        Tells one note from another that says the same, but was written later.
    """

    folder: Path
    id: str
    files: tuple[KeptFile, ...]
    checksum: str
    source: dict[str, Any]
    fetched: str
    origin: Origin
    card_sha256: str
    written: tuple[int, int] = (0, 0)

    @property
    def path(self) -> Path:
        """What is opened: the file, or the folder with the files."""
        return self.folder / FILES / self.files[0].name if len(self.files) == 1 else self.folder / FILES

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)

    @property
    def doubt(self) -> str:
        """What should be known of files that were brought by hand; empty for those of the source."""
        if self.is_unpublished:
            return "The file came in a bundle. It is somebody's own model, and is published nowhere."
        if self.origin == "source":
            return ""
        return f"The files come from a {self.origin}. They have not been compared with a checksum of the source yet."

    @property
    def is_unpublished(self) -> bool:
        """True for somebody's own file, which came in a bundle: there is no source that it could be fetched from."""
        return self.source.get("type") == "bundle"

    @property
    def fingerprint(self) -> str:
        """One SHA-256 of all files, see `fingerprints.fingerprint`."""
        return fingerprints.fingerprint((file.name, file.sha256) for file in self.files)

    @property
    def used(self) -> str:
        """Day on which the model was last opened, ISO 8601."""
        return datetime.fromtimestamp(min(self.last_use, time.time()), UTC).date().isoformat()

    @property
    def last_use(self) -> float:
        """When the model was last opened, to the day, in seconds since 1970."""
        for name in (USED, NOTE):
            with suppress(OSError):
                return (self.folder / name).lstat().st_mtime
        return 0.0

    @property
    def shared(self) -> bool:
        """True if it lies in the cache of all users."""
        return self.folder.parent.parent == settings.current().shared_cache

    @property
    def read_only(self) -> bool:
        """True if it lies in the cache of all users, or was there before the private session."""
        return self.folder.parent.parent != settings.current().cache_folder

    def use(self) -> None:
        """Note that the model is being opened, unless that is noted for today.

        A use in the future was noted while the clock was wrong.
        """
        path = self.folder / USED
        if self.read_only or path.is_symlink() or (path.exists() and 0 <= time.time() - self.last_use < _DAY):
            return
        with suppress(OSError):  # A cache that cannot be written works, too.
            path.touch()

    def is_of(self, weights: Weights) -> bool:
        """Tell whether these are the weights that a card means: of the same source and not changed since."""
        sums = {
            None,
            self.checksum,
            *(file.checksum for file in self.files),
            *(f"sha256:{f.sha256}" for f in self.files),
        }
        return self.source == weights.source.model_dump() and weights.checksum in sums

    def on_disk(self) -> list[tuple[str, Path]]:
        """Return the name of each file, and where it lies."""
        return [(file.name, self.folder / FILES / file.name) for file in self.files]

    def is_sound(self, *, unread: bool = False) -> bool:
        """Tell whether the files are here, are what was fetched to the last bit, and nothing else is among them.

        Parameters
        ----------
        unread : bool
            Whether it is known already that they are what was fetched, if they are there.
        """
        folder = self.folder / FILES
        try:
            sound = all(self._is_sound(file, unread) for file in self.files)
            names = {path.relative_to(folder).as_posix() for path in files_below(folder)}
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            reason, remedy = file_errors.reading(error)
            raise CatalogueError(f"{self.path} cannot be read: {reason}.", remedy) from error
        if sound and names == {file.name for file in self.files}:
            return True
        if names:
            _log.warning("The file of the model %s is damaged.", self.id)
        return False

    def _is_sound(self, file: KeptFile, unread: bool) -> bool:
        path = self.folder / FILES / file.name
        there = not path.is_symlink() and path.stat().st_size == file.size
        return there and (unread or sha256_of(path) == file.sha256)

    def is_there(self) -> bool:
        """Tell whether the note is still the one that was read: nobody has removed or replaced the model since."""
        return read_entry(self.id, self.folder.parent.parent) == self

    def card(self) -> ModelCard | None:
        """Read the card beside the note; None if it is not the one that was written there."""
        try:
            content = read_small(self.folder / CARD)
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != self.card_sha256 or safe_json.excess(content):
            return None
        with suppress(ValidationError):
            return ModelCard.model_validate_json(content)
        return None


def read_entry(id: str, cache: Path | None = None) -> Entry | None:  # noqa: A002
    """Read what is noted about a model; None if nothing is noted or it is not to be understood."""
    if not can_be_folder(id):
        return None
    folder = model_folder(id, cache)
    try:
        stat = (folder / NOTE).stat()
        note = read_note(folder / NOTE) or {}
        files = tuple(KeptFile(**file) for file in note.pop("files"))
        entry = Entry(folder, files=files, written=(stat.st_ino, stat.st_mtime_ns), **note)
        plain = entry.id == id and isinstance(entry.source, dict) and isinstance(entry.fetched, str)
        whole = bool(files) and entry.origin in get_args(Origin)
        sums = (entry.checksum.removeprefix("sha256:"), entry.card_sha256)
    except (OSError, TypeError, LookupError, AttributeError):
        return None
    return entry if plain and whole and all(map(_SHA256.fullmatch, sums)) and all(map(_is_plain, files)) else None


def _is_plain(file: KeptFile) -> bool:
    texts = (file.name, file.url, file.sha256, file.checksum or "")
    return (
        all(isinstance(text, str) for text in texts)
        and type(file.size) is int
        and is_harmless(file.name)
        and bool(_SHA256.fullmatch(file.sha256))
    )


def caches() -> list[Path]:
    """Return the cache folders in the order in which they are searched; the last one is written."""
    now = settings.current()
    return [cache for cache in (now.shared_cache, *reversed(now.own_caches)) if cache is not None]


def find_entries(id: str, weights: Weights) -> list[Entry]:  # noqa: A002
    """Return what is noted about these weights of a model, in the order in which the caches are searched."""
    noted = (read_entry(id, cache) for cache in caches())
    return [entry for entry in noted if entry is not None and entry.is_of(weights)]


def all_entries() -> list[Entry]:
    """Return what is noted about all models, in the order of their identifiers; each once."""
    found: dict[str, Entry] = {}
    for cache in caches():
        with suppress(OSError):  # There is none, or it cannot be read.
            for folder in (cache / MODELS).iterdir():
                if (entry := read_entry(folder.name, cache)) is not None:
                    found.setdefault(entry.id, entry)
    return [found[id] for id in sorted(found)]  # noqa: A001


def write_entry(entry: Entry) -> Entry:
    """Write the note of a model; return it as it stands on the disk."""
    content = {key: to_builtins(value) for key, value in asdict(entry).items() if key not in {"folder", "written"}}
    write_note(entry.folder / NOTE, content)
    return read_entry(entry.id) or entry


def write_card(folder: Path, card: ModelCard) -> str:
    """Write the card beside the note and return its SHA-256; by a card a folder is recognised as ours."""
    content = card.model_dump_json(indent=1, exclude_unset=True).encode()
    write_whole(folder / CARD, content)
    return hashlib.sha256(content).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Return all files and links below a folder, without following any link; none if the folder is one."""
    if folder.is_symlink():
        return []
    return [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]

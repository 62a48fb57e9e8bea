"""The settings that the user has given for models, kept for the next time: one note for each model."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from napari_webipred import settings
from napari_webipred.atomic_file import read_note, write_note
from napari_webipred.cache.folders import OVERRIDES, holds_link
from napari_webipred.errors import OptionError
from napari_webipred.model_overrides import ModelOverrides, Thresholds

_THRESHOLDS = "thresholds"
_NAME = re.compile(r"[0-9a-f]{64}\.json")

_log = logging.getLogger(__name__)


def load(checksum: str) -> ModelOverrides:
    """Return the settings of a model with these files; none if the note cannot be understood."""
    note, path = _note(checksum)
    if note is None or note.keys() == {_THRESHOLDS}:
        return ModelOverrides()
    try:
        return ModelOverrides.of(
            note["classes"], note["standardize"], note["size"], note["activation"], note.get("output")
        )
    except (ValueError, TypeError, LookupError, AttributeError, OptionError) as error:
        _log.warning("The settings of a model cannot be read from %s: %s", path, error)
        return ModelOverrides()


def save(checksum: str, overrides: ModelOverrides) -> None:
    """Write the settings of a model; if the cache cannot be written, they have to be given again the next time."""
    note, _ = _note(checksum)
    kept = {key: note[key] for key in (_THRESHOLDS,) if note and key in note}
    _write(checksum, {**asdict(overrides), **kept})


def thresholds(checksum: str) -> dict[str, Thresholds]:
    """Return the thresholds that the user has chosen for a model with these files, by name."""
    note, path = _note(checksum)
    found = (note or {}).get(_THRESHOLDS) or {}
    try:
        return {name: Thresholds(name, each["values"], each["how"]) for name, each in found.items()}
    except (TypeError, LookupError, AttributeError, OptionError) as error:
        _log.warning("The thresholds of a model cannot be read from %s: %s", path, error)
        return {}


def chosen(checksum: str, name: str) -> Thresholds:
    """Return thresholds of a model by their name.

    Raises
    ------
    OptionError
        There are none of this name.
    """
    known = thresholds(checksum)
    if name not in known:
        names = f"There are {', '.join(known)}." if known else "Evaluate the model on own labels to choose some."
        raise OptionError(f"The model has no thresholds that are called {name}.", names)
    return known[name]


def keep_thresholds(checksum: str, new: Thresholds) -> None:
    """Keep thresholds of a model under their name, in place of others of this name.

    Raises
    ------
    OptionError
        The cache cannot be written.
    """
    note, _ = _note(checksum)
    known = thresholds(checksum) | {new.name: new}
    parts = {name: {"values": dict(each.values), "how": dict(each.how)} for name, each in known.items()}
    if not _write(checksum, {**(note or {}), _THRESHOLDS: parts}):
        raise OptionError(
            "The thresholds cannot be kept: the cache folder cannot be written.", "Check its permissions."
        )


def _note(checksum: str) -> tuple[dict[str, Any] | None, Path]:
    """Return what is noted about a model with these files, and where."""
    paths = [cache / OVERRIDES / path_of(checksum).name for cache in settings.current().own_caches]
    path = next((path for path in paths if path.exists()), paths[0])
    note = read_note(path)
    if note is None and path.exists():
        _log.warning("The settings of a model are damaged: %s", path)
    return note, path


def _write(checksum: str, note: dict[str, Any]) -> bool:
    """Write a note, and tell whether that was possible."""
    path = path_of(checksum)
    if link := holds_link(path.parent):
        _log.info("The settings of the model are not kept: %s is a link.", link)
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_note(path, note)
    except OSError as error:
        _log.info("The settings of the model are not kept: %s", error.strerror)
        return False
    return True


def path_of(checksum: str) -> Path:
    """Return where they lie or would lie for a model with these files (``sha256:<hex>``)."""
    name = f"{checksum.removeprefix('sha256:')}.json"
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return settings.current().cache_folder / OVERRIDES / name

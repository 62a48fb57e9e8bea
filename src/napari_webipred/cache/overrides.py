"""The settings that the user has given for models, kept for the next time: one note for each model."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict
from pathlib import Path

from napari_webipred import settings
from napari_webipred.atomic_file import read_note, write_note
from napari_webipred.cache.folders import OVERRIDES, holds_link
from napari_webipred.errors import OptionError
from napari_webipred.model_overrides import ModelOverrides

_NAME = re.compile(r"[0-9a-f]{64}\.json")

_log = logging.getLogger(__name__)


def load(checksum: str) -> ModelOverrides:
    """Return the settings of a model with these files; none if the note cannot be understood."""
    paths = [cache / OVERRIDES / path_of(checksum).name for cache in settings.current().own_caches]
    path = next((path for path in paths if path.exists()), paths[0])
    note = read_note(path)
    if note is None:
        if path.exists():
            _log.warning("The settings of a model are damaged: %s", path)
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
    path = path_of(checksum)
    if link := holds_link(path.parent):
        _log.info("The settings of the model are not kept: %s is a link.", link)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_note(path, asdict(overrides))
    except OSError as error:
        _log.info("The settings of the model are not kept: %s", error.strerror)


def path_of(checksum: str) -> Path:
    """Return where they lie or would lie for a model with these files (``sha256:<hex>``)."""
    name = f"{checksum.removeprefix('sha256:')}.json"
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return settings.current().cache_folder / OVERRIDES / name

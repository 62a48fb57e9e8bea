"""The references that the user has fitted for models, one file for each: a line of JSON, and numbers behind it."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import numpy as np

from napari_webipred import file_errors, safe_json, settings
from napari_webipred.atomic_file import write_whole
from napari_webipred.cache.folders import REFERENCE_SUFFIX, REFERENCES, refuse_links
from napari_webipred.errors import CatalogueError
from napari_webipred.references.reference import AT_LEAST, MOST_CHANNELS, Reference

_NAME = re.compile(r"[0-9a-f]{64}")
_MOST_IMAGES = 10_000_000

_log = logging.getLogger(__name__)


def load(checksum: str) -> Reference | None:
    """Return the reference of a model with these files; None if there is none, or if it is damaged."""
    name = path_of(checksum).name
    for cache in settings.current().own_caches:
        path = cache / REFERENCES / name
        try:
            with path.open("rb") as file:
                found = json.loads(file.readline(safe_json.MAX_BYTES))
                channels, images = int(found["channels"]), int(found["images"])
                if not (0 < channels <= MOST_CHANNELS and AT_LEAST <= images <= _MOST_IMAGES):
                    raise ValueError("its size is not possible")
                count = channels + channels**2 + images
                content = file.read(8 * count + 1)
            if len(content) != 8 * count:
                raise ValueError("it is not whole")
            numbers = np.frombuffer(content, "<f8").astype(np.float64)
            if not np.isfinite(numbers).all():
                raise ValueError("it has numbers that are not finite")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, LookupError) as error:
            _log.warning("The reference of a model cannot be read from %s: %s", path, error)
            continue
        mean, precision, distances = np.split(numbers, [channels, channels + channels**2])
        return Reference(mean, precision.reshape(channels, channels), distances, dict(found["made"]))
    return None


def save(checksum: str, reference: Reference) -> Path:
    """Write the reference of a model, in place of one that is there.

    Raises
    ------
    CatalogueError
        It cannot be written.
    """
    path = path_of(checksum)
    refuse_links(path.parent)
    head = {"channels": len(reference.mean), "images": len(reference), "made": reference.made}
    numbers = np.concatenate([reference.mean, reference.precision.ravel(), reference.distances]).astype("<f8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(head).encode() + b"\n" + numbers.tobytes())
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise CatalogueError(f"The reference cannot be written: {reason}.", remedy) from error
    return path


def remove(checksum: str) -> bool:
    """Delete the reference of a model; tell whether there was one."""
    path = path_of(checksum)
    refuse_links(path.parent)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def path_of(checksum: str) -> Path:
    """Return where it lies or would lie for a model with these files (``sha256:<hex>``)."""
    digest = checksum.removeprefix("sha256:")
    if not _NAME.fullmatch(digest):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return settings.current().cache_folder / REFERENCES / f"{digest}{REFERENCE_SUFFIX}"

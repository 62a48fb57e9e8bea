"""The references that the user has fitted for models, one file for each: a line of JSON, and numbers behind it."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import file_errors, safe_json, settings
from napari_webipred.atomic_file import write_whole
from napari_webipred.cache.folders import REFERENCE_SUFFIX, REFERENCES, refuse_links
from napari_webipred.errors import CatalogueError
from napari_webipred.references.reference import (
    AT_LEAST,
    MOST_CHANNELS,
    MOST_NUMBERS,
    Cloud,
    Neighbours,
    Reference,
)

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
                near = found.get("method") == "neighbours"
                if near and channels * images > MOST_NUMBERS:
                    raise ValueError("its size is not possible")
                count = 4 * channels * images if near else 8 * (channels + channels**2)
                content = file.read(count + 8 * images + 1)
            if len(content) != count + 8 * images:
                raise ValueError("it is not whole")
            numbers = np.frombuffer(content[:count], "<f4" if near else "<f8")
            distances = np.frombuffer(content[count:], "<f8").astype(np.float64)
            if not (np.isfinite(numbers).all() and np.isfinite(distances).all()):
                raise ValueError("it has numbers that are not finite")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, LookupError) as error:
            _log.warning("The reference of a model cannot be read from %s: %s", path, error)
            continue
        return Reference(_place(numbers, channels, near=near), distances, dict(found["made"]))
    return None


def _place(numbers: NDArray[Any], channels: int, *, near: bool) -> Cloud | Neighbours:
    if near:
        return Neighbours(numbers.astype(np.float32).reshape(-1, channels))
    mean, precision = np.split(numbers.astype(np.float64), [channels])
    return Cloud(mean, precision.reshape(channels, channels))


def save(checksum: str, reference: Reference) -> Path:
    """Write the reference of a model, in place of one that is there.

    Raises
    ------
    CatalogueError
        It cannot be written.
    """
    path = path_of(checksum)
    refuse_links(path.parent)
    place = reference.place
    head = {"method": place.method, "channels": place.channels, "images": len(reference), "made": reference.made}
    if isinstance(place, Neighbours):
        numbers = place.features.astype("<f4").tobytes()
    else:
        numbers = np.concatenate([place.mean, place.precision.ravel()]).astype("<f8").tobytes()
    content = json.dumps(head).encode() + b"\n" + numbers + reference.distances.astype("<f8").tobytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
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

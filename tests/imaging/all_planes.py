"""What becomes of all planes of a source, in this process or in another one."""

from __future__ import annotations

import numpy as np

from napari_webipred.errors import WebIPredError
from napari_webipred.imaging.readers import memory_needed, read
from napari_webipred.imaging.source import Source


def all_planes(source: Source) -> list[tuple[int, np.ndarray | str]]:
    """What each plane of a source needs, and its pixels or the error."""
    found: list[tuple[int, np.ndarray | str]] = []
    for index in source.indices():
        try:
            found.append((memory_needed(source, index), read(source, index)))
        except WebIPredError as error:
            found.append((0, f"{type(error).__name__}: {error}"))
    return found

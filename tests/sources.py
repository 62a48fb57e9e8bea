"""Sources whose planes a function makes; they are read in the process of the test only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_webipred.imaging.reader import Reader
from napari_webipred.imaging.readers import READERS
from napari_webipred.imaging.source import Index, Source

READER = Reader(
    "test",
    read=lambda source, index: source.location(index),
    memory=lambda source, index: int(source.details),
)
READERS[READER.id] = READER


def source_of(name: str, read: Callable[[Index], np.ndarray], *shape: Any, memory: int = 0, **more: Any) -> Source:
    """A source with these axes and lengths, of which each plane needs so many bytes of memory."""
    return Source(name, READER.id, read, *shape, details=memory, **more)

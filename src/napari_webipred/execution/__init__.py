"""Where the planes of a run are classified."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from napari_webipred.execution.plane import Plane, Unfolded
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.results.row import Row

# Classifies planes, wherever it likes, with `napari_webipred.execution.plane.classify_plane`, and yields their rows in
# the order of the planes. Planes, options and the model's card are plain data, which can go to another process. Closing
# the generator cancels what is under way. It keeps only a few planes in memory, however many there are.
Executor: TypeAlias = "Callable[[Model, Iterable[Plane], int, Options], Generator[Row | Unfolded, None, None]]"

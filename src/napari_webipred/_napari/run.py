"""One run of a model over layers, and its result."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.task import Task
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from napari_webipred import engine
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options


class Run(QObject):
    """Classifies layers in a background thread and keeps the rows.

    Parameters
    ----------
    model : Model
        The model, warmed up.
    layers : sequence of napari.layers.Image
        The layers; held weakly, the rows outlive them.
    sources : sequence of Source
        What is read of each layer.
    options : Options
        How they are classified.

    Attributes
    ----------
    rows : list of Row
        The finished rows.
    saved : bool
        Whether all rows are saved in a file.
    """

    rows_added = Signal(int, int)
    ended = Signal()

    def __init__(self, model: Model, layers: Sequence[Any], sources: Sequence[Source], options: Options) -> None:
        from napari_webipred import engine  # the panel opens sooner without it

        super().__init__()
        self.card = model.card
        self.checksum = model.checksum
        self.options = options
        self.classes = tuple(model.classes)
        self.axes = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
        self.total = sum(map(len, sources))
        self.rows: list[Row] = []
        self.running = True
        self.error: Exception | None = None
        self.cancelled = False
        self.saved = False
        self._layers = [weakref.ref(layer) for layer in layers]
        self._begin = time.monotonic()
        self._task = Task(engine.classify(model, list(sources), options))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_done)
        self._task.start()

    def cancel(self) -> None:
        """Stop; the finished rows are kept."""
        if self.running:
            self.cancelled = True
            self._task.cancel()

    def layer(self, row: Row) -> Any | None:
        """Return the layer of a row, or None when it is gone."""
        return self._layers[row.source]()

    def layers(self) -> list[Any]:
        """Return the layers that are still there."""
        return [layer for reference in self._layers if (layer := reference()) is not None]

    @property
    def unsaved(self) -> bool:
        """Whether there are rows that would be lost with this run."""
        return bool(self.rows) and not self.saved

    @property
    def failed(self) -> int:
        """How many rows have no probabilities."""
        return sum(row.failed for row in self.rows)

    @property
    def remarked(self) -> int:
        """How many rows have a remark."""
        return sum(bool(row.remark) for row in self.rows)

    @property
    def seconds_left(self) -> float | None:
        """Roughly how long the rest takes; None before the first row."""
        if not self.rows:
            return None
        return (time.monotonic() - self._begin) / len(self.rows) * (self.total - len(self.rows))

    def _on_events(self, events: list[engine.Event]) -> None:
        from napari_webipred import engine

        rows = [event.row for event in events if isinstance(event, engine.RowDone)]
        if rows:
            first = len(self.rows)
            self.rows.extend(rows)
            self.saved = False
            self.rows_added.emit(first, len(self.rows) - 1)

    def _on_done(self) -> None:
        self.running = False
        self.ended.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error = error
        self._on_done()

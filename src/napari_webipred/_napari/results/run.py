"""One run of a model over images, and its result."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred import limits
from napari_webipred._napari.task import Task
from napari_webipred.imaging.memory import image_memory
from napari_webipred.results.autosave import Autosave, Destination
from napari_webipred.results.inputs import Inputs
from napari_webipred.results.ranges import Ranges
from napari_webipred.results.row_list import RowList
from napari_webipred.results.session_table import RunDetails, SessionTable

if TYPE_CHECKING:
    from napari_webipred import engine
    from napari_webipred._napari.images.place import Target
    from napari_webipred._napari.regions.region_finder import UsedRegions
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options


class Run(QObject):
    """Classifies images in a background thread and keeps the rows.

    Parameters
    ----------
    model : Model
        The model, warmed up.
    targets : sequence of Target
        What the rows of each source are about; layers are held weakly, the rows outlive them.
    sources : sequence of Source
        What is classified.
    options : Options
        How they are classified.
    table : SessionTable
        Where the rows go.
    destination : Destination
        Where they are saved while they come, if the user wants that.
    inputs : Inputs, optional
        See `RunDetails`.
    regions : UsedRegions, optional
        What the regions of the sources were.

    Attributes
    ----------
    details : RunDetails
        The run as the table knows it.
    rows : RowList
        The finished rows, as the engine gave them.
    autosave : Autosave
        Whether they are saved.
    targets : list of Target
        What the rows of each source are about.

    Signals
    -------
    rows_added : int, int
        The table has new rows; numbers of the first and the last one there.
    ended
        The run is done, cancelled or failed.
    """

    rows_added = Signal(int, int)
    ended = Signal()

    def __init__(
        self,
        model: Model,
        targets: Sequence[Target],
        sources: Sequence[Source],
        options: Options,
        table: SessionTable,
        *,
        destination: Destination,
        inputs: Inputs | None = None,
        regions: UsedRegions | None = None,
    ) -> None:
        from napari_webipred import engine  # the panel opens sooner without it
        from napari_webipred.difference import measured

        super().__init__()
        self._table = table
        self.regions = regions
        axes = tuple(dict.fromkeys(axis for source in sources for axis in source.axes))
        total = sum(map(len, sources))
        plain = options.as_dict() | measured(model, options.hardware)
        if options.reference and model.reference is not None:
            plain["reference"] = model.reference.as_dict()
        self.details: RunDetails = table.begin(model.card, model.checksum, plain, axes, total, inputs=inputs)
        self.rows = RowList()
        self.ranges = Ranges()
        self.running = True
        self.error: Exception | None = None
        self.cancelled = False
        self.targets = list(targets)
        self._begin = time.monotonic()
        self.autosave = Autosave(destination, model.card, model.checksum, self.details.options, total)
        self._task = Task(saved(engine.classify(model, list(sources), options), self.autosave))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_done)
        # The window first paints that the run begins, which takes it longer beside threads that compute.
        QTimer.singleShot(1, self._task.start)

    def cancel(self) -> None:
        """Stop; the finished rows are kept."""
        if self.running:
            self.cancelled = True
            self._task.cancel()

    def layers(self) -> list[Any]:
        """Return the layers that are still there."""
        return [layer for target in self.targets for layer in target.layers]

    @property
    def failed(self) -> int:
        """How many rows have no probabilities."""
        return sum(each is None for each in self.rows.values("probabilities"))

    @property
    def remarked(self) -> int:
        """How many rows have a remark."""
        return sum(map(bool, self.rows.values("remark")))

    @property
    def seconds_left(self) -> float | None:
        """Roughly how long the rest takes; None before the first row."""
        if not self.rows:
            return None
        return (time.monotonic() - self._begin) / len(self.rows) * (self.details.total - len(self.rows))

    @property
    def pace(self) -> str:
        """How many rows are done in a second, and how much memory images use now."""
        rate = len(self.rows) / max(time.monotonic() - self._begin, 1e-3)
        used, budget = limits.amount(image_memory.in_use), limits.amount(limits.image_budget())
        return f"{rate:.1f} rows a second. Images that are being read use {used} of {budget} of memory."

    def _on_events(self, events: list[engine.Event]) -> None:
        from napari_webipred import engine

        new = [event.row for event in events if isinstance(event, engine.RowDone)]
        if new:
            for row in new:
                self.ranges.add(row)
            rows = RowList(new)
            self.rows.extend(rows)
            numbers = self._table.append(self.details, rows)
            self.rows_added.emit(numbers[0], numbers[-1])

    def _on_done(self) -> None:
        self.running = False
        self.ended.emit()

    def _on_failed(self, error: Exception) -> None:
        self.error = error
        self._on_done()


def saved(events: Generator[engine.Event, None, None], autosave: Autosave) -> Generator[engine.Event, None, None]:
    """Save each row before it is passed on, if the user wants that; the run waits for the disk in its own thread."""
    from napari_webipred import engine

    with closing(events), autosave:
        for event in events:
            if isinstance(event, engine.Started):
                autosave.begin(event.classes, event.axes, event.regions, event.measures)
            elif isinstance(event, engine.RowDone):
                autosave.add(event.row)
            yield event

"""The maps of a session, and how they are looked at."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_webipred import limits
from napari_webipred._napari.explanations.explain_run import Explained, Opened, Progress, Wanted, explained
from napari_webipred._napari.explanations.row_map import RowMap
from napari_webipred._napari.explanations.run_sources import RunSources
from napari_webipred._napari.task import SECONDS_BETWEEN_EVENTS, Task
from napari_webipred.errors import LimitError
from napari_webipred.results.session_table import Entry, SessionTable

Method = Literal["auto", "occlusion"]


class Maps(QObject):
    """Explains rows in a background thread, and keeps their maps as long as the rows are in the table.

    Attributes
    ----------
    sources : RunSources
        What the rows were made of.
    layers : WeakKeyDictionary
        The map layer over each layer that was classified.
    faults : dict of int to Exception
        Why rows, by their numbers, have no map.
    error : Exception or None
        Why the last explanation ended early.
    progress : Progress or None
        While rows are explained.
    chosen : dict of str to int
        The class that the user wants to see of a model, by the model's identifier.
    signed : bool
        Whether what speaks against a class is shown, too.
    alone : bool
        Whether the limits are those of the image that is shown, not those of all of its run.

    Signals
    -------
    changed
        Maps have come or gone, or are looked at in another way.
    progressed
        Explaining has begun, gone on or ended.
    """

    changed = Signal()
    progressed = Signal()
    _reported = Signal(int, int, int)

    def __init__(self, table: SessionTable) -> None:
        super().__init__()
        self._table = table
        self.sources = RunSources()
        self.layers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self.faults: dict[int, Exception] = {}
        self.error: Exception | None = None
        self.progress: Progress | None = None
        self.chosen: dict[str, int] = {}
        self.signed = self.alone = False
        self._maps: dict[int, RowMap] = {}
        self._of_image: dict[tuple[int, int], dict[int, RowMap]] = {}
        self._scales: dict[int, float] = {}
        self._bytes = 0
        self._opened: Any = None  # the model of an older run is kept until another one is explained
        self._task: Task | None = None
        self._reported.connect(self._on_reported)

    def __len__(self) -> int:
        return len(self._maps)

    def of(self, number: int) -> RowMap | None:
        """Return the maps of a row."""
        return self._maps.get(number)

    def of_image(self, image: tuple[int, int]) -> list[RowMap]:
        """Return the maps of all rows of an image of a run, both given as their numbers."""
        return list(self._of_image.get(image, {}).values())

    def scale(self, number: int) -> float:
        """Return the value to show as strongest for a row with maps: one for its run, or for itself."""
        return self._maps[number].scale if self.alone else self._scales[int(self._table.run_numbers[number])]

    def class_of(self, entry: Entry) -> int:
        """Return the class whose map is shown of a row: the one that the user has chosen, or else the most probable.

        All planes of a stack show the same class, so that of a map that is there stays.
        """
        if (chosen := self.chosen.get(entry.run.card.id)) is not None:
            return chosen
        image, numbers = (entry.run.number, entry.row.source), entry.row.probabilities
        first = 0 if numbers is None else int(np.argmax(numbers))
        return next((each.look.class_index for each in self.layers.values() if each.look.image == image), first)

    def choose(self, entry: Entry, index: int) -> None:
        """Show a class of the model of a row from now on."""
        if self.chosen.get(entry.run.card.id) != index:
            self.chosen[entry.run.card.id] = index
            self.changed.emit()

    def show(self, *, signed: bool | None = None, alone: bool | None = None) -> None:
        """Change how maps are looked at."""
        self.signed = self.signed if signed is None else signed
        self.alone = self.alone if alone is None else alone
        self.changed.emit()

    def explain(self, numbers: Iterable[int], method: Method = "auto", *, check: bool = False) -> None:
        """Explain rows that have no such maps yet; nothing happens while others are explained."""
        if self._task is not None:
            return
        wanted = [number for number in sorted(numbers) if not self._has(number, method, check)]
        self.error = None
        for number in wanted:
            self.faults.pop(number, None)
        if not wanted:
            self.changed.emit()
            return
        runs = {int(self._table.run_numbers[number]) for number in wanted}
        sources = {run: self.sources.sources(run) for run in runs}
        models = {run: model for run in runs if (model := self.sources.model(run)) is not None}
        self.progress = Progress(0, len(wanted), begun=time.monotonic())
        work = explained(self._table, Wanted(wanted, sources, models, method, check), self._reporter())
        self._task = Task(work, self)
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._end)
        self._task.cancelled.connect(self._end)
        self._task.failed.connect(self._on_failed)
        self._task.start()
        self.progressed.emit()

    def cancel(self) -> None:
        """Stop; the maps that are made are kept."""
        if self._task is not None:
            self._task.cancel()

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop the maps of rows."""
        gone = [number for number in numbers if number in self._maps or number in self.faults]
        for number in gone:
            self._drop(number)
        if gone:
            self._measure()
            self.changed.emit()

    def clear(self) -> None:
        """Drop all maps."""
        self.error = None
        self.forget([*self._maps, *self.faults])

    def forget_layer(self, layer: Any) -> None:
        """Drop the maps of a layer that has other data now."""
        images = self.sources.images(layer)
        self.forget([number for image in images for number in self._of_image.get(image, ())])

    def keep(self) -> None:
        """Drop the maps of rows that were deleted."""
        known = np.array([*self._maps, *self.faults], np.intp)
        self.forget(known[~np.isin(known, self._table.numbers)].tolist())

    def _has(self, number: int, method: Method, check: bool) -> bool:
        found = self._maps.get(number)
        if found is None:
            return False
        return found.method == "occlusion" if method == "occlusion" else found.checked or not check

    def _drop(self, number: int) -> None:
        self.faults.pop(number, None)
        if (found := self._maps.pop(number, None)) is not None:
            self._bytes -= found.nbytes
            self._of_image[self._image(number)].pop(number)

    def _image(self, number: int) -> tuple[int, int]:
        return int(self._table.run_numbers[number]), self._table.rows[number].source

    def _measure(self) -> None:
        self._scales = {}
        for (run, _), maps in self._of_image.items():
            for each in maps.values():
                self._scales[run] = max(self._scales.get(run, 0.0), each.scale)

    def _reporter(self) -> Any:
        """Return what the thread reports to; it is heard a few times a second."""
        last = time.monotonic()

        def report(done: int, part: int, parts: int) -> None:
            nonlocal last
            if time.monotonic() - last >= SECONDS_BETWEEN_EVENTS:
                last = time.monotonic()
                self._reported.emit(done, part, parts)

        return report

    def _on_reported(self, done: int, part: int, parts: int) -> None:
        if self.progress is not None:
            self.progress.done, self.progress.part, self.progress.parts = done, part, parts
            self.progressed.emit()

    def _on_events(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, Opened):
                self._opened = event.model
                self.sources.note_model(event.run, event.model)
            elif isinstance(event, Explained):
                self._take(event.number, event.result)
        self.keep()  # a row may have been deleted meanwhile
        self.changed.emit()
        if self._bytes > limits.MAP_BYTES:
            self.error = LimitError(
                f"The maps take {limits.amount(self._bytes)} of memory, which is the limit.",
                "Delete rows whose maps you do not need, or explain fewer rows.",
            )
            self.cancel()

    def _take(self, number: int, result: RowMap | Exception) -> None:
        self._drop(number)
        if isinstance(result, RowMap):
            image = self._image(number)
            self._maps[number] = result
            self._of_image.setdefault(image, {})[number] = result
            self._bytes += result.nbytes
            self._scales[image[0]] = max(self._scales.get(image[0], 0.0), result.scale)
        else:
            self.faults[number] = result

    def _on_failed(self, error: Exception) -> None:
        self.error = error
        self._end()

    def _end(self, result: object = None) -> None:
        self._task = self.progress = None
        self.progressed.emit()
        self.changed.emit()

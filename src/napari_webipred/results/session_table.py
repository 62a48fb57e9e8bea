"""The rows of all runs of a session, and what the user has changed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, overload

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.card import ModelCard
from napari_webipred.results.calibration import Calibration
from napari_webipred.results.growing import GrowingArray
from napari_webipred.results.history import Change, Commented, Deleted, History, Read
from napari_webipred.results.inputs import Inputs, ModelInput
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import assigned
from napari_webipred.results.reading import Reading
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList

Numbers = NDArray[np.intp]
T = TypeVar("T")


class RunDetails(Struct, frozen=True, eq=False):
    """What is known about a run before its first row.

    Attributes
    ----------
    number : int
        1 for the first run of the session, 2 for the next one.
    begun : datetime
        When, with the time zone.
    card : ModelCard
        The model, complete with what the user told.
    checksum : str
        Checksum of the model's files.
    options : Mapping
        The options as plain JSON values. A threshold that was changed afterwards stands here.
    classes, axes : tuple of str
        Names of the model's classes, and of the axes of the stacks among the images.
    total : int
        How many rows were to come.
    inputs : Inputs, optional
        The model and the images, so that they can be found again.
    calibration : Calibration, optional
        What gives each row calibrated probabilities beside the raw ones.
    """

    number: int
    begun: datetime
    card: ModelCard
    checksum: str
    options: Mapping[str, Any]
    classes: tuple[str, ...]
    axes: tuple[str, ...]
    total: int
    inputs: Inputs | None = None
    calibration: Calibration | None = None

    @property
    def ensemble(self) -> Mapping[str, Any] | None:
        """How the rows were made of those of other runs; None if a model gave them."""
        return None if self.inputs is None else self.inputs.ensemble

    @property
    def given_model(self) -> ModelInput | None:
        """What opens the model again; None if that is not known, or the rows join several models."""
        return None if self.inputs is None or self.inputs.ensemble else self.inputs.model


class Entry(Struct, frozen=True, eq=False):
    """A row with its run, the user's comment on it, and what a reader has said of the image."""

    run: RunDetails
    row: Row
    comment: str = ""
    reading: Reading | None = None

    @property
    def agreed(self) -> bool | None:
        """Whether the reader names the classes that the model assigned; None if one of them names nothing."""
        labels = None if self.reading is None else self.reading.labels(self.run.classes)
        if labels is None or self.row.failed:
            return None
        return {*labels} == {self.run.classes[index] for index in self.row.assigned}


class SessionTable:
    """Rows are numbered as they come, over all runs, from 0; a number stays with its row for good.

    Deleted rows keep their numbers, so that they can be restored.

    Attributes
    ----------
    runs : list of RunDetails
        All runs, number 1 first.
    rows : RowList
        All rows as the engine gave them, deleted ones too; `entry` returns one as it is now.
    comments : dict of int to str
        The comments, by the numbers of their rows.
    readings : dict of int to Reading
        The answers of a reader, by the numbers of their rows.
    version : int
        Another one after each change that is not the coming of rows.
    """

    def __init__(self) -> None:
        self.runs: list[RunDetails] = []
        self.rows = RowList()
        self.comments: dict[int, str] = {}
        self.readings: dict[int, Reading] = {}
        self.version = 0
        self._run_numbers = GrowingArray(np.int32)
        self._kept = GrowingArray(np.bool_)
        self._saved = GrowingArray(np.bool_)
        self._changed_thresholds: set[int] = set()
        self._history = History()

    def __len__(self) -> int:
        """Count all rows that have come, deleted ones too."""
        return len(self.rows)

    @property
    def numbers(self) -> Numbers:
        """Numbers of the rows that are not deleted, in the order in which they came."""
        return np.flatnonzero(self._kept.values)

    @property
    def run_numbers(self) -> NDArray[np.int32]:
        """The run of each row, deleted ones too."""
        return self._run_numbers.values

    @property
    def unsaved(self) -> int:
        """How many rows that are not deleted are not saved as they are now."""
        return int(np.count_nonzero(self._kept.values & ~self._saved.values))

    def begin(
        self,
        card: ModelCard,
        checksum: str,
        options: Mapping[str, Any],
        axes: Sequence[str],
        total: int,
        *,
        begun: datetime | None = None,
        inputs: Inputs | None = None,
        calibration: Calibration | None = None,
    ) -> RunDetails:
        """Begin a run, and number it."""
        begun = datetime.now().astimezone() if begun is None else begun
        classes = tuple(card.class_names)
        facts = (begun, card, checksum, dict(options), classes, tuple(axes), total, inputs, calibration)
        run = RunDetails(len(self.runs) + 1, *facts)
        self.runs.append(run)
        return run

    def append(self, run: RunDetails, rows: Sequence[Row]) -> range:
        """Add rows of a run, and return their numbers."""
        first = len(self.rows)
        self.rows.extend(rows)
        self._run_numbers.append(np.full(len(rows), run.number, np.int32))
        self._kept.append(np.ones(len(rows), np.bool_))
        self._saved.append(np.zeros(len(rows), np.bool_))
        return range(first, len(self.rows))

    def entry(self, number: int) -> Entry:
        """Return a row as it is now, deleted or not."""
        run = self.runs[self._run_numbers.values[number] - 1]
        row = self.rows[number]
        if run.number in self._changed_thresholds and row.probabilities is not None:
            classes = assigned(row.probabilities, run.card, run.options["threshold"])
            names = as_cell(run.card.classes[index].name for index in classes)
            row = replace(row, assigned=classes, prediction=names)
        return Entry(run, row, self.comments.get(number, ""), self.readings.get(number))

    def has_changed_threshold(self, run: RunDetails) -> bool:
        """Tell whether the threshold of a run was changed afterwards, so that its rows have other classes now."""
        return run.number in self._changed_thresholds

    def rows_of(self, run: RunDetails) -> Numbers:
        """Return the numbers of the rows of a run, deleted ones too.

        Rows of other runs may lie between them: a session can be opened while a run goes on.
        """
        return np.flatnonzero(self._run_numbers.values == run.number)

    def delete(self, numbers: Sequence[int] | Numbers) -> int:
        """Delete rows, and return how many were still there."""
        chosen = np.asarray(numbers, np.intp)
        chosen = np.unique(chosen[self._kept.values[chosen]])
        if len(chosen):
            self.version += 1
            self._kept.values[chosen] = False
            self._history.add(Deleted(chosen))
        return len(chosen)

    def comment(self, number: int, text: str) -> bool:
        """Comment on a row; an empty text removes the comment. Tell whether that changed anything."""
        before = self.comments.get(number, "")
        if text == before:
            return False
        self.version += 1
        self._history.add(Commented(number, before, text))
        self._set(self.comments, number, text)
        return True

    def read(self, number: int, reading: Reading | None) -> bool:
        """Note what a reader says of a row; None takes the answer back. Tell whether that changed anything."""
        before = self.readings.get(number)
        if reading == before:
            return False
        self.version += 1
        self._history.add(Read(number, before, reading))
        self._set(self.readings, number, reading)
        return True

    @property
    def next_undone(self) -> Change | None:
        """The change that `undo` takes back."""
        return self._history.next_undone

    @property
    def next_redone(self) -> Change | None:
        """The change that `redo` does again."""
        return self._history.next_redone

    @property
    def last_deleted(self) -> int:
        """How many rows the next `undo` restores; 0 if it takes back something else, or nothing."""
        last = self.next_undone
        return len(last.numbers) if isinstance(last, Deleted) else 0

    def undo(self) -> bool:
        """Take back the last deletion, comment or answer; tell whether there was one."""
        return self._move(self._history.undo(), back=True)

    def redo(self) -> bool:
        """Do again what was taken back last; tell whether there was something."""
        return self._move(self._history.redo(), back=False)

    def _move(self, change: Change | None, *, back: bool) -> bool:
        if change is None:
            return False
        self.version += 1
        if isinstance(change, Deleted):
            self._kept.values[change.numbers] = back
        elif isinstance(change, Commented):
            self._set(self.comments, change.number, change.before if back else change.after)
        else:
            self._set(self.readings, change.number, change.before if back else change.after)
        return True

    def set_threshold(self, run: RunDetails, threshold: float) -> None:
        """Assign the classes of all rows of a multi-label run with another threshold; the numbers stay."""
        index = run.number - 1
        self.runs[index] = replace(self.runs[index], options={**self.runs[index].options, "threshold": threshold})
        self._changed_thresholds.add(run.number)
        self.version += 1
        self._saved.values[self._run_numbers.values == run.number] = False

    def calibrate(self, run: RunDetails, calibration: Calibration) -> None:
        """Put calibrated probabilities beside the raw ones of all rows of a run."""
        index = run.number - 1
        self.runs[index] = replace(self.runs[index], calibration=calibration)
        self.version += 1
        self._saved.values[self._run_numbers.values == run.number] = False

    def mark_saved(self, numbers: Sequence[int] | Numbers) -> None:
        """Note that these rows are in a file as they are now."""
        self._saved.values[np.asarray(numbers, np.intp)] = True

    def _set(self, said: dict[int, T], number: int, value: T | None) -> None:
        self._saved.values[number] = False
        if value:
            said[number] = value
        else:
            said.pop(number, None)


class Entries(Sequence[Entry]):
    """Rows of a table as they are when they are looked at; making this takes no time however many there are."""

    def __init__(self, table: SessionTable, numbers: Numbers) -> None:
        self._table = table
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> Entries: ...
    def __getitem__(self, place: int | slice) -> Entry | Entries:
        if isinstance(place, slice):
            return Entries(self._table, self.numbers[place])
        return self._table.entry(int(self.numbers[place]))

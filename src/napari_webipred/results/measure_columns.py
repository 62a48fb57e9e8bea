"""Numbers beside the probabilities: deviations over views, calibrated ones, distances from a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_webipred.results.columns import REFERENCE
from napari_webipred.results.growing import GrowingArray
from napari_webipred.results.probabilities import reached
from napari_webipred.results.row_list import RowList
from napari_webipred.results.session_table import Entry, RunDetails, SessionTable

Measure = Literal["deviation", "calibrated", "distance", "percentile"]
Key = tuple[Measure, str]
Floats = NDArray[np.float32]
_BLOCK = 4096  # rows whose numbers are computed at once
_REFERENCE = dict(zip(("distance", "percentile"), REFERENCE, strict=True))


def has_measure(run: RunDetails, kind: Measure) -> bool:
    """Tell whether rows of a run have such a number."""
    if kind == "calibrated":
        return run.calibration is not None
    return bool(run.options.get("views" if kind == "deviation" else "reference"))


def measure_of(kind: Measure, entry: Entry, class_index: int | None) -> float:
    """Return a number of one row; NaN if it has none.

    Parameters
    ----------
    kind : str
    entry : Entry
    class_index : int, optional
        Of which class; None: of the assigned one. Distances and percentiles have no class.
    """
    row = entry.row
    if row.probabilities is None or not has_measure(entry.run, kind):
        return float("nan")
    index = _most([row.probabilities], [row.assigned]) if class_index is None else np.array([class_index])
    return float(_values(kind, entry.run, index, [row.probabilities], [row.measures])[0])


class MeasureColumns:
    """Makes each column when it is first needed, and continues it as rows come.

    Every array has a value for each row of the table, deleted ones too; NaN where there is none.

    Parameters
    ----------
    table : SessionTable
        Whose columns these are.
    classes_of : callable
        Returns the indices of the classes of a run by their names.
    """

    def __init__(self, table: SessionTable, classes_of: Callable[[RunDetails], Mapping[str, int]]) -> None:
        self._table = table
        self._classes_of = classes_of
        self._grown: dict[Key, GrowingArray] = {}
        self._runs: list[RunDetails] = []

    def extend(self) -> None:
        """Continue all columns that were asked for."""
        for kind, name in list(self._grown):
            self.numbers(kind, name)

    def numbers(self, kind: Measure, name: str = "") -> Floats:
        """Return a number per row: that of the class called ``name``, or of the assigned class of each row."""
        known, self._runs = self._runs, list(self._table.runs)
        if any(run is not before for run, before in zip(self._runs, known, strict=False)):
            self._grown.clear()  # thresholds or calibrations of a run were changed
        grown = self._grown.setdefault((kind, name), GrowingArray(np.float32))
        while (first := len(grown)) < len(self._table):
            grown.append(self._block(kind, name, first, min(first + _BLOCK, len(self._table))))
        return grown.values

    def _block(self, kind: Measure, name: str, first: int, end: int) -> Floats:
        found = np.full(end - first, np.nan, np.float32)
        numbers = self._table.run_numbers[first:end]
        for number in np.unique(numbers).tolist():
            run = self._table.runs[number - 1]
            index = self._classes_of(run).get(name)
            if has_measure(run, kind) and (index is not None or not name):
                places = np.flatnonzero(numbers == number)
                found[places] = self._of_run(kind, run, index, self._table.rows[first:end], places)
        return found

    def _of_run(
        self, kind: Measure, run: RunDetails, index: int | None, rows: RowList, places: NDArray[np.intp]
    ) -> Floats:
        given, measured, assigned = (rows.values(field) for field in ("probabilities", "measures", "assigned"))
        found = np.full(len(places), np.nan, np.float32)
        done = [place for place, row in enumerate(places.tolist()) if given[row] is not None]
        if not done:
            return found
        kept = places[done].tolist()
        probabilities = [given[row] for row in kept]
        if index is not None:
            which = np.full(len(done), index)
        elif self._table.has_changed_threshold(run):
            which = _reaching(run, np.stack(probabilities))
        else:
            which = _most(probabilities, [assigned[row] for row in kept])
        found[done] = _values(kind, run, which, probabilities, [measured[row] for row in kept])
        return found


def _most(probabilities: Sequence[Floats], assigned: Sequence[tuple[int, ...]]) -> NDArray[np.intp]:
    """Return the most probable of the assigned classes of each row; -1 where there is none."""
    pairs = zip(probabilities, assigned, strict=True)
    return np.array([max(chosen, key=row.__getitem__) if chosen else -1 for row, chosen in pairs], np.intp)


def _reaching(run: RunDetails, probabilities: Floats) -> NDArray[np.intp]:
    """Return the same by the threshold that the run has now."""
    chosen = reached(probabilities, run.card, run.options["threshold"])
    most = np.where(chosen, probabilities, -np.inf).argmax(1)
    return np.where(chosen.any(1), most, -1)


def _values(
    kind: Measure,
    run: RunDetails,
    index: NDArray[np.intp],
    probabilities: Sequence[Floats],
    measures: Sequence[Floats | None],
) -> NDArray[Any]:
    """Return a number for each row, of its class with this index; -1 is none."""
    rows = np.arange(len(index))
    if kind == "calibrated":
        assert run.calibration is not None
        numbers = run.calibration.applied(np.stack(probabilities))[rows, index]
    else:
        at = index
        if kind != "deviation":
            first = len(run.classes) if run.options.get("views") else 0
            at = index = np.full(len(rows), first + REFERENCE.index(_REFERENCE[kind]))
        numbers = np.array(
            [np.nan if each is None else each[place] for each, place in zip(measures, at.tolist(), strict=True)]
        )
    return np.where(index < 0, np.nan, numbers)

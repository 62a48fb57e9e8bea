"""Rows of one or several runs as one table of cells, the same for every kind of file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_webipred.results.columns import COMMENT, READER, Shared, calibrated, columns, measures, unique
from napari_webipred.results.export import Part, numbers, parts
from napari_webipred.results.session_table import Entry, RunDetails


class Sheet:
    """Names the columns of these rows, and gives their cells.

    Rows of one run have the columns that the command line writes. Those of several runs also have ``run`` and
    ``model``, and a column for each class of any of them; classes of the same name share a column.

    Parameters
    ----------
    entries : sequence of Entry

    Attributes
    ----------
    names : list of str
        Names of the columns.
    runs : list of RunDetails
        The runs of the rows, in the order of their numbers.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self.runs = runs_of(entries)
        self._axes = tuple(dict.fromkeys(axis for run in self.runs for axis in run.axes))
        self._several = len(self.runs) > 1
        names = {run.number: unique(run.classes) if self._several else run.classes for run in self.runs}
        self._classes = Shared(names)
        self._measures = Shared({run.number: _measured_names(run, names[run.number]) for run in self.runs})
        comments = (COMMENT,) if any(entry.comment for entry in entries) else ()
        readings = READER if any(entry.reading for entry in entries) else ()
        self._said = (*comments, *readings)
        self._regions = any(entry.row.region for entry in entries)
        self.names = columns(
            self._axes,
            self._classes.names,
            self._regions,
            runs=self._several,
            measures=self._measures.names,
            said=self._said,
        )

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[list[Part]]:
        """Yield what stands in the cells of each row."""
        return map(self._parts, self._entries)

    def _parts(self, entry: Entry) -> list[Part]:
        row, run = entry.row, entry.run
        which = (run.number, run.card.name) if self._several else ()
        probabilities = numbers(self._classes.spread(run.number, row.probabilities), len(self._classes.names))
        measured = numbers(self._measures.spread(run.number, _measured(entry)), len(self._measures.names))
        found = parts(row, self._axes, probabilities, self._regions, which, measured)
        said = {COMMENT: entry.comment, **dict(zip(READER, entry.reading.cells if entry.reading else (), strict=False))}
        return [*found, *(said.get(name, "") for name in self._said)]


def _measured_names(run: RunDetails, classes: Sequence[str]) -> tuple[str, ...]:
    return (*measures(classes, run.options), *(calibrated(classes) if run.calibration else ()))


def _measured(entry: Entry) -> NDArray[np.float32] | None:
    """Return what was measured of a row, and its calibrated probabilities."""
    row, calibration = entry.row, entry.run.calibration
    if calibration is None or row.probabilities is None:
        return row.measures
    found = calibration.applied(row.probabilities[None])[0].astype(np.float32)
    return found if row.measures is None else np.concatenate([row.measures, found])


def runs_of(entries: Sequence[Entry]) -> list[RunDetails]:
    """Return the runs of these rows, in the order of their numbers."""
    runs = {entry.run.number: entry.run for entry in entries}
    return [runs[number] for number in sorted(runs)]

"""Rows as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from napari_webipred.results.columns import columns
from napari_webipred.results.row import Row

# A spreadsheet takes a cell that begins with one of these for a formula and runs it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CsvWriter:
    """Writes rows as they come: UTF-8, RFC 4180, probabilities with full float32 precision.

    Parameters
    ----------
    stream : text stream
        Opened with ``newline=""``, so that line ends stay as RFC 4180 wants them.
    classes, axes : sequences of str
        Names of the classes in the model's order, and of the axes of stacks.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str], axes: Sequence[str] = ()) -> None:
        self._writer = csv.writer(stream)
        self._classes = len(classes)
        self._axes = tuple(axes)
        self._writer.writerow(map(harmless, columns(axes, classes)))

    def write(self, row: Row) -> None:
        """Write one row; a failed one has empty cells for its probabilities."""
        numbers = [""] * self._classes if row.probabilities is None else map(str, row.probabilities)
        self._writer.writerow(
            [
                harmless(row.image),
                *(row.position.get(axis, "") for axis in self._axes),
                *numbers,
                harmless(row.prediction),
                harmless(row.error),
            ]
        )


def harmless(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_csv(path: Path, rows: Iterable[Row], classes: Sequence[str], axes: Sequence[str] = ()) -> None:
    """Write all rows to a file; see `CsvWriter`. Raises OSError when the file cannot be written."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = CsvWriter(stream, classes, axes)
        for row in rows:
            writer.write(row)

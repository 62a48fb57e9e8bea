"""Rows as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TextIO

from napari_webipred.names import visible
from napari_webipred.results.columns import columns
from napari_webipred.results.row import Row

# A spreadsheet takes a cell that begins with one of these for a formula and runs it.
FORMULA_STARTS = ("=", "+", "-", "@")


class CsvWriter:
    """Writes rows as they come: UTF-8, RFC 4180, probabilities with full float32 precision.

    Parameters
    ----------
    stream : text stream
        Opened with ``newline=""``, so that line ends stay as RFC 4180 wants them.
    classes, axes : sequences of str
        Names of the classes in the model's order, and of the axes of stacks.
    dialect : type of csv.Dialect
        How cells and lines are separated, if not as in a CSV file.
    regions : bool
        Whether there is a column for the region.
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        axes: Sequence[str] = (),
        dialect: type[csv.Dialect] = csv.excel,
        regions: bool = False,
    ) -> None:
        self._writer = csv.writer(stream, dialect)
        self._classes = len(classes)
        self._axes = tuple(axes)
        self._regions = regions
        self._writer.writerow(map(harmless, columns(axes, classes, regions)))

    def write(self, row: Row) -> None:
        """Write one row; a failed one has empty cells for its probabilities."""
        numbers = [""] * self._classes if row.probabilities is None else map(str, row.probabilities)
        self._writer.writerow(
            [
                harmless(row.image),
                *(row.position.get(axis, "") for axis in self._axes),
                *([harmless(row.region)] if self._regions else []),
                *numbers,
                harmless(row.prediction),
                harmless(row.error),
            ]
        )


def harmless(text: str) -> str:
    """Escape what cannot be seen, and put an apostrophe before what a spreadsheet would run as a formula."""
    text = visible(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

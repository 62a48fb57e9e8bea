"""Rows as text: CSV, or separated by tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from napari_webipred.names import harmless
from napari_webipred.results.columns import IDENTITY, columns
from napari_webipred.results.digits import digits
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell: TypeAlias = str | int | None
Part: TypeAlias = "Cell | NDArray[np.float32]"  # a cell, or the numbers of several side by side
QUOTE = '"'


class Stream(Protocol):
    """Takes text."""

    def write(self, text: str, /) -> object:
        """Take a text."""


class Tabs(csv.excel_tab):
    """Cells separated by tabs, as spreadsheets take them from the clipboard."""

    lineterminator = "\n"


DIALECTS: Mapping[str, type[csv.Dialect]] = {".tsv": Tabs}  # by suffix; of all others that of CSV files


def dialect_of(path: Path) -> type[csv.Dialect]:
    """Return how cells and lines are separated in a text file of this name."""
    return DIALECTS.get(path.suffix.lower(), csv.excel)


class CsvWriter:
    """Writes rows as they come: UTF-8, RFC 4180, probabilities with full float32 precision.

    Parameters
    ----------
    stream : text stream
        A file is opened with ``newline=""``, so that line ends stay as RFC 4180 wants them.
    classes, axes : sequences of str
        Names of the classes in the model's order, and of the axes of stacks.
    dialect : type of csv.Dialect
        How cells and lines are separated, if not as in a CSV file.
    regions : bool
        Whether there is a column for the region.
    measures : sequence of str
        What else was measured of each image.
    identify : bool
        Whether there are columns for the identifiers of DICOM files.
    models : bool
        Whether there is a column for the model; `classes` and `measures` are then those of all models.
    """

    def __init__(
        self,
        stream: Stream,
        classes: Sequence[str],
        axes: Sequence[str] = (),
        dialect: type[csv.Dialect] = csv.excel,
        regions: bool = False,
        *,
        measures: Sequence[str] = (),
        identify: bool = False,
        models: bool = False,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self._classes = len(classes)
        self._axes = tuple(axes)
        self._regions = regions
        self._identify = identify
        self._models = models
        self._measures = len(measures)
        names = columns(axes, classes, regions, models=models, measures=measures, identify=identify)
        stream.write(line(names, dialect))

    def write(self, row: Row, model: str = "") -> None:
        """Write one row, of one of several models; a failed one has empty cells for its numbers."""
        run = (*(identity(row) if self._identify else ()), *((model,) if self._models else ()))
        probabilities, measured = numbers(row.probabilities, self._classes), numbers(row.measures, self._measures)
        found = parts(row, self._axes, probabilities, self._regions, run, measured)
        self._stream.write(line(found, self._dialect))


def numbers(values: NDArray[np.float32] | None, count: int) -> Sequence[NDArray[np.float32]]:
    """Return the numbers of so many columns as parts of a line: NaN for a row that has none, because it has failed."""
    if not count:
        return ()
    return (np.full(count, np.nan, np.float32) if values is None else values,)


def identity(row: Row) -> Sequence[str]:
    """Return the identifiers of study, series and instance; empty ones of what is no DICOM file."""
    return row.identity or ("",) * len(IDENTITY)


def parts(
    row: Row,
    axes: Sequence[str],
    probabilities: Sequence[Part],
    regions: bool = False,
    run: Sequence[Part] = (),
    measures: Sequence[Part] = (),
) -> list[Part]:
    """Return what stands in the columns that `columns` names, up to the measures."""
    return [
        row.image,
        *(row.position.get(axis) for axis in axes),
        *((row.region,) if regions else ()),
        *run,
        *probabilities,
        row.prediction,
        row.error,
        *measures,
    ]


def line(parts: Iterable[Part], dialect: type[csv.Dialect]) -> str:
    """Write a line of a text file; numbers have so many digits that they can be read back."""
    delimiter = dialect.delimiter
    texts = [
        in_cells(part, delimiter) if isinstance(part, np.ndarray) else _quoted(as_text(part), delimiter)
        for part in parts
    ]
    return delimiter.join(texts) + dialect.lineterminator


def as_text(cell: Cell) -> str:
    """Write a cell as text that has no line end and that no spreadsheet runs."""
    if isinstance(cell, str):
        return harmless(cell)
    return "" if cell is None else str(cell)


def in_cells(values: NDArray[np.float32], delimiter: str) -> str:
    """Write numbers into cells side by side; NaN leaves its cell empty."""
    text = digits(values)
    if "n" in text:  # some are not finite
        text = text.replace("null", "")
        if (infinite := np.flatnonzero(np.isinf(values))).size:
            cells = text.split(",")
            for place in infinite:
                cells[place] = str(values[place])
            text = ",".join(cells)
    return text if delimiter == "," else text.replace(",", delimiter)


def _quoted(text: str, delimiter: str) -> str:
    return f'"{text.replace(QUOTE, 2 * QUOTE)}"' if delimiter in text or QUOTE in text else text

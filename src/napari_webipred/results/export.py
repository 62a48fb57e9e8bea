"""Rows as text: CSV, or separated by tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

from napari_webipred.names import harmless
from napari_webipred.results.columns import IDENTITY, columns
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Cell: TypeAlias = "str | int | np.float32 | None"


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
        Opened with ``newline=""``, so that line ends stay as RFC 4180 wants them.
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
        stream: TextIO,
        classes: Sequence[str],
        axes: Sequence[str] = (),
        dialect: type[csv.Dialect] = csv.excel,
        regions: bool = False,
        *,
        measures: Sequence[str] = (),
        identify: bool = False,
        models: bool = False,
    ) -> None:
        self._writer = csv.writer(stream, dialect)
        self._classes = len(classes)
        self._axes = tuple(axes)
        self._regions = regions
        self._identify = identify
        self._models = models
        self._measures = len(measures)
        names = columns(axes, classes, regions, models=models, measures=measures, identify=identify)
        self._writer.writerow(as_text(names))

    def write(self, row: Row, model: str = "") -> None:
        """Write one row, of one of several models; a failed one has empty cells for its numbers."""
        run = (*(identity(row) if self._identify else ()), *((model,) if self._models else ()))
        probabilities, measured = numbers(row.probabilities, self._classes), numbers(row.measures, self._measures)
        self._writer.writerow(as_text(cells(row, self._axes, probabilities, self._regions, run, measured)))


def numbers(values: NDArray[np.float32] | None, count: int) -> Sequence[np.float32 | None]:
    """Return numbers as cells; None for each that a row does not have, because it has failed or has no such class."""
    return [None] * count if values is None else [None if isnan(value) else value for value in values]


def identity(row: Row) -> Sequence[str]:
    """Return the identifiers of study, series and instance; empty ones of what is no DICOM file."""
    return row.identity or ("",) * len(IDENTITY)


def cells(
    row: Row,
    axes: Sequence[str],
    probabilities: Sequence[Cell],
    regions: bool = False,
    run: Sequence[Cell] = (),
    measures: Sequence[Cell] = (),
) -> list[Cell]:
    """Return what stands in the columns that `columns` names, up to the measures."""
    return [
        row.image,
        *(row.position.get(axis) for axis in axes),
        *([row.region] if regions else []),
        *run,
        *probabilities,
        row.prediction,
        row.error,
        *measures,
    ]


def as_text(cells: Iterable[Cell]) -> list[str]:
    """Write cells as text, as it stands in a CSV file; numbers have so many digits that they can be read back."""
    return [harmless(cell) if isinstance(cell, str) else "" if cell is None else str(cell) for cell in cells]

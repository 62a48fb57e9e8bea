"""The cells of a table of results as text, whatever format its file has."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_webipred import safe_json
from napari_webipred.results.export import as_text, dialect_of, in_cells
from napari_webipred.results.line import is_json
from napari_webipred.results.table_path import PARQUET
from napari_webipred.table_header import separator

_DECIMAL_COMMA = re.compile(r"-?\d+,\d+(E[+-]?\d+)?", re.IGNORECASE)


def cells_in(path: Path) -> Iterator[list[str]]:
    """Yield the names of the columns, then the cells of each row, as they stand in a CSV file of ours.

    Many a spreadsheet writes semicolons between cells, and commas in numbers.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError, csv.Error
        It is no such table.
    """
    if path.suffix.lower() == PARQUET:
        from napari_webipred.results import parquet

        yield from map(_as_text, parquet.cells_in(path))
    elif is_json(path):
        yield from _of_json(path)
    else:
        between = _between(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, dialect_of(path), delimiter=between)
            if between == dialect_of(path).delimiter:
                yield from rows
                return
            yield next(rows)
            for cells in rows:
                yield [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]


def is_converted(path: Path) -> bool:
    """Tell whether a table is no text with cells, by its name."""
    return is_json(path) or path.suffix.lower() == PARQUET


def is_ours(path: Path) -> bool:
    """Tell whether a table is text with cells as this program writes them; for the errors see `cells_in`."""
    return not is_converted(path) and _between(path) == dialect_of(path).delimiter


def _between(path: Path) -> str:
    """Return what stands between the cells of a text: what the program writes, unless there is no column of images."""
    usual = dialect_of(path).delimiter
    with path.open(encoding="utf-8-sig", newline="") as file:
        if "image" in next(csv.reader(file, delimiter=usual), []):
            return usual
        file.seek(0)
        return separator(file.readline(), path.name)


def text_of(path: Path) -> io.StringIO:
    """Return a table of another format as CSV text; for the errors see `cells_in`."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells_in(path))
    text.seek(0)
    return text


def _of_json(path: Path) -> Iterator[list[str]]:
    """Yield the cells of JSON lines; a line of a stack has columns that others have not."""
    columns: list[str] = []
    for found in map(list, _objects(path)):
        if new := [name for name in found if name not in columns]:
            after = found[found.index(new[-1]) + 1 :]  # new axes stand before what all rows have
            end = columns.index(after[0]) if columns and after else len(columns)
            columns[end:end] = new
    yield [*map(as_text, columns)]
    for row in _objects(path):
        yield _as_text([row.get(name) for name in columns])


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object of each line that is not blank."""
    with path.open(encoding="utf-8-sig") as file:  # an editor may put a mark of the encoding at the beginning
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _object(line, number)


def _object(line: str, number: int) -> dict[str, Any]:
    wrong = f"line {number} is no JSON object"
    try:
        found = safe_json.parse(line)
    except ValueError as error:
        raise ValueError(wrong) from error
    if not isinstance(found, dict):
        raise ValueError(wrong)
    return found


def _as_text(cells: list[str | int | float | None]) -> list[str]:
    numbers = np.array([cell for cell in cells if isinstance(cell, float)], np.float32)
    written = iter(in_cells(numbers, ",").split(","))
    return [next(written) if isinstance(cell, float) else as_text(cell) for cell in cells]

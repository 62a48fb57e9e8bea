"""A line of a table that grows: how it is written, and its checksum."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from napari_webipred.results.export import CsvWriter, dialect_of
from napari_webipred.results.json_lines import SUFFIX, JsonLinesWriter
from napari_webipred.results.row import Row


class RowWriter(Protocol):
    """Writes rows to a stream."""

    def write(self, row: Row, model: str = "") -> None:
        """Write one row, of one of several models."""


def writer_for(path: Path) -> Callable[..., RowWriter]:
    """Return what makes the writer of the lines of a file of this name; see `CsvWriter`."""
    return JsonLinesWriter if is_json(path) else partial(CsvWriter, dialect=dialect_of(path))


def is_json(path: Path) -> bool:
    """Tell whether the lines of a file of this name are JSON; they have no line with names before them."""
    return path.suffix.lower() == SUFFIX


def cells_of(line: bytes, path: Path) -> list[str]:
    """Return the cells of a line of a CSV or TSV file."""
    return next(csv.reader([line.decode("utf-8", "replace")], dialect_of(path)), [])


def check_of(line: bytes, path: Path, axes: int) -> int:
    """Return the checksum of a line; that of CSV leaves out the cells of so many axes, which may be added later."""
    if not is_json(path):
        cells = _without_quotes(line, dialect_of(path)).split(b"\0", 1 + axes)
        line = b"\0".join([*cells[:1], *cells[1 + axes :]])
    return zlib.crc32(line)


def _without_quotes(line: bytes, dialect: type[csv.Dialect]) -> bytes:
    """Return the cells of a line, NUL between them: a line with many numbers takes long to read cell by cell."""
    pieces = line.rstrip(b"\r\n").split(b'"')
    # Every second piece stands in quotes. Nothing between two of these was a quote in a cell, which is doubled.
    delimiter = dialect.delimiter.encode()
    pieces[::2] = [piece.replace(delimiter, b"\0") for piece in pieces[::2]]
    pieces[2:-1:2] = [piece or b'"' for piece in pieces[2:-1:2]]
    return b"".join(pieces)

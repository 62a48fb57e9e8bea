"""The files of a table of results: which may be written, and which are ours."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.results.journal import is_journal, journal_path
from napari_webipred.results.json_lines import SUFFIX
from napari_webipred.results.line import cells_of, is_json
from napari_webipred.results.output import Kind, check_input, check_replaced, claimed
from napari_webipred.results.record import read_record, record_path

_MAX_HEADER = 2**24


def _is_ours(path: Path) -> bool:
    """Tell whether a file is a table of this program, as its record says, and as it was when that was written."""
    record = read_record(record_path(path))
    if record is None:
        return False
    known = record.get("table_checksum")
    with path.open("rb") as file:
        if path.suffix.lower() in (*_TEXT, SUFFIX):
            if not _is_first_line(file.readline(_MAX_HEADER), path):
                return False
            file.seek(0)
            if known is None:  # a run that was ended by force did not come to writing the checksum
                return True
        return bool(known == checksum_of(file))


def _is_first_line(line: bytes, path: Path) -> bool:
    """Tell whether this may be the first line of a table."""
    try:
        found: Iterable[str] = json.loads(line) if is_json(path) else cells_of(line, path)
    except (ValueError, RecursionError, csv.Error):  # a cell is larger than any name
        return False
    names = list(found) if isinstance(found, (dict, list)) else []
    return names[:1] == ["image"] and {"prediction", "error"} <= set(names)


EXCEL, PARQUET = ".xlsx", ".parquet"
_TEXT = (".csv", ".tsv", ".txt", "")
ROWS = Kind("the results are written row by row, as CSV or TSV text", _TEXT, _is_ours)
TABLE = Kind("the results are saved as CSV, TSV or Excel", (*_TEXT, EXCEL), _is_ours)
COHORT = Kind("the results are written as CSV, TSV, JSON lines or Parquet", (*_TEXT, SUFFIX, PARQUET), _is_ours)


@contextmanager
def claimed_table(
    path: Path, may_replace: Callable[[Path], bool], inputs: Iterable[str | Path] = (), kind: Kind = ROWS
) -> Iterator[Path]:
    """Make sure that a table and its record may be written; see `napari_webipred.results.output.claimed`.

    A table that grows row by row is of the kind `ROWS`, or `COHORT` if it has a journal; one that is written whole can
    also be a `TABLE`.
    """
    inputs = list(inputs)
    with claimed(path, kind, may_replace, inputs) as target:
        check_input(record_path(target), inputs)
        check_replaced(record_path(target), lambda record: read_record(record) is not None, may_replace)
        if kind is COHORT:
            journal = journal_path(target)
            for each in {journal, growing_path(target)} - {target}:
                check_input(each, inputs)
                check_replaced(each, lambda _: is_journal(journal), may_replace)
        yield target


def refuse_record(path: Path) -> None:
    """Raise OptionError if a file is JSON by its name, such as the record of a table, where the table is wanted."""
    if path.suffix.lower() != ".json":
        return
    table = Path(path.stem)
    if table.suffix and table.suffix.lower() in COHORT.suffixes:
        raise OptionError(f"{path.name} is a record, not a table of results.", f"Give the table, such as {table}.")
    raise OptionError(f"{path.name} is no table of results.", "Give the table, such as results.csv.")


def growing_path(path: Path) -> Path:
    """Return the file that grows row by row until a table is written: itself, unless it is one of Parquet."""
    return path.with_name(f"{path.name}.rows{SUFFIX}") if path.suffix.lower() == PARQUET else path


def checksum_of(file: io.BufferedReader | io.BufferedRandom) -> str:
    """Return the checksum of what follows in a file, as a record has it."""
    return as_checksum(hashlib.file_digest(file, "sha256").hexdigest())


def as_checksum(digest: str) -> str:
    """Write a SHA-256 as a record has it."""
    return f"sha256:{digest}"

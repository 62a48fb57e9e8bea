"""A table of results as a file that is written whole, with the record beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from napari_webipred.results import excel
from napari_webipred.results.export import Part, dialect_of, line
from napari_webipred.results.output import being_replaced, replacing, unwritable
from napari_webipred.results.record import Record, as_json, kept_unless_written, of_runs, record_path
from napari_webipred.results.session_table import Entry
from napari_webipred.results.sheet import Sheet
from napari_webipred.results.table_path import EXCEL, TABLE, checksum_of, claimed_table

SOME_ROWS = "not all rows of the run were saved"


def save(
    path: Path, entries: Sequence[Entry], reasons: Mapping[int, str], may_replace: Callable[[Path], bool]
) -> Generator[None, None, None]:
    """Write rows and their record, step by step; a file that is there already stays as it is until all is written.

    Parameters
    ----------
    path : Path
        The suffix decides what is written: Excel (``.xlsx``), text with tabs (``.tsv``) or CSV.
    entries : sequence of Entry
        At least one; of several runs, the file says of each row which run it is of. See `Sheet`.
    reasons : mapping of int to str
        Why a run, by its number, did not come to its end.
    may_replace : callable
        See `napari_webipred.results.output.claimed`.

    Raises
    ------
    OptionError
        The file must not or cannot be written.
    """
    sheet = Sheet(entries)
    with claimed_table(path, may_replace, kind=TABLE) as target:
        try:
            with kept_unless_written(record_path(target)), being_replaced(target) as file:
                yield from _write(file, target, sheet)
                file.seek(0)
                record = of_runs(_records(entries, sheet, reasons), checksum_of(file))
                with replacing(record_path(target), as_json(record)):
                    pass
        except OSError as error:
            raise unwritable(path, error) from error


def text(entries: Sequence[Entry], dialect: type[csv.Dialect], header: bool = True) -> Generator[None, None, str]:
    """Return rows as text, made step by step, with the same cells as in a file."""
    lines = []
    for each in _lines(Sheet(entries), dialect):
        lines.append(each)
        yield
    return "".join(lines if header else lines[1:])


def _write(file: io.BufferedRandom, path: Path, sheet: Sheet) -> Iterator[None]:
    if path.suffix.lower() == EXCEL:
        yield from excel.write(file, sheet.names, sheet, len(sheet))
        return
    for each in _lines(sheet, dialect_of(path)):
        file.write(each.encode())
        yield


def _lines(sheet: Sheet, dialect: type[csv.Dialect]) -> Iterator[str]:
    """Return the line of names, and that of each row."""
    rows: Iterable[Sequence[Part]] = chain([sheet.names], sheet)
    return (line(row, dialect) for row in rows)


def _records(entries: Sequence[Entry], sheet: Sheet, reasons: Mapping[int, str]) -> dict[int, Record]:
    """Make the record of each run, with what is to be said of these rows of it."""
    records = {
        run.number: Record(
            run.card,
            run.checksum,
            run.options,
            run.total,
            run.given_model,
            run.calibration,
            ensemble=run.ensemble,
        )
        for run in sheet.runs
    }
    for number, record in records.items():
        record.stopped = reasons.get(number, SOME_ROWS)
    for entry in entries:
        records[entry.run.number].add(entry.row)
    return records

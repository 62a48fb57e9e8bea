"""Going on with a run that was ended before its end: what of its table is good, and whether it is the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.names import without_apostrophe
from napari_webipred.results.columns import IDENTITY
from napari_webipred.results.journal import HEAD, head_and_rows, journal_path, row_of
from napari_webipred.results.line import cells_of, check_of, is_json
from napari_webipred.results.record import Record, plain
from napari_webipred.results.recorded import recorded
from napari_webipred.results.row import Row
from napari_webipred.results.table_path import checksum_of, growing_path

# What must be the same in a record so that rows of both runs can stand in one table.
_OF_MODEL = ("checksum", "task", "classes", "thresholds", "output")
_OF_RUN = ("input", "preprocessing", "options", "images")
_SHOWN = 100  # characters of a value
_STEP = 1000  # rows
Noted: TypeAlias = tuple[Row, Mapping[str, Any]]  # a row, and what is known of its file
Note: TypeAlias = Callable[[Row, Mapping[str, Any]], None]


class Earlier(Struct):
    """What an earlier run has left.

    Attributes
    ----------
    axes : tuple of str
        Those that the table has.
    rows : int
        How many are good.
    size, journal_size : int
        How many bytes of the table and of its journal are good.
    latest : tuple of int
        The last image that has rows, and how many; (-1, 0) if none has.
    last : Row, optional
        The last row, without its numbers.
    facts : mapping
        What is known of its file.
    failed : list of int
        The images of which a plane has failed.
    """

    axes: tuple[str, ...] = ()
    rows: int = 0
    size: int = 0
    journal_size: int = 0
    latest: tuple[int, int] = (-1, 0)
    last: Row | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)

    @property
    def began(self) -> bool:
        """Whether there is a row."""
        return self.rows > 0

    @property
    def ends_with_part(self) -> bool:
        """Whether the last row is about a plane or a region, of which its image may have more."""
        return self.last is not None and bool(self.last.position or self.last.region)

    def add(self, row: Row, facts: Mapping[str, Any]) -> None:
        """Count a row that is there, and note what is known of its file."""
        self.rows += 1
        self.last, self.facts = row, facts
        self.axes = (*self.axes, *(axis for axis in row.position if axis not in self.axes))
        image, rows = self.latest
        self.latest = (row.source, rows + 1 if row.source == image else 1)
        if row.failed and self.failed[-1:] != [row.source]:
            self.failed.append(row.source)


def head_of(record: Record) -> dict[str, Any]:
    """Return what must be the same in two runs, one of which goes on with the other."""
    return _head_in(record.as_dict())


def _head_in(found: Mapping[str, Any]) -> dict[str, Any]:
    model = {name: found["model"].get(name) for name in _OF_MODEL}
    # How far numbers are from those of the processor is measured anew; which device computes is an option itself.
    found = {**found, "options": {name: value for name, value in found["options"].items() if name != "difference"}}
    head: dict[str, Any] = plain(
        {"versions": found["versions"], "model": model, **{name: found.get(name) for name in _OF_RUN}}
    )
    return head


def failed_when_done(path: Path, head: Mapping[str, Any]) -> int | None:
    """Return how many rows of a table failed, if it is complete and was made by a run with this head; else None.

    Raises
    ------
    OptionError
        It was made by another one, or its record is damaged.
    """
    if not path.is_file():
        return None
    try:
        record = recorded(path)
    except OptionError:
        if journal_path(path).is_file():  # which is enough to go on
            return None
        raise
    if record is None or not record.get("complete") or record.get("images") is None:
        return None
    try:
        _check_same(path, _head_in(record), head)
        with path.open("rb") as file:
            if checksum_of(file) != record.get("table_checksum"):
                raise _changed(path)
    except OptionError:
        if (grown := growing_path(path)) != path and grown.is_file():  # lines of a later run, which was to replace it
            return None
        raise
    return int(record["planes"]["failed"])


def verifying(path: Path, head: Mapping[str, Any], note: Note) -> Generator[int, None, Earlier]:
    """Find what of a table is good.

    A row is good if it is in the journal and unchanged in the table. What follows the last good one was being written
    when the run ended.

    Parameters
    ----------
    path : Path
    head : mapping
        See `head_of`.
    note : callable
        Called with each good row, without its numbers, and what is known of its file.

    Yields
    ------
    int
        How many rows are verified.

    Raises
    ------
    OptionError
        The table was made by another run, or was changed since.
    OSError
        A file cannot be read.
    """
    grown, journal, found = growing_path(path), journal_path(path), Earlier()
    if not journal.is_file():
        if grown.is_file() and grown.stat().st_size:
            raise OptionError(f"There is no journal {journal.name} beside {grown.name}.", "", "begin anew")
        return found
    entries = head_and_rows(journal)
    first, found.journal_size = next(entries, ({}, 0))
    if HEAD not in first:
        return found  # ended before the first line was written
    try:
        _check_same(path, first[HEAD], head)
        found.axes = tuple(map(str, first["axes"]))
        if not grown.is_file():
            return found
        yield from _verifying_rows(grown, entries, found, int(first["others"]), note)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise OptionError(f"{journal} is damaged ({type(error).__name__}).", "", "begin anew") from error
    return found


def _verifying_rows(
    grown: Path, entries: Iterator[tuple[dict[str, Any], int]], found: Earlier, others: int, note: Note
) -> Generator[int, None, None]:
    """Compare each line of a table with the journal, up to the first that is not good."""
    with grown.open("rb") as table:
        names: list[str] = []
        end = 0
        if not is_json(grown):
            header = table.readline()
            end, names = len(header), cells_of(header, grown)
        axes = len(names) - others if names else 0
        torn = False
        for number, (line, noted) in enumerate(zip(table, entries, strict=False), 1):
            if not line.endswith(b"\n"):
                break
            entry, journal_end = noted
            if check_of(line, grown, axes) != entry["check"]:
                torn = True
                continue
            if torn:  # a row is bad that has good ones behind it
                raise _changed(grown)
            end += len(line)
            row, facts = row_of(entry)
            found.size, found.journal_size = end, journal_end
            found.add(row, facts)
            note(row, facts)
            if number % _STEP == 0:
                yield number
    # The table may have got a column for a stack of which no row is written yet.
    found.axes = (*found.axes, *map(without_apostrophe, names[1 + len(found.axes) : 1 + axes]))


def first_axes(path: Path) -> tuple[str, ...]:
    """Return the axes that a table began with."""
    first, _ = next(head_and_rows(journal_path(path)))
    return tuple(map(str, first["axes"]))


def rows_in(path: Path, count: int, classes: int, measures: int, *, identify: bool) -> Iterator[Noted]:
    """Yield the first rows of a table whose rows are verified, and what is known of their files.

    Parameters
    ----------
    path : Path
    count, classes, measures : int
        How many rows, columns of classes and columns of measures.
    identify : bool
        Whether there are columns for the identifiers of DICOM files.
    """
    grown = growing_path(path)
    entries = head_and_rows(journal_path(path))
    next(entries)
    with grown.open("rb") as table:
        if not is_json(grown):
            table.readline()
        for line, (entry, _) in islice(zip(table, entries, strict=False), count):
            cells: list[Any] = list(json.loads(line).values()) if is_json(grown) else cells_of(line, grown)
            last = len(cells) - measures - 2
            row, facts = row_of(entry)
            yield (
                replace(
                    row,
                    probabilities=None if row.failed else _numbers(cells[last - classes : last]),
                    prediction=without_apostrophe(cells[last]),
                    measures=None if row.failed or not measures else _numbers(cells[last + 2 :]),
                    identity=_identity(cells[last - classes - len(IDENTITY) : last - classes]) if identify else (),
                ),
                facts,
            )


def _numbers(cells: Sequence[Any]) -> NDArray[np.float32]:
    return np.array([np.nan if cell in ("", None) else np.float32(cell) for cell in cells], np.float32)


def _identity(cells: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, cells)) if any(cells) else ()


def _check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Make sure that two runs give the same rows."""
    if differing := list(_differences(before, now)):
        more = f" ({len(differing) - 1} more differences.)" if len(differing) > 1 else ""
        raise OptionError(f"The run of {path} cannot go on: {differing[0]}{more}", "", "begin anew")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Say what differs, the most important first."""
    for name, value in now["model"].items():
        if (known := before.get("model", {}).get(name)) != value:
            yield f"the {name} of the model was {_shown(known)}, and is {_shown(value)}."
    images, known = now["images"], before.get("images") or {}
    if known != images:
        counts = (known.get("count"), images["count"])
        words = (
            "are others, or in another order" if counts[0] == counts[1] else f"were {counts[0]}, and are {counts[1]}"
        )
        yield f"the images {words}."
    for part in ("options", "input", "preprocessing", "versions"):
        old, new = (each.get(part) or {} for each in (before, now))
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                what = f"the version of {name}" if part == "versions" else f"{name} ({part})"
                yield f"{what} was {_shown(old.get(name))}, and is {_shown(new.get(name))}."


def _shown(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _changed(path: Path) -> OptionError:
    return OptionError(f"{path} was changed after it was written, so the run cannot go on.", "", "begin anew")

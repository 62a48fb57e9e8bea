"""What is reported: the rows of one run, what a reader has said of them, and how they were made."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred import file_errors
from napari_webipred.checksums import sha256_of
from napari_webipred.errors import OptionError
from napari_webipred.names import unescape, without_apostrophe
from napari_webipred.results.columns import IDENTITY, READER, REGION, RUN, class_places
from napari_webipred.results.export import as_text
from napari_webipred.results.journal import inputs_of
from napari_webipred.results.prediction import classes_in
from napari_webipred.results.reading import Reading, parsed
from napari_webipred.results.record import Record, plain, record_path
from napari_webipred.results.recorded import recorded
from napari_webipred.results.session_table import Entry
from napari_webipred.results.table_cells import cells_in
from napari_webipred.results.table_path import refuse_record

if TYPE_CHECKING:
    import pandas as pd

_OURS = "Give a table that napari-webipred has written, with the record beside it."
_SEVERAL = "The table has the rows of several runs or models."
_ONE_RUN = "Save the rows of each run by themselves."


class Result(Struct, frozen=True, eq=False):
    """A row of a table of results.

    Attributes
    ----------
    image : str
        Name of the image, as it stands in the table.
    position : Mapping[str, int]
        Where the plane lies along the axes of a stack.
    region : str
        Name of the region; empty for the whole plane.
    probabilities : tuple of float, or None
        One for each class, as it stands in the table; None if the image failed.
    assigned : tuple of str
        Names of the classes that the model assigns.
    error : str
        Why there are no probabilities.
    reading : Reading or None
        What a reader has said; None if nobody has looked.
    identity : tuple of str
        The unique identifiers of study, series and instance of a DICOM image, if they are in the table.
    source : int or None
        Which of the images of the run it is of, counted from 0, if that is known: several can have the same name.
    """

    image: str
    position: Mapping[str, int]
    region: str
    probabilities: tuple[float, ...] | None
    assigned: tuple[str, ...]
    error: str
    reading: Reading | None = None
    identity: tuple[str, ...] = ()
    source: int | None = None

    @property
    def instance(self) -> str:
        """The unique identifier of the image; empty if it is not in the table."""
        return self.identity[-1] if self.identity else ""

    @property
    def place(self) -> str:
        """The plane and region in words, such as ``z 12, nodule``; empty for a plain image."""
        parts = [f"{axis} {number}" for axis, number in self.position.items()]
        return ", ".join([*parts, *([self.region] if self.region else [])])


class Results(Struct, frozen=True, eq=False):
    """The rows of one run.

    Attributes
    ----------
    rows : tuple of Result
    record : Mapping
        How they were made; see `napari_webipred.results.record.Record`.
    notes : tuple of str
        What should be known of the table, a sentence each.
    """

    rows: tuple[Result, ...]
    record: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the model's order."""
        return [entry["name"] for entry in self.record["model"]["classes"]]

    @property
    def by_image(self) -> list[list[Result]]:
        """The rows of each image or stack, which stand together in a table."""
        return [list(rows) for _, rows in groupby(self.rows, key=lambda row: (row.source, row.image))]


def of_file(path: Path) -> Results:
    """Read a table of results and the record beside it.

    Raises
    ------
    OptionError
        One of them is missing or is not ours, or they are of several runs.
    """
    refuse_record(path)
    record = recorded(path)
    if record is None and not path.exists():
        raise OptionError(f"There is no table {path.name}.", "Check the name and the folder.")
    if record is None:
        raise OptionError(f"There is no record {record_path(path).name} beside the table {path.name}.", _OURS)
    try:
        lines = cells_in(path)
        found = _read(next(lines, []), lines, record)
        record = {**record, "inputs": list(inputs_of(record, path.parent))}
        changed = record.get("table_checksum") not in (None, f"sha256:{sha256_of(path)}")
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The results {path.name} cannot be read: {reason}.", remedy) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"The results {path.name} are not UTF-8 text.", "Save the table as CSV UTF-8.") from error
    except (csv.Error, ValueError, LookupError, TypeError) as error:
        raise OptionError(f"{path.name} is no table of results: {error}.", _OURS) from error
    notes = ["The table was changed after it was written."] if changed else []
    if not record.get("complete"):
        notes.append("The run did not come to its end.")
    return Results(found, record, tuple(notes))


def of_entries(entries: Sequence[Entry]) -> Results:
    """Take rows out of the table of a session, as they are now.

    Raises
    ------
    OptionError
        They are of several runs.
    """
    run = entries[0].run
    if any(entry.run.number != run.number for entry in entries):
        raise OptionError("The rows are of several runs.", "Choose the rows of one run.")
    facts = (run.card, run.checksum, run.options, len(entries), run.given_model)
    record = Record(*facts, ensemble=run.ensemble)
    record.done = len(entries)
    made = {**record.as_dict(), "made": run.begun.astimezone(UTC).isoformat(timespec="seconds")}
    return Results(tuple(map(_result, entries)), plain(made))


def _result(entry: Entry) -> Result:
    row, names = entry.row, entry.run.classes
    numbers = None if row.probabilities is None else tuple(float(str(number)) for number in row.probabilities)
    assigned = tuple(names[index] for index in row.assigned)
    said = (numbers, assigned, row.error, entry.reading)
    return Result(row.image, row.position, row.region, *said, row.identity, row.source)


def of_frame(frame: pd.DataFrame, record: Mapping[str, Any]) -> Results:
    """Take the rows out of a table that `classify` has returned, perhaps with the columns of a reader.

    Raises
    ------
    OptionError
        It is no such table, or of several runs.
    """
    lines = ([_cell(cell) for cell in row] for row in frame.itertuples(index=False, name=None))
    return Results(_read([str(name) for name in frame.columns], lines, record), record)


def _cell(value: Any) -> str:
    """Write a cell of a data frame as it stands in a CSV file."""
    if value is None or value != value or str(value) == "<NA>":  # NaN
        return ""
    return value if isinstance(value, str) else str(value)


def _read(names: Sequence[str], lines: Iterable[Sequence[str]], record: Mapping[str, Any]) -> tuple[Result, ...]:
    if "runs" in record:
        raise OptionError(_SEVERAL, _ONE_RUN)
    columns = _Columns(names, record)
    return tuple(columns.result(cells) for cells in lines if cells)


class _Columns:
    """Where in a line of a table what stands."""

    def __init__(self, names: Sequence[str], record: Mapping[str, Any]) -> None:
        try:
            self._classes = [str(entry["name"]) for entry in record["model"]["classes"]]
        except (LookupError, TypeError) as error:
            raise OptionError("The record of the table is damaged.", _OURS) from error
        own = class_places(names, self._classes)
        self._first, self._end = own.start, own.stop
        # A class may be called like a column that this table does not have.
        self._places = {name: place for place, name in enumerate(names) if place not in own}
        if {*RUN} & {*self._places}:
            raise OptionError(_SEVERAL, _ONE_RUN)
        if not {"image", "prediction", "error"} <= {*self._places} or not self._classes:
            raise OptionError("The table lacks one of the columns image, prediction and error.", _OURS)
        if not own:
            raise OptionError("The columns of the table are not the classes that its record names.", _OURS)
        known = {"image", REGION, *IDENTITY}
        self._axes = [name for name in names[: self._first] if name not in known]
        self._count = len(names)

    def result(self, cells: Sequence[str]) -> Result:
        """Read a line.

        Raises
        ------
        OptionError
            A cell has something else than it should.
        """
        if len(cells) != self._count:
            raise OptionError("A line of the table has more or fewer cells than its first line.", _OURS)
        identity = tuple(self._cell(cells, name) for name in IDENTITY)
        said, comment, time = (self._cell(cells, name) for name in READER)
        image, error = without_apostrophe(self._cell(cells, "image")), self._cell(cells, "error")
        try:
            numbers = tuple(map(float, cells[self._first : self._end])) if not error else None
            position = {axis: int(self._cell(cells, axis)) for axis in self._axes if self._cell(cells, axis)}
        except ValueError:
            raise OptionError(f"The row of {image} has something else than numbers.", _OURS) from None
        if numbers is not None and not all(-1e308 < number < 1e308 for number in numbers):
            raise OptionError(f"The row of {image} has numbers that are not finite.", _OURS)
        return Result(
            image,
            position,
            without_apostrophe(self._cell(cells, REGION)),
            numbers,
            _chosen(cells[self._end], self._classes),
            error,
            parsed(said, comment, time, self._classes),
            identity if all(identity) else (),
        )

    def _cell(self, cells: Sequence[str], name: str) -> str:
        return cells[self._places[name]] if name in self._places else ""


def _chosen(text: str, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that a prediction names."""
    known = {without_apostrophe(written): name for written, name in zip(map(as_text, classes), classes, strict=True)}
    found = classes_in(without_apostrophe(text), known)
    if found is None:
        raise OptionError(f"The prediction {text} names no class of the model.", _OURS)
    return tuple(known[name] for name in found)


def path_of(image: str) -> Path:
    """Return the path that an image of a table was given by."""
    return Path(unescape(image))

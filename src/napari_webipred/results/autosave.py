"""Saves rows while they come, so that the end of the program costs none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.results.record import Record
from napari_webipred.results.result_file import ResultFile
from napari_webipred.results.row import Row
from napari_webipred.results.table_path import claimed_table

TURNED_OFF = "autosave was turned off"


class Destination:
    """The file for rows as they come; None turns autosave off. Every run has a file of its own.

    The first run gets the file that the user has chosen. The next ones get files beside it, whose names have a number
    and are free: ``out-2.csv``.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._may_replace = True
        self._used: set[Path] = set()
        self._lock = Lock()  # the user chooses in one thread, and a run asks in another one

    @property
    def path(self) -> Path | None:
        """What the user has chosen."""
        return self._path

    def choose(self, path: Path | None, may_replace: bool = True) -> None:
        """Choose another file, or None; `may_replace` if the user has been asked about it."""
        with self._lock:
            self._path, self._may_replace = path, may_replace
            self._used.discard(path or Path())

    def may_replace(self, path: Path) -> bool:
        """Tell whether a file that is there may be replaced: only the one that the user has been asked about."""
        return self._may_replace and path == self._path

    def take(self, path: Path) -> Path:
        """Return the file that a run gets, if this is what the user has chosen."""
        with self._lock:
            number, free = 1, path
            while free in self._used or (number > 1 and free.exists()):
                number += 1
                free = path.with_name(f"{path.stem}-{number}{path.suffix}")
            self._used.add(free)
            return free


class Autosave:
    """Writes the rows of one run as they come. Used as a context manager; its end completes the record.

    An error costs no row of the run: it is noted, and nothing more is written until the user chooses another file.

    Parameters
    ----------
    destination : Destination
        Asked before each row.
    card, checksum, options, total
        See `napari_webipred.results.record.Record`.

    Attributes
    ----------
    path : Path or None
        The file that is being written, or was at the end.
    written : int
        How many rows are in it.
    error : OptionError or None
        Why the rows could not be written.
    """

    def __init__(
        self, destination: Destination, card: ModelCard, checksum: str, options: Mapping[str, Any], total: int
    ) -> None:
        self.path: Path | None = None
        self.written = 0
        self.error: OptionError | None = None
        self._destination = destination
        self._made = card, checksum, options, total
        self._columns: tuple[Sequence[str], Sequence[str], bool, Sequence[str]] = (), (), False, ()
        self._rows: list[Row] = []
        self._chosen: Path | None = None
        self._open = ExitStack()
        self._file: ResultFile | None = None
        self._record: Record | None = None

    def begin(self, classes: Sequence[str], axes: Sequence[str], regions: bool, measures: Sequence[str] = ()) -> None:
        """Note the columns; see `napari_webipred.results.export.CsvWriter`."""
        self._columns = classes, axes, regions, measures

    def add(self, row: Row) -> None:
        """Write a row, if the user wants it, after those that came before the user wanted it."""
        self._rows.append(row)
        try:
            self._follow()
            if self._file is not None:
                for each in self._rows[self.written :]:
                    self._file.write(each)
                    self.written += 1
        except OptionError as error:
            self._fail(error)

    def _follow(self) -> None:
        """Close the file if the user has chosen another one or none, and open the other one."""
        wanted = self._destination.path
        if wanted == self._chosen:
            return
        if self._record is not None:
            self._record.stopped = TURNED_OFF
        self._chosen = wanted
        self._close()
        self.path, self.written, self.error = None, 0, None
        if wanted is None:
            return
        path = self._destination.take(wanted)
        self.path = path
        target = self._open.enter_context(claimed_table(path, self._destination.may_replace))
        self._record = Record(*self._made)
        self._file = self._open.enter_context(ResultFile(target, self._record, *self._columns))

    def _close(self) -> None:
        file, self._file = self._file, None
        try:
            self._open.close()
        except OptionError as error:
            if file is not None:
                self._fail(error)

    def _fail(self, error: OptionError) -> None:
        self.error = error
        if self._record is not None:
            self._record.stopped = error.message
        self._close()

    def __enter__(self) -> Autosave:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._record is not None and isinstance(error, Exception):
            self._record.stopped = str(error)
        self._close()

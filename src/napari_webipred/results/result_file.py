"""A table of results that grows row by row, with the record beside it, and the journal if there is one."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.results.columns import columns
from napari_webipred.results.export import dialect_of
from napari_webipred.results.journal import Journal, journal_path, remove
from napari_webipred.results.line import check_of, is_json, writer_for
from napari_webipred.results.output import being_replaced, replacing, to_disk, unwritable, write_all
from napari_webipred.results.record import Written, kept_unless_written, record_path
from napari_webipred.results.row import Row
from napari_webipred.results.table_path import as_checksum, checksum_of, growing_path

_MAX_REASON = 500


class ResultFile:
    """Writes rows as they come. Used as a context manager; its end completes the record.

    The first row is written to a temporary file beside the target, which then replaces the target: until there is a
    result, the old one stays. From then on every row is handed to the operating system at once, so that the end of
    this process costs no row, and a row that does not fit on the disk leaves no part of itself. A Parquet file cannot
    grow: it is made at the end of JSON lines that lie beside it.

    Parameters
    ----------
    path : Path
        Where to; see `napari_webipred.results.table_path.claimed_table`.
    record : Written
        How the result is made; gets every row.
    classes, axes, regions, measures, identify, models
        See `CsvWriter`.
    """

    def __init__(
        self,
        path: Path,
        record: Written,
        classes: Sequence[str],
        axes: Sequence[str] = (),
        regions: bool = False,
        measures: Sequence[str] = (),
        *,
        identify: bool = False,
        models: bool = False,
    ) -> None:
        self._path, self._grown = path, growing_path(path)
        self._record = record
        self._journal: Journal | None = None
        self._text = _Text()
        self._axes = tuple(axes)
        self._numbers = len(classes), len(measures)
        self._columns = partial(
            columns, classes=classes, regions=regions, measures=measures, identify=identify, models=models
        )
        self._writer_of = partial(
            writer_for(self._grown),
            self._text,
            classes,
            regions=regions,
            measures=measures,
            identify=identify,
            models=models,
        )
        self._writer = self._writer_of(axes=axes)
        self._file: io.FileIO | None = None
        self._size = 0
        self._digest = hashlib.sha256()

    def keep(self, journal: Journal) -> None:
        """Note every row in a journal, so that another run can go on; before the first row."""
        self._journal = journal

    def go_on(self, size: int, journal_size: int) -> None:
        """Go on with a table of which so many bytes are good, and so many of its journal.

        Raises
        ------
        OptionError
            It cannot be written.
        """
        assert self._journal is not None
        try:
            if self._grown == self._path:  # from now on the checksum in its record is no longer that of the table
                with replacing(record_path(self._path), self._record.beginning()):
                    pass
            self._journal.go_on(journal_size)
            self._file = self._opened()
            self._file.truncate(size)
            self._file.seek(0)
            self._digest = hashlib.file_digest(self._file, "sha256")
            self._size = size
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._text.take()

    def write(self, row: Row, model: str = "", facts: Mapping[str, Any] | None = None) -> None:
        """Write one row, of one of several models, and note what is known of its file.

        If it is of the first stack with an axis, the table gets a column for that; rows before it are empty there.

        Raises
        ------
        OptionError
            It cannot be written; the rows before it are.
        """
        try:
            if new := [axis for axis in row.position if axis not in self._axes]:
                self._add_axes(new)
            self._writer.write(row, model)
            content = self._text.take()
            if self._file is None:
                self._file = self._begin(content)
            else:
                self._append(self._file, content)
            self._note(self._file, row, facts or {}, content)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._size += len(content)
        self._digest.update(content)
        self._record.add(row)

    def _note(self, file: io.FileIO, row: Row, facts: Mapping[str, Any], content: bytes) -> None:
        """Note a row in the journal; if that cannot be written, the table does not have the row either."""
        if self._journal is None:
            return
        line = content[content[:-1].rfind(b"\n") + 1 :]  # the names of the columns may stand before it
        try:
            self._journal.add(row, facts, check_of(line, self._grown, len(self._axes)))
        except OSError:
            file.truncate(self._size)
            file.seek(self._size)
            raise

    def _add_axes(self, new: Sequence[str]) -> None:
        """Write the table again, with columns for these axes behind those of the others."""
        end = 1 + len(self._axes)
        before = self._axes
        self._axes = (*before, *new)
        self._text.take()
        self._writer = self._writer_of(axes=self._axes)  # which writes the names of the columns
        if self._file is None or is_json(self._grown):
            return
        self._file.close()
        size, digest = 0, hashlib.sha256()
        dialect = dialect_of(self._path)
        try:
            with being_replaced(self._path) as wider, self._path.open(newline="", encoding="utf-8") as table:
                rows, writer = csv.reader(table, dialect), csv.writer(self._text, dialect)
                next(rows)
                for cells in rows:
                    writer.writerow([*cells[:end], *[""] * len(new), *cells[end:]])
                    content = self._text.take()
                    wider.write(content)
                    digest.update(content)
                    size += len(content)
            self._size, self._digest = size, digest
        finally:
            self._file = self._opened()

    def _begin(self, content: bytes) -> io.FileIO:
        record = record_path(self._path)
        if self._journal is None:
            remove(journal_path(self._path))
        else:
            self._journal.begin(self._axes, len(self._columns(axes=())))
        if self._grown != self._path:
            with replacing(self._grown, content):
                pass
            return self._opened()
        # Both are on the disk before the record is replaced and then the table: whenever this process ends, there is
        # never a table with the record of another one that says it is complete.
        with (
            kept_unless_written(record),
            replacing(self._path, content),
            replacing(record, self._record.beginning()),
        ):
            pass
        return self._opened()

    def _opened(self) -> io.FileIO:
        file = self._grown.open("r+b", buffering=0)
        file.seek(0, os.SEEK_END)
        return file

    def _append(self, file: io.FileIO, content: bytes) -> None:
        try:
            write_all(file.fileno(), content)
        except OSError:
            file.truncate(self._size)
            file.seek(self._size)
            raise

    def __enter__(self) -> ResultFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._record.stopped = _reason(error)
        try:
            if self._file is not None:
                self._finish(self._file)
        except OptionError:
            if not isinstance(error, WebIPredError):  # which says what the user has to do already
                raise
        finally:
            if self._journal is not None:
                self._journal.close(keep=True)

    def _finish(self, file: io.FileIO) -> None:
        try:
            with file:
                to_disk(file.fileno())
            size = self._grown.stat().st_size
        except OSError as error:
            raise unwritable(self._path, error) from error
        if self._grown == self._path:
            self._end_journal(keep=self._complete(as_checksum(self._digest.hexdigest())))
        elif self._record.complete:
            self._write_parquet()
        if size != self._size:
            raise OptionError(
                f"{self._grown} was changed while it was being written.", "Classify again with another output file."
            )

    def _write_parquet(self) -> None:
        """Make a Parquet file of the lines."""
        from napari_webipred.results.parquet import write_parquet

        try:
            with kept_unless_written(record_path(self._path)), being_replaced(self._path) as file:
                write_parquet(file, self._grown, self._columns(axes=self._axes), self._axes, self._numbers)
                file.seek(0)
                keep = self._complete(checksum_of(file))
        except OSError as error:
            raise unwritable(self._path, error) from error
        # Not before the file is in its place: until then, another run must be able to go on.
        self._end_journal(keep=keep)
        if not self._record.failures:
            self._grown.unlink()

    def _complete(self, checksum: str) -> bool:
        """Write the record, and tell whether the journal stays: as the list of inputs, or for a run that goes on."""
        keep = self._journal is not None and self._record.note_journal(self._journal.facts)
        self._record.write(self._path, checksum)
        return keep

    def _end_journal(self, *, keep: bool) -> None:
        if self._journal is not None:
            self._journal.close(keep=keep)


class _Text:
    """What writers have written since it was taken the last time."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def write(self, text: str, /) -> None:
        """Add a text."""
        self._pieces.append(text)

    def take(self) -> bytes:
        """Return all of it, in UTF-8."""
        content = "".join(self._pieces).encode()
        self._pieces.clear()
        return content


def _reason(error: BaseException) -> str:
    """Say in a few words what has ended a run."""
    text = error.message if isinstance(error, WebIPredError) else str(error)
    return text[:_MAX_REASON] or type(error).__name__

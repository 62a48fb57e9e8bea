"""Where the rows of a run go: to a file with a record beside it, a stream, or standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from napari_webipred.cli import terminal
from napari_webipred.cli.columns import ENSEMBLE, Columns
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.errors import ImageError
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.record import Record, file_facts

if TYPE_CHECKING:
    from napari_webipred.cli.beginning import Beginning
    from napari_webipred.engine import Started
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.results.row import Row


class Files:
    """The size and checksum of the file that a row is of, read once for each image."""

    def __init__(self, sources: Sources, *, several: bool) -> None:
        self._sources = sources
        self._several = several  # models, each of which gives rows for all images
        self._known: dict[int, dict[str, Any]] = {}

    def facts(self, row: Row, place: int) -> dict[str, Any]:
        """Return what is known of the file of a row, whose image has this place among the sources."""
        from napari_webipred.imaging.dicom.reader import instances_of
        from napari_webipred.imaging.unopened import opened

        if place not in self._known:
            source = self._sources[place]
            location = (opened(source) if row.failed else source).location  # none of what is no image
            if not self._several:
                self._known.clear()
            self._known[place] = file_facts(location) if isinstance(location, Path) else {}
            if "sha256" not in self._known[place] and (instances := instances_of(source)):  # a series of files
                self._known[place]["instances"] = instances
        return self._known[place]


@contextmanager
def written(
    output: Path | TextIO | None,
    record: Record | ModelsRecord,
    columns: Columns,
    started: Started,
    begin: Beginning,
    *,
    show: bool,
) -> Iterator[Callable[[Row, int], None] | None]:
    """Give the function that writes a row of a model, to a file with a record beside it, a stream or standard output.

    There is none if rows are shown and there is no file.
    """
    if isinstance(output, Path):
        with _written_to_file(output, record, columns, started, begin) as write:
            yield write
    elif output is None and show:
        yield None
    else:
        yield _written_to_stream(output or sys.stdout, columns, started, models=isinstance(record, ModelsRecord))


def _written_to_stream(
    target: TextIO, columns: Columns, started: Started, *, models: bool
) -> Callable[[Row, int], None]:
    """Return the function that writes a row to a stream, as CSV."""
    from napari_webipred.results.export import CsvWriter

    if isinstance(target, io.TextIOWrapper):  # written like a file, whatever the system's encoding is
        target.reconfigure(encoding="utf-8", newline="")
    writer = CsvWriter(
        target,
        columns.classes.names,
        started.axes,
        regions=started.regions,
        measures=columns.measures.names,
        models=models,
        identify=columns.identify,
    )
    called, axes = [*columns.names, columns.ensemble], set(started.axes)

    def write(row: Row, number: int) -> None:
        if not row.position.keys() <= axes:  # lines that are written cannot get more columns
            raise ImageError(
                f"{row.image} has become a stack since the run began, for which the table has no columns.",
                "Begin anew when no other program writes the images, or give --output.",
            )
        writer.write(row, called[number])
        target.flush()

    return write


@contextmanager
def _written_to_file(
    output: Path, record: Record | ModelsRecord, columns: Columns, started: Started, begin: Beginning
) -> Iterator[Callable[[Row, int], None]]:
    """Give the function that writes a row to a file, with a record beside it."""
    from napari_webipred.results.result_file import ResultFile
    from napari_webipred.results.table_path import growing_path

    models, called = isinstance(record, ModelsRecord), [*columns.names, columns.ensemble]
    files = Files(begin.sources, several=models)
    file = ResultFile(
        output,
        record,
        columns.classes.names,
        begin.earlier.axes if begin.earlier else started.axes,
        started.regions,
        columns.measures.names,
        models=models,
        identify=columns.identify,
    )

    def write(row: Row, number: int) -> None:
        facts = files.facts(row, row.source - begin.offset) if number != ENSEMBLE else {}
        if isinstance(record, ModelsRecord):
            record.current = number if number != ENSEMBLE else len(record.records)
        with uninterrupted():
            file.write(row, called[number], facts)
            if facts:
                (record.records[number] if isinstance(record, ModelsRecord) else record).add_file(row.image, facts)

    try:
        with file:
            if begin.journal is not None:
                file.keep(begin.journal)
            if begin.earlier is not None:
                file.go_on(begin.earlier.size, begin.earlier.journal_size)
            yield write
    except KeyboardInterrupt:
        if record.done:
            go_on = " The same command with --resume goes on." if begin.journal is not None else ""
            there = growing_path(output)
            terminal.message(f"{record.done} of {record.total} images are classified and written to {there}.{go_on}")
        raise

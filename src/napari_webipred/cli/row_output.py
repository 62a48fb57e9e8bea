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
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.record import Record, file_facts

if TYPE_CHECKING:
    from napari_webipred.engine import Started
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.results.row import Row


def _files_noted(record: Record | ModelsRecord, sources: Sources) -> Callable[[int, Row], None]:
    """Return what notes the size and checksum of the file that a row is of, once for each image."""
    from napari_webipred.imaging.unopened import opened

    known: dict[int, dict[str, Any]] = {}

    def note(number: int, row: Row) -> None:
        source = sources[row.source]
        location = (opened(source) if row.failed else source).location  # none of what is no image
        if not isinstance(location, Path) or number == ENSEMBLE:
            return
        if row.source not in known:
            known[row.source] = file_facts(location)
        of_model = record.records[number] if isinstance(record, ModelsRecord) else record
        of_model.add_file(row.image, known[row.source])

    return note


@contextmanager
def written(
    output: Path | TextIO | None,
    record: Record | ModelsRecord,
    columns: Columns,
    started: Started,
    sources: Sources,
    show: bool,
) -> Iterator[Callable[[Row, int], None] | None]:
    """Give the function that writes a row of a model, to a file with a record beside it, a stream or standard output.

    There is none if rows are shown and there is no file.
    """
    from napari_webipred.results.export import CsvWriter
    from napari_webipred.results.result_file import ResultFile

    models, called = isinstance(record, ModelsRecord), [*columns.names, columns.ensemble]
    classes, measured = columns.classes.names, columns.measures.names
    if output is None and show:
        yield None
        return
    if not isinstance(output, Path):
        target = sys.stdout if output is None else output
        if isinstance(target, io.TextIOWrapper):  # written like a file, whatever the system's encoding is
            target.reconfigure(encoding="utf-8", newline="")
        writer = CsvWriter(
            target,
            classes,
            started.axes,
            regions=started.regions,
            measures=measured,
            models=models,
            identify=columns.identify,
        )

        def write_out(row: Row, number: int) -> None:
            writer.write(row, called[number])
            target.flush()

        yield write_out
        return
    note = _files_noted(record, sources)
    try:
        with ResultFile(
            output, record, classes, started.axes, started.regions, measured, models=models, identify=columns.identify
        ) as file:

            def write(row: Row, number: int) -> None:
                if isinstance(record, ModelsRecord):
                    record.current = number if number != ENSEMBLE else len(record.records)
                with uninterrupted():
                    file.write(row, called[number])
                note(number, row)

            yield write
    except KeyboardInterrupt:
        if record.done:
            terminal.message(f"{record.done} of {record.total} images are classified and written to {output}.")
        raise

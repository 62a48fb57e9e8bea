"""Images that failed in an earlier run are classified again, and their new rows take the place of the old ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from napari_webipred.cli import terminal
from napari_webipred.cli.beginning import verified
from napari_webipred.cli.columns import Columns
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.cli.row_output import Files
from napari_webipred.results.record import Record

if TYPE_CHECKING:
    from napari_webipred.engine import Event
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.results.row import Row

Noted = tuple["Row", Mapping[str, Any]]


class Retrying:
    """Tries failed images of a table again.

    Until all of them have new rows, the table stays as it is.

    Parameters
    ----------
    output : Path
    head : mapping
        See `napari_webipred.results.resuming.head_of`.
    sources : Sources
        All images of the run.
    columns : Columns
    record : Record
        Like the one of the run; only its rows are used.
    """

    def __init__(
        self, output: Path, head: Mapping[str, Any], sources: Sources, columns: Columns, record: Record
    ) -> None:
        from napari_webipred.results.resuming import verifying

        self._output, self._head, self._columns, self._record = output, head, columns, record
        record.entries.at_most = 0  # the record of the run says what is to be said of each image
        self._earlier = terminal.shown(verifying(output, head, lambda row, facts: None), verified)
        self.failed: Sequence[int] = self._earlier.failed
        self.sources = sources.only(self.failed)

    def write(self, events: Iterator[Event], *, regions: bool) -> None:
        """Write the table again, with new rows of the images that failed."""
        from napari_webipred.results.journal import Journal, journal_path
        from napari_webipred.results.record import record_path
        from napari_webipred.results.result_file import ResultFile
        from napari_webipred.results.resuming import first_axes
        from napari_webipred.results.table_path import growing_path

        grown = growing_path(self._output)
        target = grown.with_name(f".{grown.stem}.again{grown.suffix}")
        beside = (target, record_path(target), journal_path(target))
        columns = self._columns
        file = ResultFile(
            target,
            self._record,
            columns.classes.names,
            first_axes(self._output),
            regions,
            columns.measures.names,
            identify=columns.identify,
        )
        file.keep(Journal(journal_path(target), self._head))
        try:
            with closing(self._merged(events)) as rows, file:
                for row, facts in rows:
                    file.write(row, "", facts)
            with uninterrupted():  # the run goes on with both or with none
                journal_path(target).replace(journal_path(self._output))
                target.replace(grown)
        finally:
            for each in beside:
                with suppress(FileNotFoundError):
                    each.unlink()

    def _merged(self, events: Iterator[Event]) -> Generator[Noted, None, None]:
        """Yield the rows that are there and the new ones in the order of the images."""
        from napari_webipred.results.resuming import rows_in

        again = {*self.failed}
        count = len(self._columns.classes.names), len(self._columns.measures.names)
        old = rows_in(self._output, self._earlier.rows, *count, identify=self._columns.identify)
        kept = ((row, facts) for row, facts in old if row.source not in again)
        yield from merge(kept, self._new(events), key=lambda noted: noted[0].source)

    def _new(self, events: Iterator[Event]) -> Iterator[Noted]:
        from napari_webipred.engine import RowDone

        progress, files = terminal.ProgressLine("images"), Files(self.sources, several=False)
        try:
            for event in events:
                if not isinstance(event, RowDone):
                    continue
                row = event.row
                yield replace(row, source=self.failed[row.source]), files.facts(row, row.source)
                progress.show(f"Trying again: {event.done:,} of {event.total:,} images", event.done, event.total)
        finally:
            progress.clear()

"""Where a run begins: with the first image, or behind the rows that an earlier run has left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred.cli import terminal
from napari_webipred.cli.summary import Summary
from napari_webipred.errors import OptionError
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.record import Record, file_facts

if TYPE_CHECKING:
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.results.journal import Journal
    from napari_webipred.results.resuming import Earlier
    from napari_webipred.results.row import Row
else:
    Earlier = Journal = Sources = Any  # they take long to import, and the program may only be asked for its help


class Beginning(Struct):
    """Where a run begins.

    Attributes
    ----------
    sources : Sources
        The images that are still to be classified.
    offset : int
        How many images of the run stand before them.
    earlier : Earlier, optional
        What of the table is good.
    journal : Journal, optional
        Notes each row.
    failed : int, optional
        How many rows have failed, if nothing is left to do.
    """

    sources: Sources
    offset: int = 0
    earlier: Earlier | None = None
    journal: Journal | None = None
    failed: int | None = None

    @property
    def rows(self) -> int:
        """How many rows are there already."""
        return self.earlier.rows if self.earlier else 0

    def count(self, record: Record | ModelsRecord, coming: int) -> None:
        """Tell a record how many rows there will be, if so many are coming."""
        for each in record.records if isinstance(record, ModelsRecord) else [record]:
            each.total = self.rows + coming


def verified(count: int) -> tuple[str, int, None]:
    """Say how many rows are verified, for the line of progress."""
    return f"Verifying the rows that are there: {count:,}", count, None


def beginning(
    output: Path,
    record: Record,
    sources: Sources,
    what: Selection,
    summary: Summary,
    *,
    resume: bool,
    again: Callable[[Mapping[str, Any]], None] | None,
) -> Beginning:
    """Find where a run begins that writes a table with a journal.

    Parameters
    ----------
    output, record, sources, what, summary, resume
        See `napari_webipred.cli.run.run`.
    again : callable, optional
        Tries the images again that failed, if that is wanted, of a run with this head.

    Raises
    ------
    OptionError
        It is to go on with rows of another run, or within a stack that is not what it was.
    """
    from napari_webipred.results.journal import LISTED_AT_MOST, Journal, journal_path
    from napari_webipred.results.resuming import failed_when_done, head_of, verifying

    record.images, record.entries.at_most = sources.identity, LISTED_AT_MOST
    head = head_of(record)
    found = Beginning(sources, journal=Journal(journal_path(output), head))
    if not resume:
        return found
    failed = failed_when_done(output, head)
    if failed == 0 or (failed is not None and not again):
        found.failed = failed
        return found

    if again:
        again(head)

    def note(row: Row, facts: Mapping[str, Any]) -> None:
        record.add(row)
        if facts:
            record.add_file(row.image, facts)
        summary.add(row)

    earlier = terminal.shown(verifying(output, head, note), verified)
    if not earlier.began:
        terminal.message("There are no rows to go on with: the run begins with the first image.")
        return found
    image, rows = earlier.latest
    whole = not earlier.ends_with_part or rows == _count(output, earlier, sources, what)
    found.offset = image + 1 if whole else image
    found.sources = sources.after(found.offset, 0 if whole else rows)
    found.earlier = earlier
    terminal.message(f"{record.done:,} rows are there already; the run goes on behind them.")
    return found


def _count(output: Path, earlier: Earlier, sources: Sources, what: Selection) -> int:
    """Count the rows that come of the stack that has the last row, if it still is the file that they are of.

    Raises
    ------
    OptionError
        It is not, or cannot be read any more.
    """
    from napari_webipred.imaging import unreadable
    from napari_webipred.imaging.unopened import opened

    image, rows = earlier.latest
    source, stack = sources[image], opened(sources.choosing(what)[image])
    now = file_facts(source.location) if earlier.facts and isinstance(source.location, Path) else {}
    if stack.reader == unreadable.READER.id:
        why = "cannot be read"
    elif earlier.facts != now or rows > len(stack):
        why = "has changed since"
    else:
        return len(stack)
    raise OptionError(
        f"The run of {output} cannot go on: {source.name}, of which {rows:,} rows are there, {why}.",
        "Bring back the file as it was.",
        "begin anew",
    )

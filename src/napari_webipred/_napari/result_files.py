"""The rows of a run as a CSV file, and as text for the clipboard."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Sequence
from pathlib import Path

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.session_table import Entry


def write_csv(path: Path, entries: Sequence[Entry], stopped: str = "") -> Generator[None, None, Path]:
    """Write rows of one run and the run record; return the path of the CSV file.

    Parameters
    ----------
    path : Path
        Where to.
    entries : sequence of Entry
        At least one.
    stopped : str
        Why the run has ended early, if it has failed.

    Raises
    ------
    OptionError
        A file with the completed name exists, or the file cannot be written.
    """
    from napari_webipred.results.record import Record
    from napari_webipred.results.result_file import ResultFile, claimed_table

    yield
    if not path.suffix:
        path = path.with_suffix(".csv")
        if path.exists():  # the dialog asked about the name without the suffix
            raise OptionError(f"{path.name} already exists.", "To replace it, type its full name.")
    run = entries[0].run
    record = Record(run.card, run.checksum, dict(run.options), run.total)
    if stopped:
        record.stopped = stopped
    try:
        with (
            claimed_table(path, lambda there: there == path) as target,  # the dialog has asked about this one
            ResultFile(target, record, run.classes, run.axes) as table,
        ):
            for entry in entries:
                table.write(entry.row)
    except OptionError as error:  # the folder takes much space, and the user has just chosen it
        raise OptionError(error.message.replace(visible(str(path)), path.name), error.hint) from error
    return path


class _TabSeparated(csv.excel_tab):
    lineterminator = "\n"


def tab_separated(entries: Sequence[Entry]) -> Generator[None, None, str]:
    """Write rows as a spreadsheet takes them from the clipboard, the same cells as in the CSV file."""
    from napari_webipred.results.export import CsvWriter

    text = io.StringIO(newline="")
    writer = CsvWriter(text, entries[0].run.classes, entries[0].run.axes, _TabSeparated)
    for entry in entries:
        yield
        writer.write(entry.row)
    return text.getvalue()

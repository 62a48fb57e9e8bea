"""The rows of a run as a CSV file, and as text for the clipboard."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from pathlib import Path

from napari_webipred._napari.run import Run
from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.row import Row


def write_csv(path: Path, run: Run) -> Generator[None, None, Path]:
    """Write all rows and the run record; return the path of the CSV file.

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
    options = {"intensity": run.options.intensity, "threshold": run.options.threshold, "profile": run.options.profile}
    record = Record(run.card, run.checksum, options, run.total)
    if run.error:
        record.stopped = str(run.error)
    try:
        with (
            claimed_table(path, lambda there: there == path) as target,  # the dialog has asked about this one
            ResultFile(target, record, run.classes, run.axes) as table,
        ):
            for row in run.rows:
                table.write(row)
    except OptionError as error:  # the folder takes much space, and the user has just chosen it
        raise OptionError(error.message.replace(visible(str(path)), path.name), error.hint) from error
    return path


class _TabSeparated(csv.excel_tab):
    lineterminator = "\n"


def tab_separated(rows: list[Row], run: Run) -> Generator[None, None, str]:
    """Write rows as a spreadsheet takes them from the clipboard, the same cells as in the CSV file."""
    from napari_webipred.results.export import CsvWriter

    text = io.StringIO(newline="")
    writer = CsvWriter(text, run.classes, run.axes, _TabSeparated)
    for row in rows:
        yield
        writer.write(row)
    return text.getvalue()

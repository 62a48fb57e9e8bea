"""Rows as a file, and as text for the clipboard."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from napari_webipred._napari.chosen_file import completed, named_briefly
from napari_webipred.errors import OptionError
from napari_webipred.results.session_table import Entry

# The first one is the usual one.
KINDS = {"CSV (*.csv)": ".csv", "TSV, separated by tabs (*.tsv)": ".tsv", "Excel (*.xlsx)": ".xlsx"}
FILTER = ";;".join(KINDS)


def save_rows(
    path: Path, entries: Sequence[Entry], reasons: Mapping[int, str], kind: str = ""
) -> Generator[None, None, Path]:
    """Write rows and their record; return the path of the file.

    Parameters
    ----------
    path : Path
        As the dialog gave it, which has asked before if there is such a file.
    entries : sequence of Entry
        At least one.
    reasons : mapping of int to str
        Why a run, by its number, has ended early.
    kind : str
        One of `KINDS`, which gives the suffix to a name without one.

    Raises
    ------
    OptionError
        A file with the completed name exists, or the file cannot be written.
    """
    from napari_webipred.results import table_file

    yield
    path = completed(path, KINDS.get(kind, ".csv"))
    try:
        yield from table_file.save(path, entries, reasons, lambda there: there == path)
    except OptionError as error:
        raise named_briefly(error, path) from error
    return path


def copied(entries: Sequence[Entry], header: bool) -> Generator[None, None, str]:
    """Return rows as a spreadsheet takes them from the clipboard, the same cells as in a file."""
    from napari_webipred.results import export, table_file

    return (yield from table_file.text(entries, export.Tabs, header))

"""A table of cells as an Excel file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.names import visible
from napari_webipred.results.digits import decimals
from napari_webipred.results.export import Part

if TYPE_CHECKING:
    from openpyxl.cell import WriteOnlyCell

# What a sheet can hold.
ROWS, COLUMNS, LETTERS = 2**20, 2**14, 2**15 - 1
SHEET = "xl/worksheets/sheet1.xml"
# Excel reads these for the character with that number.
_SEQUENCE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NO_XML = re.compile("[\ufffe\uffff]")
_OTHERWISE = "Save it as a CSV file, or save fewer rows."


def write(file: BinaryIO, names: Sequence[str], rows: Iterable[Sequence[Part]], count: int) -> Iterator[None]:
    """Write a sheet with a line of names and a line for each row, step by step.

    Texts are written as texts, so that none of them runs as a formula. Numbers are those that stand in a CSV file.

    Parameters
    ----------
    file : binary file
        Open for writing, and empty.
    names : sequence of str
        Names of the columns.
    rows : iterable of sequences of str, int, None or numbers of several cells
    count : int
        How many rows there are.

    Raises
    ------
    OptionError
        openpyxl is not installed, or the table is larger than a sheet may be.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise OptionError(
            "Excel files need openpyxl, which is not installed.",
            "Install openpyxl, or save as a CSV file.",
            "install openpyxl",
        ) from None
    if count >= ROWS:
        raise OptionError(f"An Excel sheet has no space for {count:,} rows.", _OTHERWISE)
    if len(names) > COLUMNS:
        raise OptionError(f"An Excel sheet has no space for {len(names):,} columns.", _OTHERWISE)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Results")
    sheet.freeze_panes = "B2"  # the names of columns and images stay in sight
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        yield from _rows_into(archive, sheet, names, rows)
        _the_rest(archive, book)


def _rows_into(archive: ZipFile, sheet: Any, names: Sequence[str], rows: Iterable[Sequence[Part]]) -> Iterator[None]:
    """Write the rows straight into the archive: left to itself, openpyxl first writes them to a temporary file."""
    from openpyxl.worksheet._writer import WorksheetWriter

    with archive.open(SHEET, "w", force_zip64=True) as part:
        sheet._writer = WorksheetWriter(sheet, part)
        sheet._writer.write_top()
        sheet.append([_text(sheet, name) for name in names])
        for row in rows:
            sheet.append([cell for part in row for cell in _cells(sheet, part)])
            yield
        sheet.close()


def _the_rest(archive: ZipFile, book: Any) -> None:
    """Write what else belongs to an Excel file."""
    from openpyxl.writer.excel import ExcelWriter

    class Writer(ExcelWriter):  # type: ignore[misc]
        def write_worksheet(self, sheet: Any) -> None:
            sheet._drawing = None
            self.manifest.append(sheet)

    Writer(book, archive).write_data()


def _cells(sheet: Any, part: Part) -> Sequence[Any]:
    if isinstance(part, np.ndarray):
        return decimals(part)  # the digits of a CSV file, of which a reader makes the same 32-bit float
    return (_text(sheet, part) if part else None,) if isinstance(part, str) else (part,)


def _text(sheet: Any, text: str) -> WriteOnlyCell:
    """Make a cell of a text that stays as it is, whatever it begins with."""
    from openpyxl.cell import WriteOnlyCell

    text = _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", visible(text))
    cell = WriteOnlyCell(sheet, _SEQUENCE.sub("_x005F_", text[:LETTERS]))
    cell.data_type = "s"
    return cell

"""Lists of images: lines of text, or a column of a table."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from napari_webipred import file_errors, names
from napari_webipred.errors import OptionError
from napari_webipred.names import unescape, visible, without_apostrophe
from napari_webipred.table_header import image_column, separator

LONGEST_LINE = 2**16  # bytes; no system takes a longer path
TABLES = (".csv", ".tsv")
_OURS = {"prediction", "error"}  # columns of a table of results, in which names are escaped
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_SHOWN = 12


def listed(path: Path, column: str | None = None) -> Iterator[str]:
    """Yield what a file lists: a column of a CSV or TSV table, or the lines of any other file.

    Parameters
    ----------
    path : Path
        It may be a pipe.
    column : str, optional
        Name of the column; by default that which `table_header.image_column` finds, or the only one.

    Raises
    ------
    OptionError
        It cannot be read, or is no list.
    """
    with _opened(path) as file:
        if path.suffix.lower() in TABLES:
            yield from _cells(file, path.name, column)
        else:
            yield from lines(file, path.name)


def lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of a list of paths, without empty ones.

    If there are zero bytes, these end paths, as in the output of ``find -print0``: then names can hold line breaks.

    Parameters
    ----------
    file : binary stream
    name : str
        What it is called in messages.

    Raises
    ------
    OptionError
        It is no list of paths.
    """
    rest, end = b"", b""
    while more := file.read1(LONGEST_LINE):  # type: ignore[attr-defined]  # of all buffered streams
        if not end:
            more = _checked(more, name).removeprefix(_BOM) if not rest else more
            end = b"\0" if b"\0" in more else b"\n" if b"\n" in more else b""
        rest += more
        if end:
            *paths, rest = rest.split(end)
            yield from _decoded(paths, end)
        if len(rest) > LONGEST_LINE:
            raise _no_list(name)
    yield from _decoded([rest], end)


def _decoded(paths: Iterable[bytes], end: bytes) -> Iterator[str]:
    for path in paths:
        if found := path if end == b"\0" else path.rstrip(b"\r\n"):
            yield os.fsdecode(found)


def _line(file: BinaryIO, name: str) -> bytes:
    """Return the next line of a table."""
    line = file.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE:
        raise _no_list(name)
    return _checked(line, name)


def _checked(begin: bytes, name: str) -> bytes:
    if begin[:2] in _UTF16:
        raise OptionError(f"The list {visible(name)} is written in UTF-16.", "Save it as UTF-8.")
    return begin


def _no_list(name: str) -> OptionError:
    return OptionError(
        f"{visible(name)} is no list of images: a line has more than {LONGEST_LINE:,} bytes.",
        "Give a text file with a path in each line.",
    )


def _cells(file: BinaryIO, name: str, column: str | None) -> Iterator[str]:
    """Yield a column of a table; of a stack in a table of results, which has a row for each plane, only the first."""
    texts = (line.decode("utf-8-sig", "surrogateescape") for line in iter(lambda: _line(file, name), b""))
    try:
        header = next(texts, "")
        between = separator(header, name)
        titles = next(csv.reader([header], delimiter=between), [])
        place = _place(titles, column, name)
        ours, before = {*titles} >= _OURS and titles[place] == "image", None
        for row in csv.reader(texts, delimiter=between):
            cell = row[place] if len(row) > place else ""
            if ours:
                cell, last, before = (unescape(without_apostrophe(cell)), before, cell)
                if last == before:
                    continue
            if cell:
                yield cell
    except csv.Error as error:
        raise OptionError(
            f"{visible(name)} is no table: {error}.", "Give a CSV file with a column of paths."
        ) from error


def _place(titles: Sequence[str], column: str | None, name: str) -> int:
    """Find the column of the paths."""
    if column is not None:
        if column not in titles:
            raise OptionError(
                f"{visible(name)} has no column {column!r}; it has {_shown(titles)}.", "Name one of these."
            )
        return titles.index(column)
    place = image_column(titles) if len(titles) > 1 else 0 if titles else None
    if place is not None:
        return place
    raise OptionError(
        f"It is not known which column of {visible(name)} has the images; it has {_shown(titles)}.",
        "Call that column image or path, or say its name.",
    )


def _shown(titles: Iterable[str]) -> str:
    return names.listed([visible(title) for title in titles], _SHOWN) or "none"


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a list, which may be a pipe of a shell; one that nobody writes to is empty, and not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, True)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            yield file
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The list {visible(path.name)} cannot be read: {reason}.", remedy) from error

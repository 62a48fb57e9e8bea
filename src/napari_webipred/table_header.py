"""The first line of a table that somebody has made: what separates its cells, and which column names the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from napari_webipred.names import plain

# Of several, the first one counts.
IMAGE_COLUMNS = (
    *("image", "path", "file", "filename", "file_name", "filepath", "file_path", "image_path"),
    *("sample", "name"),
)


def image_column(titles: Sequence[str]) -> int | None:
    """Return which column names the images, whatever case it is written in; None if none is called so."""
    names = [_written(title) for title in titles]
    return next((names.index(name) for name in IMAGE_COLUMNS if name in names), None)


def names_images(title: str) -> bool:
    """Tell whether a column names the images."""
    return _written(title) in IMAGE_COLUMNS


def separator(line: str, name: str) -> str:
    """Return what separates the cells of a text file: tabs in a TSV file, else what the first line has most of.

    Parameters
    ----------
    line : str
        The first of the file.
    name : str
        Of the file.
    """
    return "\t" if PurePath(name).suffix.lower() == ".tsv" else max(",;\t", key=line.count)


def _written(title: str) -> str:
    return plain(title).replace(" ", "_")

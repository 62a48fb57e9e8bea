"""The images that are given to a command: files, folders, patterns, and lists of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_webipred.table_header import IMAGE_COLUMNS

LIST = "@"
STANDARD_INPUT = "-"
USUAL = IMAGE_COLUMNS[:3]
HELP = (
    "image file, folder of images, pattern such as 'scans/**/*.png', @LIST (a text file with a path in each line), CSV "
    "or TSV table with a column of paths, or - (paths from standard input)"
)


def images(given: Sequence[str], column: str | None = None) -> Iterator[str]:
    """Yield the files and folders that are given, one by one.

    Parameters
    ----------
    given : sequence of str
        As the user has written them.
    column : str, optional
        Which column of a table has the paths.

    Raises
    ------
    OptionError
        A list cannot be read, or nothing matches a pattern.
    """
    from napari_webipred.imaging.files import image_suffixes, suffix
    from napari_webipred.imaging.finding import ListedFile
    from napari_webipred.imaging.lists import lines, listed
    from napari_webipred.imaging.pattern import is_pattern, matching

    suffixes = image_suffixes()
    for each in given:
        if (path := list_of(each)) is not None:
            paths = lines(sys.stdin.buffer, "from standard input") if each == STANDARD_INPUT else listed(path, column)
            # Only by names that are not those of images it has to be looked whether they are folders.
            yield from (ListedFile(found) if suffix(found) in suffixes else found for found in paths)
        elif is_pattern(each):
            yield from (ListedFile(found) if is_file else found for found, is_file in matching(each))
        else:
            yield each


def list_of(given: str) -> Path | None:
    """Return the file with a list that is given in place of images; None if it is none."""
    from napari_webipred.imaging.files import suffix
    from napari_webipred.imaging.lists import TABLES

    if given == STANDARD_INPUT:
        return Path(given)
    if given.startswith(LIST):
        return Path(given.removeprefix(LIST))
    return Path(given) if suffix(given) in TABLES else None


def is_one_file(given: Sequence[str]) -> bool:
    """Tell whether a single file is given, and no list of others."""
    from napari_webipred.imaging.files import is_file

    return len(given) == 1 and list_of(given[0]) is None and is_file(given[0])


def files(given: Sequence[str]) -> list[str]:
    """Return the files and folders that are read, also those with lists."""
    return [str(list_of(each) or each) for each in given if each != STANDARD_INPUT]

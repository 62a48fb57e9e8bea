"""Several classes in one cell of a table, as in the column ``prediction``."""

from __future__ import annotations

from collections.abc import Container, Iterable

SEPARATOR = "; "
READ_AS_NOTHING = {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}  # by pandas.read_csv, unless told


def as_cell(names: Iterable[str]) -> str:
    """Write the names of classes into one cell."""
    return SEPARATOR.join(names)


def classes_in(text: str, known: Container[str]) -> list[str] | None:
    """Return the names that stand in a cell; None if there is one that is not known.

    Names may contain what separates them: the longest one that is known counts.
    """
    parts, found = text.split(SEPARATOR) if text else [], []
    while parts:
        for end in range(len(parts), 0, -1):
            if (name := as_cell(parts[:end])) in known:
                found.append(name)
                parts = parts[end:]
                break
        else:
            return None
    return found

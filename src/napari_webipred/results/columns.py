"""The columns of a result table, the same in a CSV file, a data frame and the panel."""

from __future__ import annotations

from collections.abc import Sequence


def columns(axes: Sequence[str], classes: Sequence[str], regions: bool = False) -> list[str]:
    """Name the columns: ``image``, the axes of stacks, ``region`` if asked for, classes, ``prediction``, ``error``.

    A class that is called like a column before it gets a number behind its name, so that every name stands once.
    """
    names: list[str] = []
    taken = {"image", "prediction", "error", *(["region"] if regions else [])}
    counts: dict[str, int] = {}  # so that very many equal names are not counted from 1 each
    for name in (*axes, *classes):
        unique, count = name, counts.get(name, 1)
        while unique in taken:
            count += 1
            unique = f"{name} ({count})"
        counts[name] = count
        taken.add(unique)
        names.append(unique)
    if regions:
        names.insert(len(axes), "region")
    return ["image", *names, "prediction", "error"]

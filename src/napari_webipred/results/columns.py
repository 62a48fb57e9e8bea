"""The columns of a result table, the same in every file, a data frame and the panel."""

from __future__ import annotations

from collections.abc import Sequence

REGION = "region"
RUN = ("run", "model")
COMMENT = "comment"


def columns(
    axes: Sequence[str], classes: Sequence[str], regions: bool = False, *, runs: bool = False, comments: bool = False
) -> list[str]:
    """Name the columns: ``image``, the axes of stacks, one per class, ``prediction``, ``error``.

    A class that is called like a column before it gets a number behind its name, so that every name stands once.

    Parameters
    ----------
    axes, classes : sequences of str
        Names of the axes of stacks, and of the classes in the model's order.
    regions, runs : bool
        Whether the rows are of regions, and of several runs: ``region``, ``run`` and ``model`` stand after the axes.
    comments : bool
        Whether rows have comments: ``comment`` stands last.
    """
    which = (*((REGION,) if regions else ()), *(RUN if runs else ()))
    last = ("prediction", "error", *((COMMENT,) if comments else ()))
    names = unique((*axes, *classes), {"image", *which, *last})
    return ["image", *names[: len(axes)], *which, *names[len(axes) :], *last]


def unique(names: Sequence[str], taken: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """Put a number behind each name that stands before it already, or is taken."""
    found: list[str] = []
    seen = set(taken)
    counts: dict[str, int] = {}  # so that very many equal names are not counted from 1 each
    for name in names:
        one, count = name, counts.get(name, 1)
        while one in seen:
            count += 1
            one = f"{name} ({count})"
        counts[name] = count
        seen.add(one)
        found.append(one)
    return found

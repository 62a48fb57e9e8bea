"""The columns of a result table, the same in every file, a data frame and the panel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from napari_webipred.names import harmless

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
REGION = "region"
IDENTITY = ("study", "series", "instance")
RUN = ("run", "model")
MODEL = "model"
COMMENT = "comment"
READER = ("reader_class", "reader_comment", "reader_time")
REFERENCE = ("reference distance", "reference percentile")
CALIBRATED = "calibrated"
_COUNT = re.compile(r"( \(\d+\))?")  # what `unique` puts behind a name


def columns(
    axes: Sequence[str],
    classes: Sequence[str],
    regions: bool = False,
    *,
    runs: bool = False,
    models: bool = False,
    measures: Sequence[str] = (),
    identify: bool = False,
    said: Sequence[str] = (),
) -> list[str]:
    """Name the columns: ``image``, the axes of stacks, one per class, ``prediction``, ``error``, one per measure.

    A class that is called like a column before it gets a number behind its name, so that every name stands once.

    Parameters
    ----------
    axes, classes : sequences of str
        Names of the axes of stacks, and of the classes in the model's order.
    regions, runs : bool
        Whether the rows are of regions, and of several runs: ``region``, ``run`` and ``model`` stand after the axes.
    models : bool
        Whether the rows are of several models in one run: ``model`` stands after the axes and ``region``.
    measures : sequence of str
        What `measures` returns; of several models, all of them.
    identify : bool
        Whether rows have the identifiers of DICOM files: ``study``, ``series`` and ``instance`` stand after the axes.
    said : sequence of str
        What people have said of the rows, which stands last: ``comment`` if there are comments, and ``reader_class``,
        ``reader_comment``, ``reader_time`` if a reader has answered.
    """
    run = RUN if runs else (MODEL,) if models else ()
    which = (*((REGION,) if regions else ()), *(IDENTITY if identify else ()), *run)
    last = ("prediction", "error")
    names = unique((*axes, *classes, *measures), {"image", *which, *last, *said})
    first, count = len(axes), len(axes) + len(classes)
    return ["image", *names[:first], *which, *names[first:count], *last, *names[count:], *said]


def class_places(names: Sequence[str], classes: Sequence[str]) -> range:
    """Tell where the columns of the classes stand in a table: by their place, as other columns can have their names.

    Parameters
    ----------
    names, classes : sequences of str
        Names of the columns of a table, and of the classes as its record has them.

    Returns
    -------
    range
        Empty if what stands before ``prediction`` is not called as `columns` calls these classes.
    """
    end = names.index("prediction") if "prediction" in names else 0
    places = range(max(end - len(classes), 0), end)
    own = [names[place] for place in places]
    return places if len(own) == len(classes) and all(map(_is_named, own, classes)) else range(0)


def _is_named(column: str, name: str) -> bool:
    """Tell whether this is the column of a class; one that is called like another column has a number behind it."""
    return any(column.startswith(one) and _COUNT.fullmatch(column, len(one)) for one in (harmless(name), name))


def measures(classes: Sequence[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is measured of each image besides its probabilities.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes of a model.
    options : mapping
        Options of a run, as plain JSON values. With ``views``, the standard deviation of each class over the views;
        with ``reference``, how far the image lies from the reference images, and how many percent of them lie nearer.
    """
    deviations = tuple(f"{name} sd" for name in classes) if options.get("views") else ()
    return (*deviations, *(REFERENCE if options.get("reference") else ()))


def calibrated(classes: Iterable[str]) -> list[str]:
    """Name the columns of calibrated probabilities."""
    return [f"{name} ({CALIBRATED})" for name in classes]


class Shared(Generic[T]):
    """The columns of several runs or models side by side; equal names share a column.

    Parameters
    ----------
    names : mapping of T to sequence of str
        The names of each run or model. Of a single one, each name has a column of its own.

    Attributes
    ----------
    names : list of str
        All of them, in the order in which they come first.
    """

    def __init__(self, names: Mapping[T, Sequence[str]]) -> None:
        several = len(names) > 1
        every = [name for own in names.values() for name in own]
        self.names = list(dict.fromkeys(every)) if several else every
        places = {name: place for place, name in enumerate(self.names)}
        self._places = {
            which: [places[name] for name in own] if several else range(len(own)) for which, own in names.items()
        }

    def spread(self, which: T, numbers: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Put the numbers of a row of one of them into their columns; NaN where it has none."""
        if numbers is None or len(self._places) == 1:
            return numbers
        found = np.full(len(self.names), np.nan, np.float32)
        found[self._places[which]] = numbers
        return found


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

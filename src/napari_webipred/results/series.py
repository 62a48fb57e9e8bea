"""The numbers of classes along one axis of a stack."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LINES = 8  # more cannot be told apart


def stack_rows(row_of: Callable[[int], Row], run: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """Return where the rows of the same image are.

    In their run they lie side by side, the images in their order, so that a few looks suffice.

    Parameters
    ----------
    row_of : callable
        Returns a row by its number.
    run : ndarray of int
        The numbers of the rows of the run, in the order in which they came.
    number : int
        That of the row itself.
    """

    def source(other: int) -> int:
        return row_of(int(other)).source

    first = bisect_left(run, source(number), key=source)
    return run[first : bisect_right(run, source(number), lo=first, key=source)]


def varying_axes(row_of: Callable[[int], Row], stack: NDArray[np.intp]) -> list[str]:
    """Return the axes along which a stack has several planes, given the numbers of its rows."""
    if not len(stack):
        return []
    first, last = (row_of(int(stack[end])).position for end in (0, -1))
    return [axis for axis in first if first[axis] != last.get(axis)]


class Line(Struct, frozen=True):
    """The planes of a stack along one axis.

    Attributes
    ----------
    source : int
        Which of the images of a run the stack is.
    axis : str
        The axis, such as ``"z"``.
    place : Mapping[str, int]
        Where the line is along the other axes.
    region : str
        The region of the planes, or an empty text for whole planes.
    """

    source: int
    axis: str
    place: Mapping[str, int] = field(default_factory=dict)
    region: str = ""

    @classmethod
    def through(cls, row: Row, axis: str) -> Line:
        """Return the line through the plane of a row."""
        place = {other: i for other, i in row.position.items() if other != axis}
        return cls(row.source, axis, place, row.region)

    def index(self, row: Row) -> int | None:
        """Return where on the line a row is; None if it is somewhere else."""
        position = row.position
        if row.source != self.source or row.region != self.region or self.axis not in position:
            return None
        if any(position.get(other) != i for other, i in self.place.items()):
            return None
        return position[self.axis]


class Series:
    """Collects the numbers along a line, while rows come in any order.

    Of a model with more than `MOST_LINES` classes, it follows the pinned ones and those that win the most planes: that
    are assigned, or have the highest number. A class keeps its place in `followed` as long as it is there, so that its
    colour does not change while rows come.

    `add`, `choose` and `fill` do a part of the work each, so that nobody waits long for very many rows.

    Parameters
    ----------
    line : Line
        The planes.
    classes : int
        How many classes the model has.
    pinned : collection of int
        Indices of classes that are followed in any case.
    """

    def __init__(self, line: Line, classes: int, pinned: Collection[int] = ()) -> None:
        self.line = line
        self._row_numbers: dict[int, int] = {}
        self._planes: list[int] = []  # of the rows that have numbers, in the order in which they came
        self._probabilities: list[NDArray[np.float32]] = []
        self._wins = np.zeros(classes, np.int64)
        self._pinned = [index for index in dict.fromkeys(pinned) if 0 <= index < classes]
        self._places: list[int | None] = [None] * MOST_LINES
        self._values: dict[int, NDArray[np.float32]] = {}
        self._filled: dict[int, int] = {}  # how many of the rows are in the values of a class
        self._first, self._length, self._step = 0, 0, 0
        self.choose()

    @property
    def planes(self) -> range:
        """The planes from the first one to the last one with a row; if only every tenth was taken, every tenth."""
        return range(self._first, self._length, max(self._step, 1))

    @property
    def followed(self) -> list[int | None]:
        """Indices of the followed classes; None at a place that no class has."""
        return list(self._places)

    def values(self, index: int) -> NDArray[np.float32]:
        """Return the numbers of a followed class.

        Returns
        -------
        ndarray of float32, shape (len(planes),)
            NaN where a plane has failed, has no row, or is not filled in yet.
        """
        self._lengthen(index)
        planes = self.planes
        return self._values[index][planes.start : planes.stop : planes.step]

    def number(self, plane: int) -> int | None:
        """Return the number of the row of a plane, if it is there."""
        return self._row_numbers.get(plane)

    def add(self, rows: Iterable[tuple[int, Row]]) -> None:
        """Take up those rows that are on the line, each with its number."""
        found = [(plane, number, row) for number, row in rows if (plane := self.line.index(row)) is not None]
        if found:
            self._extend([plane for plane, *_ in found])
        for plane, number, row in found:
            self._row_numbers[plane] = number
            if row.probabilities is not None:
                self._planes.append(plane)
                self._probabilities.append(row.probabilities)
                few = 0 < len(row.assigned) <= MOST_LINES
                for index in row.assigned if few else (row.probabilities.argmax(),):
                    self._wins[index] += 1

    def choose(self) -> None:
        """Follow those classes that should be now; each that is new gets a free place."""
        wanted = set(self._wanted())
        self._places = [index if index in wanted else None for index in self._places]
        for index in [index for index in self._values if index not in wanted]:
            del self._values[index], self._filled[index]
        for index in sorted(wanted - set(self._values)):
            self._places[self._places.index(None)] = index
            self._values[index] = np.full(self._length, np.nan, np.float32)
            self._filled[index] = 0

    def fill(self, most: int) -> bool:
        """Fill in the numbers of at most so many rows of each class; tell whether all are there now."""
        for index, filled in self._filled.items():
            self._lengthen(index)
            stop = min(filled + most, len(self._planes))
            planes = np.array(self._planes[filled:stop], np.intp)
            self._values[index][planes] = [numbers[index] for numbers in self._probabilities[filled:stop]]
            self._filled[index] = stop
        return all(filled == len(self._planes) for filled in self._filled.values())

    def _extend(self, planes: list[int]) -> None:
        known = [self._first] if self._row_numbers else []
        first = min([*known, *planes])
        distances = np.array([*known, *planes]) - first
        self._step = int(np.gcd.reduce(distances, initial=self._step))
        self._first, self._length = first, max(self._length, 1 + max(planes))

    def _lengthen(self, index: int) -> None:
        """Make space for more planes: for twice as many, so that one after the other takes no quadratic time."""
        values = self._values[index]
        if len(values) < self._length:
            longer = np.full(2 * self._length, np.nan, np.float32)
            longer[: len(values)] = values
            self._values[index] = longer

    def _wanted(self) -> list[int]:
        if len(self._wins) <= MOST_LINES:
            return list(range(len(self._wins)))
        winners = np.flatnonzero(self._wins)
        winners = winners[np.argsort(-self._wins[winners], kind="stable")][:MOST_LINES]
        return list(dict.fromkeys([*self._pinned, *map(int, winners)]))[:MOST_LINES]

"""The rows that a reader goes through, one after the other."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from napari_webipred.results.session_table import Entry, Numbers, SessionTable


class Standing(IntEnum):
    """What is known of a row: nothing yet, or how the reader's answer compares with the model."""

    OPEN = 0
    AGREES = 1
    DIFFERS = 2
    UNSURE = 3
    READ = 4  # the model gave no classes to compare with


class Worklist:
    """Goes through rows of a table, and counts the answers without going through all rows again.

    Parameters
    ----------
    table : SessionTable
    numbers : ndarray of intp
        The rows, in the order in which they come.
    seed : int, optional
        Shuffles the rows. The same rows with the same seed come in the same order, however they were sorted.

    Attributes
    ----------
    place : int
        Where in the list the reader is, from 0; as long as the list at its end.
    """

    def __init__(self, table: SessionTable, numbers: Numbers, seed: int | None = None) -> None:
        self._table = table
        self._order = numbers if seed is None else np.random.default_rng(seed).permutation(np.sort(numbers))
        self._by_number = np.argsort(self._order)
        self._sorted = self._order[self._by_number]
        self._standings = np.zeros(len(self._order), np.int8)
        self._counts = np.zeros(len(Standing), np.int64)
        self._counts[Standing.OPEN] = len(self._order)
        for number in table.readings:
            self.note(number)
        found = self._first_open(0)
        self.place = 0 if found is None else found

    def __len__(self) -> int:
        return len(self._order)

    @property
    def number(self) -> int | None:
        """The number of the row at this place; None at the end."""
        return int(self._order[self.place]) if self.place < len(self) else None

    @property
    def answered(self) -> int:
        """How many rows have an answer."""
        return len(self) - self.count(Standing.OPEN)

    @property
    def agreement(self) -> float | None:
        """The share of rows for which the reader agrees with the model, of all that can be compared; None of none."""
        agrees, differs = self.count(Standing.AGREES), self.count(Standing.DIFFERS)
        return agrees / (agrees + differs) if agrees + differs else None

    def count(self, standing: Standing) -> int:
        """Count the rows of which this is known."""
        return int(self._counts[standing])

    def note(self, number: int) -> None:
        """Note that there is another answer about a row, or none any more."""
        if (place := self._place_of(number)) is not None:
            now = standing_of(self._table.entry(number))
            self._counts[self._standings[place]] -= 1
            self._counts[now] += 1
            self._standings[place] = now

    def go_on(self) -> None:
        """Go to the next row without an answer, or to the end."""
        found = self._first_open(self.place + 1)
        self.place = len(self) if found is None else found

    def move(self, steps: int) -> None:
        """Go so many rows forward, or back if negative."""
        self.place = min(max(self.place + steps, 0), len(self))

    def go_to_open(self) -> None:
        """Go to the first row without an answer, if there is one."""
        found = self._first_open(0)
        self.place = len(self) if found is None else found

    def go_to(self, number: int) -> None:
        """Go to a row, if it is in the list."""
        if (place := self._place_of(number)) is not None:
            self.place = place

    def _first_open(self, start: int) -> int | None:
        rest = self._standings[start:]
        if not len(rest):
            return None
        found = int(rest.argmin())  # the first of equals
        return start + found if rest[found] == Standing.OPEN else None

    def _place_of(self, number: int) -> int | None:
        at = int(np.searchsorted(self._sorted, number))
        return int(self._by_number[at]) if at < len(self) and self._sorted[at] == number else None


def standing_of(entry: Entry) -> Standing:
    """Tell what is known of a row."""
    if entry.reading is None:
        return Standing.OPEN
    if entry.reading.unsure:
        return Standing.UNSURE
    return {True: Standing.AGREES, False: Standing.DIFFERS, None: Standing.READ}[entry.agreed]

"""What the user has changed in a table, to take it back and to do it again."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.results.reading import Reading


class Deleted(Struct, frozen=True, eq=False):
    """Rows were deleted."""

    numbers: NDArray[np.intp]


class Commented(Struct, frozen=True):
    """The comment on a row was changed."""

    number: int
    before: str
    after: str


class Read(Struct, frozen=True):
    """A reader has answered about a row, answered otherwise, or taken the answer back."""

    number: int
    before: Reading | None
    after: Reading | None


Change: TypeAlias = Deleted | Commented | Read


class History:
    """Changes in the order in which they were made."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []

    def add(self, change: Change) -> None:
        """Note a change; what was taken back before can then no longer be done again."""
        self._done.append(change)
        self._undone.clear()

    @property
    def next_undone(self) -> Change | None:
        """The change that is to be taken back next."""
        return self._done[-1] if self._done else None

    @property
    def next_redone(self) -> Change | None:
        """The change that is to be done again next."""
        return self._undone[-1] if self._undone else None

    def undo(self) -> Change | None:
        """Move to before the last change, and return it."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Change | None:
        """Move to after the change that was taken back last, and return it."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

"""An array that rows are appended to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """Doubles its space when it is full, so that appending costs the same however long it is.

    Parameters
    ----------
    dtype : dtype
        Type of the numbers.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._space = np.empty(64, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """The numbers: a view, into which can be written, valid until more are appended."""
        return self._space[: self._length]

    def append(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Put these numbers at the end."""
        length = self._length + len(values)
        if length > len(self._space):
            space = np.empty(max(length, 2 * len(self._space)), self._space.dtype)
            space[: self._length] = self.values
            self._space = space
        self._space[self._length : length] = values
        self._length = length

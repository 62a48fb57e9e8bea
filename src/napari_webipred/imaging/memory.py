"""The memory of images at work: who wants to read one waits until there is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from napari_webipred.errors import ImageError
from napari_webipred.limits import MEMORY_SETTING, amount, memory_budget


class ImageMemory:
    """Counts the bytes of all images that are read and prepared, of any number of runs in this process.

    Parameters
    ----------
    budget : callable
        Returns how many bytes all images together may take.
    """

    def __init__(self, budget: Callable[[], int] = memory_budget) -> None:
        self._budget = budget
        self._in_use = 0
        self._changed = Condition()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Wait until all images together, with this one of so many bytes, stay within the budget.

        Raises
        ------
        ImageError
            The image alone is larger than the budget.
        """
        if not size:  # the setting need not be looked up for pixels that are in memory already
            yield
            return
        budget = self._budget()
        if size > budget:
            raise ImageError(
                f"Reading the image takes {amount(size)} of memory, more than the {amount(budget)} for all images.",
                f"Scale it down first, or allow more with the setting {MEMORY_SETTING}={amount(size, round_up=True)}.",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._in_use + size <= budget)
            self._in_use += size
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= size
                self._changed.notify_all()

"""The memory of images at work: who wants to read one waits until there is enough."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition
from typing import Any, TypeAlias

from napari_webipred.errors import ImageError
from napari_webipred.limits import MEMORY_SETTING, amount, image_budget

Key: TypeAlias = tuple[int, ...]
_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)
_ahead: ContextVar[int] = ContextVar("ahead", default=0)


@contextmanager
def allowing(budget: int, ahead: int = 0) -> Iterator[None]:
    """Let what this thread reads within the block, and all other images, take so many bytes together.

    Parameters
    ----------
    budget : int
        Bytes.
    ahead : int
        How many images other threads may be ahead of this one.
    """
    tokens = _allowed.set(budget), _ahead.set(ahead)
    try:
        yield
    finally:
        _allowed.reset(tokens[0])
        _ahead.reset(tokens[1])


class ImageMemory:
    """Counts the bytes of all images that are read and prepared, of any number of runs in this process.

    What may be needed again is kept in memory that no image needs.

    Parameters
    ----------
    setting : callable
        Returns how many bytes all images together may take where `allowing` has not said it.
    """

    def __init__(self, setting: Callable[[], int] = image_budget) -> None:
        self._setting = setting
        self._in_use = 0
        self._changed = Condition()
        self._kept: OrderedDict[Key, tuple[int, Any]] = OrderedDict()

    @property
    def budget(self) -> int:
        """How many bytes all images together may take."""
        return _allowed.get() or self._setting()

    @property
    def ahead(self) -> int:
        """How many images other threads may be ahead of this one."""
        return _ahead.get()

    @property
    def in_use(self) -> int:
        """How many bytes they take now, with what is kept."""
        return self._in_use + sum(size for size, _ in list(self._kept.values()))

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
        budget = self.budget
        if size > budget:
            enough = amount(size, round_up=True)
            of_run = budget != self._setting()  # which would not change it
            how = f"this run {enough}" if of_run else f"more with the setting {MEMORY_SETTING}={enough}"
            raise ImageError(
                f"Reading the image takes {amount(size)} of memory, more than the {amount(budget)} for all images.",
                f"Scale it down first, or allow {how}.",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(size, budget))
            self._in_use += size
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= size
                self._changed.notify_all()

    def keep(self, key: Key, value: Any, size: int) -> None:
        """Keep a value of so many bytes until images need its memory, if they do not need it now."""
        with self._changed:
            if self._has_room(size, self.budget):
                self._kept[key] = size, value

    def found(self, key: Key) -> Any:
        """Return what is kept under a key, or None."""
        with self._changed:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][1]

    def forget(self, *keys: Key) -> None:
        """Keep these no longer, or nothing if none are given."""
        with self._changed:
            for key in keys or list(self._kept):
                self._kept.pop(key, None)
            self._changed.notify_all()

    def items(self) -> list[tuple[Key, Any]]:
        """Return what is kept under which keys, what was used last at the end."""
        with self._changed:
            return [(key, value) for key, (_, value) in self._kept.items()]

    def _has_room(self, size: int, budget: int) -> bool:
        """Tell whether so many bytes fit; what is kept makes way, what was not used for longest first."""
        while self._kept and self.in_use + size > budget:
            self._kept.popitem(last=False)
        return self.in_use + size <= budget


image_memory = ImageMemory()  # of all runs in this process

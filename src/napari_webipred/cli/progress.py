"""How far a run is: a line in a terminal, or lines of JSON for another program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_webipred.cli import terminal
from napari_webipred.limits import amount

if TYPE_CHECKING:
    from napari_webipred.cli.summary import Summary

_EACH = 1.0  # seconds between lines of JSON


class Progress:
    """Tells how many images are done, how fast, how many failed, and how long it takes.

    Parameters
    ----------
    before : int
        How many rows an earlier run has made.
    budget : int
        How many bytes images may take together.
    """

    def __init__(self, before: int, budget: int) -> None:
        self._before, self._budget = before, budget
        self._line = terminal.ProgressLine("images", before)
        self._begin = self._told = time.monotonic()

    def show(self, summary: Summary, total: int) -> None:
        """Tell it, as often as somebody can read it."""
        if terminal.voice() == "json":
            self._emit(summary, total)
        elif self._line.is_due(final=summary.done == total):
            from napari_webipred.imaging.memory import image_memory

            failed = f", {summary.failed:,} failed" if summary.failed else ""
            used = f", {amount(image_memory.in_use)} of {amount(self._budget)} in use"
            self._line.show(f"{summary.done:,} of {total:,} images{failed}", summary.done, total, used)

    def clear(self) -> None:
        """Take the line away."""
        self._line.clear()

    def _emit(self, summary: Summary, total: int) -> None:
        now = time.monotonic()
        if now - self._told < _EACH and summary.done != total:
            return
        self._told = now
        rate = (summary.done - self._before) / max(now - self._begin, 1e-9)
        terminal.emit(
            "progress",
            done=summary.done,
            total=total,
            failed=summary.failed,
            images_per_second=round(rate, 3),
            seconds_left=round((total - summary.done) / rate, 1) if rate else None,
        )

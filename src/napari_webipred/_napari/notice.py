"""A notification of napari at the end of a long run that nobody watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari_webipred._napari.results.run import Run

SECONDS = 10  # a shorter run is waited for


class EndNotice:
    """Tells of the end of a run of a viewer, without names of files, unless a window of napari is active."""

    def __init__(self) -> None:
        self._begin = 0.0

    def begin(self) -> None:
        """Note that a run begins."""
        self._begin = now()

    def end(self, run: Run) -> None:
        """Tell that the run has ended, if it was long and nobody watches."""
        if not run.cancelled and now() - self._begin >= SECONDS and not is_watched():
            show_info(_words(run))


def now() -> float:
    """Return seconds since some moment."""
    return time.monotonic()


def is_watched() -> bool:
    """Whether a window of napari is active."""
    return QApplication.activeWindow() is not None


def _words(run: Run) -> str:
    rows = f"{len(run.rows)} row{'s' * (len(run.rows) != 1)}"
    if run.error is not None:
        return f"Classification has stopped because of an error after {rows}. The panel says more."
    failed = f" {run.failed} could not be classified." if run.failed else ""
    return f"Classification has ended: {rows}.{failed}"

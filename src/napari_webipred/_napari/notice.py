"""A notification of napari at the end of a long run that nobody watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari_webipred._napari.run import Run
    from napari_webipred._napari.viewer_session import ViewerSession

SECONDS = 10  # a shorter run is waited for


class EndNotice(QObject):
    """Tells of the end of a run of a viewer, without names of files, unless a window of napari is active."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__(session)
        self._session = session
        self._begin = 0.0
        session.run_changed.connect(self._on_run)
        session.run_ended.connect(self._on_ended)

    def _on_run(self) -> None:
        self._begin = now()

    def _on_ended(self) -> None:
        run = self._session.run
        if run is not None and not run.cancelled and now() - self._begin >= SECONDS and not is_watched():
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

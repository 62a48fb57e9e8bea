"""Work beside the window of which only the latest counts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.task import Task

MILLISECONDS = 40  # a slider that is dragged asks far more often


class Latest(QObject):
    """Does what was asked for last; what was asked for before is cancelled and never heard of again.

    One piece of work runs at a time, so that a slow disk or a lazy array is not asked for more and more.

    Signals
    -------
    events : list
        The work that runs has progressed.
    done : object
        It has ended with this result.
    failed : Exception
        It has failed.
    """

    events = Signal(list)
    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make: Callable[[], Generator[Any, None, Any]] | None = None
        self._task: Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS)
        self._timer.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        """Whether something is still to come."""
        return self._make is not None or self._task is not None

    def ask(self, make: Callable[[], Generator[Any, None, Any]]) -> None:
        """Do this work, in place of all that was asked for before.

        Parameters
        ----------
        make : callable
            Makes the generator of a `Task`; called when it is its turn.
        """
        self._make = make
        if self._task is not None:
            self._task.cancel()
        elif not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Ask for nothing any more."""
        self._make = None
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        if self._make is None or self._task is not None:
            return
        self._task, self._make = Task(self._make()), None
        self._task.events.connect(self.events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_cancelled)
        self._task.start()

    def _on_done(self, result: object) -> None:
        self._task = None
        self.done.emit(result)

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.failed.emit(error)

    def _on_cancelled(self) -> None:
        self._task = None
        self._start()

"""Work that runs in a background thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from itertools import count
from typing import Any

from msgspec import Struct
from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred.cancellation import Cancellation, current

# Often enough to look alive, seldom enough that the window has time for more than showing what is new.
SECONDS_BETWEEN_EVENTS = 0.25
# How long the work waits at most for the window to show what is new.
SECONDS_TO_SHOW = 0.1
# Python lets one thread compute at a time. Threads that let go of this right and take it again at once, for each of
# thousands of events in a second, leave none of it to the window: after so many events they rest.
EVENTS_BEFORE_REST = 50
SECONDS_OF_REST = 0.003

_under_way: set[Task] = set()  # so that a task that nobody holds any more is finished, too


class _Failure(Struct, frozen=True):
    error: Exception


class _ClosingWorker(GeneratorWorker):
    """A worker that closes its generator in its own thread, also when it has to quit.

    Quitting ends a prediction that is being computed, too; napari quits all workers when it is closed.
    """

    def __init__(self, function: Any, work: Generator[Any, None, Any], *more: Any, **options: Any) -> None:
        self._work = work
        self._cancellation = Cancellation()
        super().__init__(function, work, *more, **options)

    def work(self) -> Any:
        with self._cancellation.active():
            try:
                return super().work()
            finally:
                self._work.close()

    def run(self) -> None:
        try:
            super().run()
        except RuntimeError:
            if self._can_emit():
                raise

    def _can_emit(self) -> bool:
        """Tell whether signals can be emitted: when a program ends, Qt deletes what emits them, also without napari."""
        try:
            self.signals.objectName()
        except RuntimeError:
            return False
        return True

    def quit(self) -> None:
        super().quit()
        self._cancellation.cancel()


class Task(QObject):
    """Runs a generator in a background thread and sends its events as signals.

    Parameters
    ----------
    work : generator
        Yields events and returns a result. It is closed in its thread when the task is cancelled or napari is closed.
    """

    events = Signal(list)
    done = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, work: Generator[Any, None, Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._silent = self._ended = False
        self._shown = threading.Event()
        self._shown.set()
        self._worker = create_worker(
            _gather,
            work,
            self._shown,
            _worker_class=_ClosingWorker,
            _ignore_errors=True,
            _start_thread=False,
            _connect={
                "yielded": self._on_events,
                "returned": self._on_returned,
                "aborted": self._on_aborted,
                "finished": self._on_finished,
            },
        )

    def start(self) -> None:
        """Start."""
        _under_way.add(self)
        self._worker.start()

    def cancel(self) -> None:
        """Stop at the next event; from now on the task emits only ``cancelled``."""
        self._silent = True
        self._worker.quit()

    def _on_events(self, events: list[Any]) -> None:
        if not self._silent:
            self.events.emit(events)
        # A timer of 0 ms would end before the window has painted them and taken what the user does.
        QTimer.singleShot(1, self._shown.set)

    def _on_returned(self, result: object) -> None:
        if self._silent:
            return
        self._ended = True
        if isinstance(result, _Failure):
            self.failed.emit(result.error)
        else:
            self.done.emit(result)

    def _on_aborted(self) -> None:
        self._silent = True  # napari stops workers by itself when a window is closed

    def _on_finished(self) -> None:
        _under_way.discard(self)
        if not self._ended:  # napari may have stopped it after its result
            self.cancelled.emit()


def _gather(work: Generator[Any, None, Any], shown: threading.Event) -> Generator[list[Any], None, Any]:
    """Pass events on in bundles, and an error as a result: the worker swallows some kinds of errors.

    The next bundle waits until the last one is shown: Qt takes all signals of threads before it takes a click, so that
    a busy window would never come to it. From the second bundle on, the work waits, too, but not long. A worker that
    has to quit notices it only when a bundle is passed on.
    """
    waiting: list[Any] = []
    last = 0.0
    result: Any
    for number in count(1):
        if number % EVENTS_BEFORE_REST == 0:
            time.sleep(SECONDS_OF_REST)
        try:
            waiting.append(next(work))
        except StopIteration as finished:
            result = finished.value
            break
        except Exception as error:
            result = _Failure(error)
            break
        due = shown.is_set() and time.monotonic() - last >= SECONDS_BETWEEN_EVENTS
        if due or current().cancelled:
            shown.clear()
            yield waiting
            waiting = []
            if last:  # the first bundle says that the work has begun
                shown.wait(SECONDS_TO_SHOW)
            last = time.monotonic()
    if waiting:
        yield waiting
    return result


def under_way() -> bool:
    """Whether any task of this process is not finished."""
    return bool(_under_way)

from __future__ import annotations

import itertools
import threading

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.task import EVENTS_BEFORE_REST, SECONDS_OF_REST, Task
from napari_webipred.cancellation import current


def record(task: Task) -> list[tuple[str, object]]:
    received: list[tuple[str, object]] = []
    task.events.connect(lambda events: received.extend(("event", event) for event in events))
    task.done.connect(lambda result: received.append(("done", result)))
    task.failed.connect(lambda error: received.append(("failed", error)))
    task.cancelled.connect(lambda: received.append(("cancelled", None)))
    return received


def test_all_events_and_the_result_arrive_in_order(qtbot):
    def work():
        yield from range(1000)
        return "result"

    task = Task(work())
    received = record(task)
    with qtbot.waitSignal(task.done):
        task.start()
    assert received == [*(("event", i) for i in range(1000)), ("done", "result")]


def test_what_is_stopped_after_its_result_has_ended_once(qtbot):
    def work():
        yield 1
        return "result"

    task = Task(work())
    received = record(task)
    task.done.connect(lambda _: task._worker.quit())  # as napari does with all workers when it closes
    with qtbot.waitSignal(task._worker.finished):
        task.start()
    assert [what for what, _ in received] == ["event", "done"]


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
def test_an_error_arrives_after_the_events_before_it(qtbot, kind):
    error = kind("broken")

    def work():
        yield 1
        raise error

    task = Task(work())
    received = record(task)
    with qtbot.waitSignal(task.failed):
        task.start()
    assert received == [("event", 1), ("failed", error)]


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_computation_in_the_middle_of_an_event_is_ended(qtbot, how):
    begun, stop, ended = threading.Event(), threading.Event(), []

    def work():
        with current().ending(stop.set):
            begun.set()
            stop.wait()
        ended.append(how)
        current().check()
        yield

    task = Task(work())
    received = record(task)
    task.start()
    qtbot.waitUntil(begun.is_set)
    with qtbot.waitSignal(task.cancelled):
        # What napari does with all workers when it is closed.
        task.cancel() if how == "cancel" else task._worker.quit()
    assert ended == [how]
    assert received == [("cancelled", None)]


def test_a_cancelled_generator_is_closed_in_its_own_thread_and_says_no_more(qtbot):
    closed, begun = [], threading.Event()

    def work():
        try:
            while True:
                begun.set()
                yield 1
        finally:
            closed.append(threading.current_thread() is threading.main_thread())

    task = Task(work())
    received = record(task)
    task.start()
    assert begun.wait(10)
    with qtbot.waitSignal(task.cancelled):
        task.cancel()
        received.clear()
    assert closed == [False]
    assert received == [("cancelled", None)]


def test_nothing_more_comes_until_the_window_has_shown_what_there_is(qtbot, monkeypatch):
    monkeypatch.setattr("napari_webipred._napari.task.SECONDS_BETWEEN_EVENTS", 0)
    go_on, ended, bundles = threading.Event(), threading.Event(), []

    def work():
        yield 0
        assert go_on.wait(10)
        yield from range(1, 1000)

    def show(events):
        bundles.append(events)
        go_on.set()
        if len(bundles) == 1:  # the window is busy, until the work is done
            assert ended.wait(10)

    task = Task(work())
    task._worker.finished.connect(ended.set, Qt.ConnectionType.DirectConnection)
    task.events.connect(show)
    with qtbot.waitSignal(task.done):
        task.start()
    assert bundles == [[0], list(range(1, 1000))]


def test_the_work_goes_on_when_what_it_gave_is_painted(qtbot, monkeypatch):
    monkeypatch.setattr("napari_webipred._napari.task.SECONDS_BETWEEN_EVENTS", 0)
    monkeypatch.setattr("napari_webipred._napari.task.SECONDS_TO_SHOW", 10)
    painted, given, found = threading.Event(), [], []

    class Shown(QWidget):
        def paintEvent(self, event: object) -> None:  # noqa: N802
            painted.set()

    widget = Shown()
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()

    def work():
        for number in itertools.count():
            yield number
            if len(given) == 2:  # the first bundle says that the work has begun
                break
        found.append(painted.is_set())

    def give(events):
        painted.clear()
        given.append(events)

    task = Task(work())
    task._worker.yielded.connect(give, Qt.ConnectionType.DirectConnection)
    task.events.connect(lambda _: widget.update())
    with qtbot.waitSignal(task.done):
        task.start()
    assert found == [True]


def test_thousands_of_events_leave_time_for_the_window(qtbot, monkeypatch):
    rests = []
    monkeypatch.setattr("napari_webipred._napari.task.time.sleep", rests.append)

    def work():
        yield from range(2 * EVENTS_BEFORE_REST + 1)

    task = Task(work())
    with qtbot.waitSignal(task.done):
        task.start()
    assert rests == [SECONDS_OF_REST] * 2


def test_napari_can_close_while_the_window_shows_nothing(qtbot):
    begun, closed = threading.Event(), threading.Event()

    def work():
        try:
            for number in itertools.count():
                if number == 3:  # the first event is on its way
                    begun.set()
                yield
        finally:
            closed.set()

    task = Task(work())
    task.start()
    assert begun.wait(10)
    task._worker.quit()
    assert closed.wait(10)  # no event is taken meanwhile
    with qtbot.waitSignal(task.cancelled):
        pass
